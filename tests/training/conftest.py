"""Songs of noise and tones, small enough to train on in a moment."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from my_submission.stems import SAMPLE_RATE, STEMS


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: for arrays this small, more of them only wait for each other.

    And sums differ in their last digits with the number of threads.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def songs(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Give a folder of five songs of 2 s: each stem a tone in noise."""
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    for name in "abcde":
        folder = tmp_path / "songs" / name
        folder.mkdir(parents=True)
        for stem, pitch in zip(STEMS, (80, 3000, 700, 300), strict=True):
            tone = 0.1 * np.sin(2 * np.pi * pitch * rng.uniform(0.8, 1.2) * time)
            sound = tone[:, None] + rng.normal(0, 0.01, (len(time), 2))
            soundfile.write(folder / f"{stem}.flac", sound, SAMPLE_RATE, subtype="PCM_16")
    return tmp_path / "songs"
