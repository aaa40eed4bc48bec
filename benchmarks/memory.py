"""Peak memory of ten minutes against an hour of music, with every pass computed.

Run as ``python -m benchmarks.memory SYSTEM MODELS``, with a folder of weights such as
``tests/golden/models``. It takes as long as the separation of 70 minutes of music; the tests have a
short form of it.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.one_run import measure
from benchmarks.songs import write_noise


def main() -> None:
    """Measure and print."""
    system, models = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.wav"
        for minutes in (10, 60):
            write_noise(song, 60 * minutes)
            figures = measure(system, Path(models), song)
            print(
                f"{system}, {minutes} min: {figures['peak_mb']:.0f} MB, "
                f"{figures['separation_s']:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
