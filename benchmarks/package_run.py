"""Separate one song by the demucs package's own program and measure it, beside ours.

Run as ``python -m benchmarks.package_run REPO SONG [--device]``, REPO being a folder that
`write_repo` made. It does what ``demucs --repo REPO -n htdemucs SONG`` does, with everything at its
default; the last line that it prints is JSON, as of `benchmarks.one_run`.
"""

import argparse
import importlib
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.one_run import Run, peak_memory_mb, run_module, watched_gpu

NAME = "htdemucs"


def write_repo(package: Path, repo: Path) -> None:
    """Make a folder in which the demucs program finds a network by the name `NAME`.

    Args:
        package: The network, as ``SIGNATURE-CHECKSUM.th``. The checksum is the published weights':
            without one in the name, the program checks none.
        repo: The folder.
    """
    repo.mkdir()
    signature = package.name.partition("-")[0]
    (repo / f"{signature}.th").symlink_to(package.resolve())
    (repo / f"{NAME}.yaml").write_text(f"models: ['{signature}']\n")


def measure_package(repo: Path, song: Path, device: str = "cpu") -> Run:
    """Separate `song` in a process of its own.

    Raises:
        RunError: It failed.
    """
    return run_module("benchmarks.package_run", str(repo), str(song), "--device", device)


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.package_run")
    parser.add_argument("repo", type=Path)
    parser.add_argument("song", type=Path)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()

    started = time.perf_counter()
    program: Any = importlib.import_module("demucs.separate")  # as untyped as it is

    ready = [started]

    class TimedSeparator(program.Separator):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            ready.append(time.perf_counter())

    program.Separator = TimedSeparator
    with tempfile.TemporaryDirectory() as out, watched_gpu(given.device) as gpu_mb:
        options = ["--repo", str(given.repo), "-n", NAME, "-d", given.device, "-o", out]
        program.main([*options, str(given.song)])
        done = time.perf_counter()
    run = Run(
        setup_s=ready[-1] - started,
        separation_s=done - ready[-1],
        peak_mb=peak_memory_mb(),
        gpu_mb=gpu_mb[-1],
        runners="the demucs package",
    )
    print(json.dumps(asdict(run)))


if __name__ == "__main__":
    main()
