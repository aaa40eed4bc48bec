"""What scoring costs beside separation: time, cores and memory of `demix evaluate`.

Run as ``python -m benchmarks.scoring [--songs 50] [--seconds 20]``. Evaluates the starter on songs
made of the demo songs, in a process of its own each time, and prints:

- the time of `demix separate` alone, and of `demix evaluate --metrics global`, which must take no
  more than 1.2 times that;
- the peak memory of all processes together for 5 and for all songs;
- how many cores are busy while only museval runs, after the separation, of those there are, and the
  peak memory, for 4 and for 12 songs.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import soundfile

from benchmarks.songs import SAMPLE_RATE, demo_stems
from evaluator.limits import available_cores
from my_submission.stems import STEMS

FEW_SONGS = 5
MUSEVAL_SONGS = (4, 12)
SLOWEST = 1.2
"""What a run with the global SDR may take, as a multiple of the separation alone."""


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Args:
        seconds: of wall-clock time.
        cpu_seconds: of all its processes, those that were measured to their end.
        peak_mb: of all its processes together.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float


def write_songs(folder: Path, count: int, seconds: float) -> None:
    """Write excerpts of the demo songs, each from another place, in the challenge's layout."""
    songs = list(demo_stems().values())
    num_samples = round(seconds * SAMPLE_RATE)
    for index in range(count):
        stems = songs[index % len(songs)]
        start = index * SAMPLE_RATE
        excerpt = np.take(stems, range(start, start + num_samples), axis=2, mode="wrap")
        song = folder / f"song {index:02}"
        song.mkdir(parents=True)
        for name, sound in zip((*STEMS, "mixture"), (*excerpt, excerpt.sum(axis=0)), strict=True):
            soundfile.write(song / f"{name}.wav", sound.T, SAMPLE_RATE, subtype="FLOAT")


def cost(*words: str | Path) -> Cost:
    """Run `demix` and watch it.

    Raises:
        RuntimeError: it failed.
    """
    command = [sys.executable, "-m", "my_submission", *map(str, words)]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        watch = _Watch(process.pid)
        watch.start()
        _, complaints = process.communicate()
        seconds = time.perf_counter() - began
        watch.join()
    if process.returncode:
        raise RuntimeError(complaints.decode(errors="replace"))
    return Cost(seconds, sum(watch.cpu_seconds.values()), watch.peak / 1e6)


class _Watch(threading.Thread):
    """Adds up the memory and the processor time of a process and its children."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self.cpu_seconds: dict[int, float] = {}
        self._root = psutil.Process(pid)

    def run(self) -> None:
        # A process may end, and be waited for by whoever started it, between any two lines here.
        with suppress(psutil.NoSuchProcess):
            while self._root.status() != psutil.STATUS_ZOMBIE:
                self._look([self._root, *self._root.children(recursive=True)])
                time.sleep(0.05)

    def _look(self, processes: list[psutil.Process]) -> None:
        memory = 0
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                # What is shared (the code of libraries) counts for each: an upper bound.
                memory += process.memory_info().rss
                self.cpu_seconds[process.pid] = times.user + times.system
        self.peak = max(self.peak, memory)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring")
    parser.add_argument("--songs", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_songs(folder / "all", arguments.songs, arguments.seconds)
        write_songs(folder / "few", FEW_SONGS, arguments.seconds)
        for count in MUSEVAL_SONGS:
            write_songs(folder / f"museval {count}", count, arguments.seconds)

        def evaluate(data: str, *options: str) -> Cost:
            out = folder / f"out {data}"
            return cost("evaluate", folder / data, "-d", "cpu", "-o", out, *options)

        cost("separate", folder / "few", "-o", folder / "first")  # what is compiled once
        mixtures = [folder / "all" / f"song {index:02}" for index in range(arguments.songs)]
        alone = cost("separate", *mixtures, "--float32", "-d", "cpu", "-o", folder / "alone")
        print(
            f"separation alone: {alone.seconds:.1f} s, {alone.cpu_seconds:.1f} s of processors",
            flush=True,
        )
        scored = evaluate("all", "--metrics", "global")
        share = scored.seconds / alone.seconds
        verdict = "met" if share <= SLOWEST else "missed"
        print(
            f"with global scores: {scored.seconds:.1f} s, {scored.cpu_seconds:.1f} s of processors,"
            f" {share:.2f} times the time (at most {SLOWEST}: {verdict})",
            flush=True,
        )
        few = evaluate("few", "--metrics", "global")
        print(
            f"peak memory: {few.peak_mb:.0f} MB for {FEW_SONGS} songs,"
            f" {scored.peak_mb:.0f} MB for {arguments.songs}",
            flush=True,
        )
        for count in MUSEVAL_SONGS:
            data = f"museval {count}"
            evaluate(data, "--metrics", "global")
            museval = evaluate(data, "--skip-existing")
            print(
                f"museval of {count} songs: {museval.seconds:.1f} s,"
                f" {museval.cpu_seconds / museval.seconds:.2f} cores busy of"
                f" {available_cores()}, {museval.peak_mb:.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
