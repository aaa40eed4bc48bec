"""Songs to measure on: their sound does not matter, their length does."""

from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 44_100


def write_noise(path: Path, seconds: int, sample_rate: int = SAMPLE_RATE) -> None:
    """Write stereo noise at -20 dB, a second at a time."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", sample_rate, 2, "PCM_16") as file:
        for _ in range(seconds):
            file.write(rng.normal(0, 0.1, (sample_rate, 2)).clip(-1, 1))
