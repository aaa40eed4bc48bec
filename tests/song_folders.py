"""Folders of songs in the challenge's layout, for the tests of the evaluator."""

from pathlib import Path

import numpy as np
import soundfile

from evaluator.sound import STEMS, Block

RATE = 44_100


def write_song(folder: Path, rng: np.random.Generator, num_frames: int = 1000) -> dict[str, Block]:
    """Write four stems of noise and their sum as ``NAME.wav``; give them as ``[frames, 2]``."""
    folder.mkdir(parents=True)
    sounds = {stem: rng.uniform(-0.2, 0.2, (num_frames, 2)) for stem in STEMS}
    sounds = {stem: sound.astype(np.float32).astype(np.float64) for stem, sound in sounds.items()}
    sounds["mixture"] = np.sum(list(sounds.values()), axis=0)
    for name, sound in sounds.items():
        write_wav(folder / f"{name}.wav", sound)
    return sounds


def write_wav(path: Path, sound: Block, rate: int = RATE) -> None:
    """Write ``[frames, channels]`` as 64-bit floats, which keep every sample as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:  # libsndfile opens no names that are not Unicode
        soundfile.write(file, sound, rate, subtype="DOUBLE", format="WAV")
