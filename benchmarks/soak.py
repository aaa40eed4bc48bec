"""Many short songs with one separator in one process: what is taken must not grow with them.

Run as ``python -m benchmarks.soak [--songs 500] [--system starter] [--deadline SECONDS]``; with a
time limit, the process that runs the networks counts as well. The songs are of many
lengths, formats and rates, mono and stereo, and some are damaged. It exits with 1 if a sound song
fails, a damaged one is taken, or memory, open files, threads or scratch files are not flat.
"""

import argparse
import contextlib
import gc
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import psutil
import soundfile

from my_submission.audio.output import OutputFormat
from my_submission.budget.messages import Task
from my_submission.budget.timed_separator import TimedSeparator
from my_submission.errors import DemixError
from my_submission.separator import Separator, silent
from my_submission.stems import STEMS, Audio

GROWTH_MB = 20
"""What the memory of the last fifth of songs may have over that of the second: noise of the
allocator. For 500 songs it is 0.07 MB per song, a tenth of what the shortest of them holds."""

RATES = (22_050, 44_100, 48_000)
SOUND_FORMATS = (("wav", "PCM_16"), ("wav", "FLOAT"), ("flac", "PCM_24"), ("mp3", None))
OUTPUT_FORMATS = (
    OutputFormat("wav", "float32", "none"),
    OutputFormat("wav", "int16"),
    OutputFormat("flac", "int24"),
    OutputFormat("mp3"),
)
DAMAGED_EVERY = 7


@dataclass(frozen=True)
class Sample:
    """What the process takes after some songs.

    Attributes:
        songs: So many.
        memory_mb: Main memory (resident), of its children too, like the next two.
        descriptors: Open files.
        threads: Threads.
        scratch_files: Scratch files, with a name or without.
    """

    songs: int
    memory_mb: float
    descriptors: int
    threads: int
    scratch_files: int


class SeparateToFiles(Protocol):
    """Separates a song from file to files, as `Separator.separate_to_files` does."""

    def __call__(
        self,
        path: Path,
        paths: dict[str, Path],
        *,
        fmt: OutputFormat,
        say: Callable[[str], None],
    ) -> object:
        """Separate one song."""
        ...


