"""Separate one song in a process of its own and measure it.

Run as ``python -m benchmarks.one_run SYSTEM MODELS SONG [--precision] [--device] [--out]``; the
last line that it prints is JSON with the seconds of set-up and separation, the peak memory of the
whole process in MB, and what ran the networks.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from my_submission import Separator

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Run:
    """What was measured.

    Attributes:
        setup_s: Seconds until a song could come, from before torch was imported.
        separation_s: Seconds from file to files.
        peak_mb: The most main memory that the process held, in millions of bytes.
        gpu_mb: Likewise the GPU's memory; 0 without one.
        dtype: What the heavy arithmetic was done in, such as ``bfloat16``.
        runners: What ran which file.
    """

    setup_s: float
    separation_s: float
    peak_mb: float
    gpu_mb: float = 0.0
    dtype: str = "float32"
    runners: str = ""


class RunError(RuntimeError):
    """A process that was to be measured failed; the message is the end of what it said."""


def measure(
    system: str,
    models: Path,
    song: Path,
    *,
    precision: str = "exact",
    device: str = "cpu",
    out: Path | None = None,
) -> Run:
    """Separate `song` in a process of its own.

    Args:
        system: Its name.
        models: Folder with a folder of weights per system.
        song: The file.
        precision: ``exact``, ``fast``, or ``bfloat16`` where that is not what ``fast`` chooses;
            ``:BACKEND`` after it forces one.
        device: ``cpu`` or ``cuda:N``.
        out: Folder to keep the stems in, float32 WAV files.

    Raises:
        RunError: It failed.
    """
    words = [system, str(models), str(song), "--precision", precision, "--device", device]
    return run_module("benchmarks.one_run", *words, *(["--out", str(out)] if out else []))


def run_module(module: str, *words: str) -> Run:
    """Run a module of ours that prints a `Run`.

    Raises:
        RunError: It failed.
    """
    return run_program([sys.executable, "-m", module, *words])


def run_program(command: Sequence[str]) -> Run:
    """Run a program whose last line is a `Run` in JSON.

    Raises:
        RunError: It failed.
    """
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise RunError(said[-1])
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def peak_memory_mb() -> float:
    """Give the peak memory of this process so far.

    `getrusage` would give the peak of the process that started this one where that was larger.
    """
    status = Path("/proc/self/status").read_text()
    (peak_kib,) = re.findall(r"VmHWM:\s*(\d+) kB", status)
    return int(peak_kib) * 1024 / 1e6


@contextmanager
def watched_gpu(device: str) -> Iterator[list[float]]:
    """Give a list whose last item will be the most of a GPU's memory in use, in MB.

    All programs on it count: torch, onnxruntime and CUDA itself each know their own part only.
    """
    most = [0.0]
    if device == "cpu":
        yield most
        return
    import torch

    done = threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            free, total = torch.cuda.mem_get_info(device)
            most[0] = max(most[0], (total - free) / 1e6)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        done.set()
        watcher.join()


def open_separator(system: str, models: Path, precision: str, device: str) -> "Separator":
    """Load a system as `measure` describes it."""
    import torch

    from my_submission import Separator
    from my_submission.compute import Compute

    word, _, backend = precision.partition(":")
    choices: dict[str, Any] = {"backend": backend} if backend else {}
    if word != "bfloat16":
        choices |= {"precision": word, "device": device}
        return Separator(system, models=models, **choices)
    # Users get low precision only where it is fast; how near it comes is of interest anywhere.
    forced = Compute(device, "fast", torch.bfloat16, **choices)
    with patch("my_submission.separator.resolve_compute", return_value=forced):
        return Separator(system, models=models)


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.one_run")
    parser.add_argument("system")
    parser.add_argument("models", type=Path)
    parser.add_argument("song", type=Path)
    parser.add_argument("--precision", default="exact")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()

    started = time.perf_counter()
    from my_submission import STEMS  # importing torch belongs to the set-up

    with tempfile.TemporaryDirectory() as scratch, watched_gpu(given.device) as gpu_mb:
        separator = open_separator(given.system, given.models, given.precision, given.device)
        ready = time.perf_counter()
        out = given.out or Path(scratch)
        separator.separate_to_files(given.song, {stem: out / f"{stem}.wav" for stem in STEMS})
        done = time.perf_counter()
    compute = separator.compute
    run = Run(
        setup_s=ready - started,
        separation_s=done - ready,
        peak_mb=peak_memory_mb(),
        gpu_mb=gpu_mb[-1],
        dtype=str(compute.dtype).removeprefix("torch."),
        runners=compute.summary(),
    )
    print(json.dumps(asdict(run)))


if __name__ == "__main__":
    main()
