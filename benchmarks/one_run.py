"""Separate one song in a process of its own and measure it.

Run as ``python -m benchmarks.one_run SYSTEM MODELS SONG``; prints JSON with the seconds of set-up
and separation, and the peak memory of the whole process in MB.
"""

import json
import resource
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
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {
        "setup_s": ready - started,
        "separation_s": done - ready,
        "peak_mb": peak_kib * 1024 / 1e6,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
