"""The starter from songs to files: phase 1 for each network, then phase 2 for the Mixer."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil, inf
from pathlib import Path

from evaluator.limits import available_cores
from my_submission.errors import DemixError
from my_submission.stems import STEMS, Stem
from training.files import whole_file
from training.listing import update_manifest
from training.stopping import Children

SYSTEM = "starter"
MIXER = "mixer.ckpt"


@dataclass(frozen=True, kw_only=True)
class StarterOptions:
    """How the starter is made.

    Attributes:
        songs: Folder of training songs.
        decoded: Where they are kept decoded.
        run: Where checkpoints and curves go; what is there goes on.
        out: Where the five files go.
        stems: Which networks are trained; of the others the files in `out` are taken.
        minutes: Time for each network's training; None for the experiment's number of steps.
        jobs: Networks trained at once.
        overrides: Further Hydra overrides of phase 1, such as ``trainer.max_steps=10``.
        mixer_overrides: Likewise of phase 2.

    Raises:
        DemixError: A number makes no sense.
    """

    songs: Path
    decoded: Path
    run: Path
    out: Path
    stems: Sequence[Stem] = STEMS
    minutes: float | None = None
    jobs: int = 2
    overrides: Sequence[str] = ()
    mixer_overrides: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise DemixError(f"-j {self.jobs}: give at least 1")
        if self.minutes is not None and not 0 < self.minutes < inf:
            raise DemixError(f"--minutes {self.minutes:g}: give more than 0 minutes")


def make_starter(
    options: StarterOptions, children: Children, report: Callable[[str], None] = print
) -> None:
    """Train the networks and the Mixer over them, and put their files into a folder.

    A network's file appears when its run has ended. Where `out` is the repository's own, the list
    of weights gets the new sizes and hashes.

    Raises:
        StoppedError: This process was asked to end.
        DemixError: A run has failed, which has said why, or a file cannot be written.
    """
    threads = max(1, available_cores() // options.jobs)

    def train(stem: Stem) -> None:
        _phase1(stem, options, threads, children)
        _take(options.run / stem / "checkpoints" / "last.onnx", options.out / f"{stem}.onnx")
        report(f"{options.out / stem}.onnx is there")

    with ThreadPoolExecutor(options.jobs) as pool:
        # All of them are waited for: a run that has failed does not cost the others' work.
        futures = [pool.submit(train, stem) for stem in options.stems]
    children.raise_if_stopped()  # whatever has failed before
    for future in futures:
        future.result()
    make_mixer(options, children)
    report(f"{options.out / MIXER} is there")
    if options.out.resolve() == _own_folder():
        update_manifest(SYSTEM, options.out)


def make_mixer(options: StarterOptions, children: Children) -> None:
    """Train the Mixer over the networks in `options.out`, and put its file beside them.

    Raises:
        StoppedError: This process was asked to end.
        DemixError: The run has failed, or the file cannot be written.
    """
    folder = options.run / "mixer"
    _run(
        [
            "experiment=starter_mixer",
            f"model.separators={_quoted(options.out)}",
            f"datamodule.folders=[{_quoted(options.songs)}]",
            f"datamodule.decoded_folder={_quoted(options.decoded)}",
            f"run_dir={_quoted(folder)}",
            *options.mixer_overrides,
        ],
        "the Mixer",
        available_cores(),
        children,
    )
    _take(folder / MIXER, options.out / MIXER)


def _phase1(stem: Stem, options: StarterOptions, threads: int, children: Children) -> None:
    overrides = [
        "experiment=starter",
        f"model=starter_{stem}",
        f"datamodule.folders=[{_quoted(options.songs)}]",
        f"datamodule.decoded_folder={_quoted(options.decoded)}",
        f"run_dir={_quoted(options.run / stem)}",
    ]
    if options.minutes is not None:
        seconds = ceil(60 * options.minutes)
        clock = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        overrides += ["trainer.max_steps=-1", f"trainer.max_time={seconds // 86400:02}:{clock}"]
    _run([*overrides, *options.overrides], stem, threads, children)


def _run(overrides: Sequence[str], what: str, threads: int, children: Children) -> None:
    """Run `python -m training` in a process of its own.

    Threads of torch do not survive a fork, and Hydra configures one run per process.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "training", *overrides]
    if children.run(command, environment):
        raise DemixError(
            f"training of {what} has ended early, see above; the same command goes on with it"
        )


def _take(source: Path, destination: Path) -> None:
    with source.open("rb") as taken, whole_file(destination) as file:
        shutil.copyfileobj(taken, file)


def _quoted(path: Path) -> str:
    """Write a path as Hydra reads it, whatever it contains."""
    return json.dumps(str(path), ensure_ascii=False)


def _own_folder() -> Path:
    return (Path(__file__).resolve().parents[1] / "models" / SYSTEM).resolve()
