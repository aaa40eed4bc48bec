"""Songs to measure on: their sound does not matter, their length does."""

from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 44_100


def write_noise(path: Path, seconds: int) -> None:
    """Write stereo noise at -20 dB, a second at a time."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 2, "PCM_16") as file:
        for _ in range(seconds):
            file.write(rng.normal(0, 0.1, (SAMPLE_RATE, 2)).clip(-1, 1))
