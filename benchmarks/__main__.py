"""`make bench`: seconds and memory of every system, written to docs/benchmarks.md.

The published weights are the user's to fetch, so Leaderboard A, B and C are measured on full-size
networks with random weights: speed and memory do not depend on the values. The starter is measured
as it is.
"""

import argparse
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from benchmarks.one_run import measure
from benchmarks.random_models import CONFIGS, write_random_models
from benchmarks.songs import write_noise
from benchmarks.work import peak_flops, song_flops
from my_submission.cli.info import processor

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "docs" / "benchmarks.md"
RANDOM = ("leaderboard_a", "leaderboard_b", "leaderboard_c")


def main() -> None:
    """Measure every system on every length and write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=int, nargs="+", default=[60])
    parser.add_argument("--systems", nargs="+", default=["starter", *RANDOM])
    arguments = parser.parse_args()

    peak = peak_flops()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        models, song = Path(folder) / "models", Path(folder) / "song.wav"
        for system in arguments.systems:
            if system in RANDOM:
                write_random_models(system, models / system)
            for seconds in arguments.seconds:
                write_noise(song, seconds)
                figures = measure(system, models if system in RANDOM else ROOT / "models", song)
                rows.append(row(system, seconds, figures, peak))
                print(rows[-1], flush=True)
    REPORT.write_text(report(rows, peak))
    print(f"written to {REPORT.relative_to(ROOT)}")


def row(system: str, seconds: int, figures: dict[str, float], peak: float) -> str:
    """Lay out one measurement as a row of the table."""
    share = "–"
    if system in CONFIGS:
        share = f"{100 * song_flops(system, seconds) / figures['separation_s'] / peak:.0f} %"
    weights = "random, full size" if system in RANDOM else "its own"
    return (
        f"| `{system}` | {weights} | {seconds} | {figures['setup_s']:.1f} "
        f"| {figures['separation_s']:.1f} | {figures['separation_s'] / seconds:.2f} "
        f"| {figures['peak_mb']:.0f} | {share} |"
    )


def report(rows: list[str], peak: float) -> str:
    """Write the page: the machine, the table and how it was made."""
    command = " ".join(["python -m benchmarks", *sys.argv[1:]])
    machine = f"{processor()}, {os.cpu_count()} cores, {platform.system()}"
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "onnxruntime", "numpy"))
    table = "\n".join(
        [
            "| system | weights | song s | set-up s | separation s | s per s of song | peak MB "
            "| share of peak |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )
    return f"""# Benchmarks

Written by `{command}` on: {machine}; {packages}; no GPU; float32.

{table}

One run each, in a process of its own. Set-up includes importing the packages. Peak memory is of the
whole process. Random weights cost what the published ones cost; the sound they give is noise. The
share of the peak is the arithmetic of all passes per second of separation, over what a large
product of float32 matrices reached at the start of the same run: {peak / 1e12:.2f} TFLOP/s.
"""


if __name__ == "__main__":
    main()
