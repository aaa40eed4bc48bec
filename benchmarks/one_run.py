"""Separate one song in a process of its own and measure it.

Run as ``python -m benchmarks.one_run SYSTEM MODELS SONG``; prints JSON with the seconds of set-up
and separation, and the peak memory of the whole process in MB.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def measure(system: str, models: Path, song: Path) -> dict[str, float]:
    """Separate `song` in a process of its own; the figures are those that this module prints."""
    command = [sys.executable, "-m", "benchmarks.one_run", system, str(models), str(song)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def peak_memory_mb() -> float:
    """Give the peak memory of this process so far.

    `getrusage` would give the peak of the process that started this one where that was larger.
    """
    status = Path("/proc/self/status").read_text()
    (peak_kib,) = re.findall(r"VmHWM:\s*(\d+) kB", status)
    return int(peak_kib) * 1024 / 1e6


def main() -> None:
    """Measure what the command line names."""
    system, models, song = sys.argv[1:]
    started = time.perf_counter()
    from my_submission import STEMS, Separator  # importing torch belongs to the set-up

    separator = Separator(system, models=models, device="cpu")
    ready = time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        separator.separate_to_files(song, {stem: Path(out) / f"{stem}.wav" for stem in STEMS})
    done = time.perf_counter()
    figures = {
        "setup_s": ready - started,
        "separation_s": done - ready,
        "peak_mb": peak_memory_mb(),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
