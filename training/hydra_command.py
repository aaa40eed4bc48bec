"""The published grammar: `python -m training experiment=NAME model=NAME key=value ...`."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from my_submission.errors import DemixError
from my_submission.stft import HOP_LENGTH
from training.stopping import StoppedError

CONFIGS = Path(__file__).parent / "configs"

MEANWHILE = 3.0
"""Seconds in which a run's first process, where the same went wrong there, says so and ends the
others."""

OmegaConf.register_new_resolver(
    "samples", lambda num_frames: HOP_LENGTH * (num_frames - 1), replace=True
)
"""For configurations: `${samples:FRAMES}` are the samples of a chunk of so many frames."""


def is_for_hydra(arguments: Sequence[str]) -> bool:
    """Tell whether arguments are Hydra's: the first holds a ``=`` or is a flag other than help."""
    first = arguments[0] if arguments else ""
    return "=" in first or (first.startswith("-") and first not in ("-h", "--help"))


def run(arguments: Sequence[str]) -> int:
    """Compose a configuration of `arguments` and train what it describes.

    Returns:
        The exit status; what went wrong is one line on standard error.
    """
    # Otherwise Hydra catches exceptions, and prints several lines about them.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    before = sys.argv
    # Lightning starts the processes of further GPUs by these.
    sys.argv = [before[0], *arguments]
    try:
        _main()
    except DemixError as error:
        return _failure(error)
    except (HydraException, OmegaConfBaseException) as error:
        return _failure(error)
    finally:
        sys.argv = before
    return 0


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="config")
def _main(config: DictConfig) -> None:
    from training.phase1.run import is_first_process, train

    try:
        line = train(config)
    except (DemixError, InstantiationException, OmegaConfBaseException) as error:
        # Not as an exception: Hydra would add a line.
        cause = _cause(error)
        if not is_first_process():
            if isinstance(cause, StoppedError):
                raise SystemExit(0) from error
            time.sleep(MEANWHILE)
        _failure(cause)
        raise SystemExit(cause.status if isinstance(cause, StoppedError) else 1) from error
    if is_first_process():
        print(line)


def _cause(error: BaseException) -> BaseException:
    """Give what an error of Hydra's instantiation wraps."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _failure(error: BaseException) -> int:
    print("error:", " ".join(str(error).split()), file=sys.stderr)
    return 1
