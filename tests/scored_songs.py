"""Songs with estimates whose scores are known, for the tests of the metrics."""

from pathlib import Path

import numpy as np

from evaluator.sound import STEMS, Block
from tests.song_folders import write_wav


def pseudo_noise(num_samples: int, seed: int) -> Block:
    """Give noise in [-1, 1), the same on any machine: a linear congruential generator's."""
    state, values = seed, []
    for _ in range(num_samples):
        state = (1_664_525 * state + 1_013_904_223) % 2**32
        values.append(state / 2**31 - 1)
    return np.array(values)


def known_song(num_samples: int, num_channels: int = 1) -> tuple[Block, Block, Block]:
    """Give a song: mixture ``[n, channels]``, references and estimates ``[4, n, channels]``.

    Every estimate has of everything: its reference, filtered; other stems; and noise of its own.
    Channels have little in common.
    """
    of_channels = [_known_channel(num_samples, 100 * channel) for channel in range(num_channels)]
    references, estimates = (np.stack(sounds, axis=2) for sounds in zip(*of_channels, strict=True))
    return references.sum(axis=0), references, estimates


def _known_channel(num_samples: int, first_seed: int) -> tuple[Block, Block]:
    time = np.arange(num_samples)
    references = np.stack(
        [
            0.1 * pseudo_noise(num_samples, first_seed + seed)
            + 0.3 * np.sin(0.01 * (seed + 1) * time + first_seed)
            for seed in range(4)
        ]
    )
    estimates = np.stack(
        [
            0.8 * references[index]
            + 0.1 * np.roll(references[index], 3)
            + 0.1 * references[(index + 1) % 4]
            + 0.02 * pseudo_noise(num_samples, first_seed + 10 + index)
            for index in range(4)
        ]
    )
    return references, estimates


def write_known_song(
    folder: Path, num_samples: int, rate: int, num_channels: int = 1
) -> dict[str, dict[str, Path]]:
    """Write a known song: ``data/mixture.wav``, ``data/STEM.wav`` and ``run/STEM.wav``."""
    mixture, references, estimates = known_song(num_samples, num_channels)
    write_wav(folder / "data" / "mixture.wav", mixture, rate)
    files: dict[str, dict[str, Path]] = {}
    for kind, sounds in (("data", references), ("run", estimates)):
        files[kind] = {stem: folder / kind / f"{stem}.wav" for stem in STEMS}
        for path, sound in zip(files[kind].values(), sounds, strict=True):
            write_wav(path, sound, rate)
    return files
