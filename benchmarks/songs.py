"""Songs to measure on."""

from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from my_submission.stems import STEMS, Audio

SAMPLE_RATE = 44_100
DEMO_SONGS = Path(__file__).parents[1] / "data" / "songs"
"""Generated songs with known stems, in the repository."""


def write_noise(path: Path, seconds: int, sample_rate: int = SAMPLE_RATE) -> None:
    """Write stereo noise at -20 dB, a second at a time."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", sample_rate, 2, "PCM_16") as file:
        for _ in range(seconds):
            file.write(rng.normal(0, 0.1, (sample_rate, 2)).clip(-1, 1))


def write_music(path: Path, seconds: int) -> None:
    """Write the demo songs one after the other, over and over, a second at a time."""
    sound = np.concatenate(mixtures(), axis=1)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 2, "PCM_16") as file:
        for second in range(seconds):
            start = second * SAMPLE_RATE % sound.shape[1]
            file.write(np.take(sound, range(start, start + SAMPLE_RATE), axis=1, mode="wrap").T)


def music(num_samples: int) -> Audio:
    """Give an excerpt of each demo song, one after the other, ``[2, num_samples]`` in all."""
    songs = mixtures()
    lengths = np.diff(np.linspace(0, num_samples, len(songs) + 1).astype(int))
    start = 3 * SAMPLE_RATE
    excerpts = [song[:, start : start + n] for song, n in zip(songs, lengths, strict=True)]
    joined: Audio = np.concatenate(excerpts, axis=1)
    return joined


@cache
def mixtures() -> list[Audio]:
    """Read the demo songs, ``[2, samples]`` each."""
    mixed: list[Audio] = [stems.sum(axis=0) for stems in demo_stems().values()]
    return mixed


@cache
def demo_stems() -> dict[str, Audio]:
    """Read the stems of the demo songs, ``[4, 2, samples]`` each, by the song's name."""
    songs = [folder for folder in sorted(DEMO_SONGS.iterdir()) if folder.is_dir()]
    return {
        song.name: np.stack(
            [soundfile.read(song / f"{stem}.flac", dtype="float32")[0].T for stem in STEMS]
        )
        for song in songs
    }