def soak(separate: SeparateToFiles, songs: int, folder: Path) -> Iterator[Sample]:
    """Separate songs one after the other.

    Args:
        separate: What separates one.
        songs: How many.
        folder: For songs, stems and scratch files; empty.

    Yields:
        What the process takes after each.

    Raises:
        RuntimeError: A song came out another way than it should.
    """
    scratch, out = folder / "scratch", folder / "out"
    scratch.mkdir()
    before, os.environ["TMPDIR"] = os.environ.get("TMPDIR"), str(scratch)
    try:
        for index in range(songs):
            path, is_damaged = write_song(folder, index)
            fmt = OUTPUT_FORMATS[index // 2 % len(OUTPUT_FORMATS)]
            paths: dict[str, Path] = {stem: out / f"{stem}{fmt.suffix}" for stem in STEMS}
            try:
                separate(path, paths, fmt=fmt, say=silent)
                if is_damaged:
                    raise RuntimeError(f"song {index} is damaged, and was separated: {path.name}")
            except DemixError as error:
                if not is_damaged:
                    raise RuntimeError(
                        f"song {index} is sound, and was refused: {error}"
                    ) from error
            if is_damaged and any(out.glob("*")):
                raise RuntimeError(f"song {index} is damaged, and left something in {out}")
            shutil.rmtree(out, ignore_errors=True)
            path.unlink()
            yield look(index + 1, scratch)
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before


def write_song(folder: Path, index: int) -> tuple[Path, bool]:
    """Write the song of a number, the same one each time; tell whether it is damaged."""
    rng = np.random.default_rng(index)
    suffix, subtype = SOUND_FORMATS[index % len(SOUND_FORMATS)]
    rate, channels = RATES[index // 4 % len(RATES)], 1 + index // 12 % 2
    num_frames = int(rng.uniform(0.8, 2.2) * rate)
    path = folder / f"song.{suffix}"
    soundfile.write(path, noise(rng, num_frames, channels), rate, subtype=subtype)
    if is_damaged := index % DAMAGED_EVERY == DAMAGED_EVERY - 1:
        damage(path, index // DAMAGED_EVERY % 3)
    return path, is_damaged


def noise(rng: np.random.Generator, num_frames: int, channels: int) -> Audio:
    """Make noise ``[frames, channels]`` that would clip as an MP3 now and then."""
    sound: Audio = rng.normal(0, 0.3, (num_frames, channels)).clip(-1, 1).astype(np.float32)
    return sound


def damage(path: Path, kind: int) -> None:
    """Make a file unreadable: empty, no sound, or cut where its header tells that it is."""
    whole = path.read_bytes()
    text = b"no sound at all\n" * 500
    half = text if path.suffix == ".mp3" else whole[: len(whole) // 2]
    path.write_bytes((b"", text, half)[kind])


def look(songs: int, scratch: Path) -> Sample:
    """See what this process and its children take."""
    # What waits for the garbage collector is no leak, but would be in the figures at random.
    gc.collect()
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    named = {str(path) for path in scratch.iterdir()}
    nameless = {
        file
        for process in family
        for file in _open_files(process.pid)
        if file.startswith(str(scratch)) and file not in named
    }
    return Sample(
        songs,
        sum(process.memory_info().rss for process in family) / 1e6,
        sum(process.num_fds() for process in family),
        sum(process.num_threads() for process in family),
        len(nameless) + len(named),
    )


def growth(samples: Sequence[Sample]) -> list[str]:
    """Say what is not flat: the medians of the last fifth of samples against the second fifth's.

    The first fifth is left out: caches fill and threads start there.
    """
    fifth = max(1, len(samples) // 5)
    early, late = samples[fifth : 2 * fifth], samples[-fifth:]

    def medians(figure: Callable[[Sample], float]) -> tuple[float, float]:
        return statistics.median(map(figure, early)), statistics.median(map(figure, late))

    complaints = []
    first, last = medians(lambda sample: sample.memory_mb)
    if last - first > GROWTH_MB:
        complaints.append(f"memory grew from {first:.0f} to {last:.0f} MB")
    first, last = medians(lambda sample: sample.descriptors)
    if last > first:
        complaints.append(f"open files grew from {first:.0f} to {last:.0f}")
    first, last = medians(lambda sample: sample.threads)
    if last > first:
        complaints.append(f"threads grew from {first:.0f} to {last:.0f}")
    if most := max(sample.scratch_files for sample in samples):
        complaints.append(f"up to {most} scratch files were left")
    return complaints


def main() -> None:
    """Separate, print a row now and then, and judge."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--songs", type=int, default=500)
    parser.add_argument("--system", default="starter")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--deadline", type=float, metavar="SECONDS", help="Limit for each song.")
    parser.add_argument("--every", type=int, default=50, help="Songs per row of the table.")
    arguments = parser.parse_args()

    samples = []
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        separate: SeparateToFiles
        if arguments.deadline is None:
            system = Separator(arguments.system, models=arguments.models, say=print)
            separate = system.separate_to_files
        else:
            timed = TimedSeparator(Task(arguments.system, arguments.models), say=print)
            stack.enter_context(timed).set_up()
            separate = partial(timed.separate_to_files, seconds=arguments.deadline)
        print("songs  memory MB  open files  threads  scratch files  seconds")
        for sample in soak(separate, arguments.songs, folder):
            samples.append(sample)
            if sample.songs % arguments.every == 0 or sample.songs == arguments.songs:
                print(
                    f"{sample.songs:5}  {sample.memory_mb:9.1f}  {sample.descriptors:10}  "
                    f"{sample.threads:7}  {sample.scratch_files:13}  "
                    f"{time.monotonic() - began:7.0f}",
                    flush=True,
                )
    complaints = growth(samples)
    print("; ".join(complaints) if complaints else "flat")
    sys.exit(1 if complaints else 0)


def _open_files(pid: int) -> Iterator[str]:
    """Name what a process holds open, where the system tells."""
    folder = Path(f"/proc/{pid}/fd")
    for link in list(folder.iterdir()) if folder.is_dir() else []:
        with contextlib.suppress(FileNotFoundError):  # the folder's own
            yield str(link.readlink())


if __name__ == "__main__":
    main()
