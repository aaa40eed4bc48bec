"""Separate one song in a process of its own and measure it.

Run as ``python -m benchmarks.one_run SYSTEM MODELS SONG``; prints JSON with the seconds of set-up
and separation, and the peak memory of the whole process in MB.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path


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
