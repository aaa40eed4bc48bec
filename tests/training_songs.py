"""Songs of noise for tests of training: short, and different in every sample."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from my_submission.stems import SAMPLE_RATE, STEMS, Audio


def write_training_song(
    folder: Path,
    seed: int,
    num_samples: int = 4000,
    *,
    suffix: str = ".flac",
    subtype: str = "PCM_16",
    stems: Sequence[str] = STEMS,
) -> Audio:
    """Write stems of noise; give what the files hold, `[stems, 2, samples]`."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    sounds = []
    for stem in stems:
        path = folder / f"{stem}{suffix}"
        soundfile.write(path, rng.uniform(-0.5, 0.5, (num_samples, 2)), SAMPLE_RATE, subtype)
        sounds.append(soundfile.read(path, dtype="float32")[0].T)
    return np.stack(sounds)
