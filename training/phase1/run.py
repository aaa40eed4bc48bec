"""A training run: from a configuration to checkpoints in the run's folder."""

import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import hydra
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import seed_everything
from lightning.pytorch.trainer import Trainer
from omegaconf import DictConfig, ListConfig, OmegaConf
from yaml import YAMLError

from my_submission.errors import DemixError
from my_submission.measuring import measured_speed
from training.files import write_whole
from training.locking import lock
from training.phase1.checkpoint_files import CHECKPOINTS, LAST, AtomicIO, require_intact

DETERMINING = ("seed", "model", "datamodule", "callbacks.ema")
"""What of a configuration determines the weights."""

UNREADABLE = "is damaged, so that nobody knows what run this is: put it back, or choose run_dir="

FREE = ("num_workers", "pin_memory")
"""What may change in them when a run goes on."""


def train(config: DictConfig) -> str:
    """Train what `config` describes, or go on with it; give a line about it.

    The run lives in `config.run_dir`. If there is a last checkpoint, the run goes on from it.

    Raises:
        DemixError: The configuration or the data is not right, the folder holds another run or
            another process trains in it, a file cannot be written, or an exported network differs
            from the trained one.
        StoppedError: It was asked to end.
    """
    with ExitStack() as until_end:
        return _train(config, until_end)


def _train(config: DictConfig, until_end: ExitStack) -> str:
    _quiet()
    for part in ("model", "datamodule"):
        if config.get(part) is None:
            raise DemixError(f"no {part} is chosen: give {part}=NAME or experiment=NAME")
    folder = Path(config.run_dir)
    is_there = folder.is_dir()
    if is_there and is_first_process():
        until_end.enter_context(_lock(folder))
    checkpoint = folder / CHECKPOINTS / LAST
    saved = _saved(folder) if checkpoint.is_file() else None
    _settle_precision(config, saved)
    if saved is not None:
        _require_same(saved, config, folder)
        require_intact(checkpoint, has_init_from="init_from" in config.model)
    seed_everything(config.seed, workers=True, verbose=False)

    data = hydra.utils.instantiate(config.datamodule)
    model = hydra.utils.instantiate(config.model)
    callbacks = _instantiate_all(config.get("callbacks"))
    trainer_options = OmegaConf.to_container(config.trainer, resolve=True)
    assert isinstance(trainer_options, dict)
    if trainer_options.get("enable_progress_bar") == "auto":
        trainer_options["enable_progress_bar"] = sys.stderr.isatty()
    if is_first_process():
        data.setup("fit")  # what is wrong with the songs is said before there is a folder
        if not is_there:
            until_end.enter_context(_lock(folder))
        _save(config, folder)
    loggers = _instantiate_all(config.get("logger"))
    try:
        trainer: Trainer = hydra.utils.instantiate(
            trainer_options,
            callbacks=callbacks,
            logger=loggers or False,
            plugins=[AtomicIO()],
            _convert_="all",
        )
        with _ending_others(trainer):
            trainer.fit(model, datamodule=data, ckpt_path=None if saved is None else checkpoint)
    except MisconfigurationException as error:
        raise DemixError(" ".join(str(error).split())) from error
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise DemixError(
            f"{error} Is there too little memory? Take fewer datamodule.num_workers; the same "
            "command goes on from the last checkpoint"
        ) from error
    score = trainer.callback_metrics.get("val/sdr")
    scored = "" if score is None else f", validation {float(score):.2f} dB"
    return f"{folder}: {trainer.global_step} steps{scored}"


def is_first_process() -> bool:
    """Tell whether this is the only process of a run, or the one that started the others."""
    return all(int(os.environ.get(name, "0")) == 0 for name in ("LOCAL_RANK", "NODE_RANK", "RANK"))


@contextmanager
def _ending_others(trainer: Trainer) -> Iterator[None]:
    """End the processes that this one has started when it fails: they would wait for it."""
    try:
        yield
    except BaseException:
        launcher = trainer.strategy.launcher
        if launcher is not None:
            launcher.kill(signal.SIGTERM)
        raise


def _instantiate_all(group: DictConfig | None) -> list[Any]:
    items = [] if group is None else [group[name] for name in group]
    return [hydra.utils.instantiate(item) for item in items if item and "_target_" in item]


def _settle_precision(config: DictConfig, saved: DictConfig | None) -> None:
    """Replace ``auto``: half precision where the device is fast in it, as the run began."""
    if config.trainer.precision != "auto":
        return
    if saved is not None:
        config.trainer.precision = saved.trainer.precision
    elif config.trainer.accelerator != "cpu" and torch.cuda.is_available():
        config.trainer.precision = "16-mixed"
    elif measured_speed("cpu").fast_dtype is torch.bfloat16:
        config.trainer.precision = "bf16-mixed"
    else:
        config.trainer.precision = "32-true"


def _lock(folder: Path) -> IO[str]:
    try:
        return lock(folder, wait=False)
    except BlockingIOError as error:
        raise DemixError(
            f"{folder}: in use, another process trains in it; end that one or wait for it, or "
            "choose another run_dir="
        ) from error
    except OSError as error:
        raise _unwritable(folder, error) from error


def _saved(folder: Path) -> DictConfig:
    path = folder / "config.yaml"
    if not path.is_file():
        raise DemixError(f"{folder}: has checkpoints but no config.yaml; choose run_dir=")
    try:
        saved = OmegaConf.load(path)
    except (OSError, ValueError, YAMLError) as error:
        raise DemixError(f"{path}: {UNREADABLE}") from error
    parts = ("model", "datamodule", "trainer")
    if not isinstance(saved, DictConfig) or not all(
        isinstance(saved.get(part), DictConfig) for part in parts
    ):
        raise DemixError(f"{path}: {UNREADABLE}")
    return saved


def _save(config: DictConfig, folder: Path) -> None:
    try:
        (folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    write_whole(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True).encode())


def _unwritable(folder: Path, error: OSError) -> DemixError:
    return DemixError(f"{folder}: cannot be written ({error.strerror}): choose run_dir=")


def _require_same(saved: DictConfig, config: DictConfig, folder: Path) -> None:
    for part in DETERMINING:
        before, now = (
            dict(_leaves(part, OmegaConf.select(item, part))) for item in (saved, config)
        )
        for name in sorted(before | now):
            if name.rpartition(".")[2] not in FREE and before.get(name) != now.get(name):
                raise DemixError(
                    f"{folder}: holds a run with {name}={before.get(name)}, not {now.get(name)}; "
                    "give it back, or choose another run_dir="
                )


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, DictConfig):
        for key in value:
            yield from _leaves(f"{name}.{key!s}", value[key])
    else:
        yield name, OmegaConf.to_container(value) if isinstance(value, ListConfig) else value


def _quiet() -> None:
    """Keep Lightning from telling what is no news: devices, tips, its own plans."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*smaller than the logging interval.*",
        ".*dataloader is not resumable.*",
        ".*Checkpoint directory .* exists.*",
        ".*Experiment logs directory.*",
        ".*all_gather is deprecated.*",
        ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*",
    ):
        warnings.filterwarnings("ignore", message)
