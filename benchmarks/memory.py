"""Peak memory of short against long songs.

Run as ``python -m benchmarks.memory SYSTEM MODELS [--minutes 10 60] [--every-pass]
[--precision fast]`` with a folder of weights such as ``tests/golden/models``. Each network computes
its first passes only, unless ``--every-pass`` says otherwise, which takes as long as the separation
of all that music.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.one_run import ROOT, measure
from benchmarks.songs import SAMPLE_RATE, write_noise


def peak_of_few_passes(
    system: str, models: Path, song: Path, out: Path, precision: str = "exact"
) -> float:
    """Separate `song` into `out` by the networks' first passes; the whole process's peak in MB."""
    words = ["-m", "benchmarks.few_passes", system, str(models), str(song), str(out)]
    words.append(precision)
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory")
    parser.add_argument("system")
    parser.add_argument("models", type=Path)
    parser.add_argument("--minutes", type=int, nargs="+", default=[10, 60])
    parser.add_argument("--every-pass", action="store_true")
    parser.add_argument("--precision", default="exact")
    arguments = parser.parse_args()

    for minutes in arguments.minutes:
        with tempfile.TemporaryDirectory() as folder:
            song = Path(folder) / "song.wav"
            # Half the rate, so that decoder, resampler and their scratch file take part.
            write_noise(song, 60 * minutes, SAMPLE_RATE // 2)
            if arguments.every_pass:
                peak = measure(
                    arguments.system, arguments.models, song, precision=arguments.precision
                ).peak_mb
            else:
                out = Path(folder) / "out"
                peak = peak_of_few_passes(
                    arguments.system, arguments.models, song, out, arguments.precision
                )
        print(f"{arguments.system}, {minutes} min: {peak:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
