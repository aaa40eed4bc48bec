"""How far the sum of a system's stems is from the mixture.

Run as ``python -m benchmarks.stem_sum SYSTEM MODELS SONG...``. Prints the energy of the mixture
over that of the difference in dB, over all songs: the higher, the closer; 0 is no better than
silence. ``--two-stems`` needs no such sum, it gives the mixture less the stem.
"""

import sys
from pathlib import Path

import numpy as np

from my_submission import Separator
from my_submission.audio import open_song


def main() -> None:
    """Measure and print."""
    system, models, *songs = sys.argv[1:]
    separator = Separator(system, models=models, device="cpu", precision="exact")
    mixture_energy = difference_energy = 0.0
    for path in songs:
        with open_song(Path(path), say=print) as song:
            mixture = song.signal.read(0, song.signal.num_samples).astype(np.float64)
        total = sum(separator.separate_file(path).values())
        mixture_energy += float(np.square(mixture).sum())
        difference_energy += float(np.square(mixture - total).sum())
    print(f"{system}: {10 * np.log10(mixture_energy / difference_energy):.1f} dB")


if __name__ == "__main__":
    main()
