"""Fixtures of the tests that run workers: small systems, songs, and what they become."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from my_submission.budget.messages import Task
from my_submission.budget.timed_separator import TimedSeparator
from my_submission.networks.demucs_v2 import DemucsV2
from my_submission.stems import SAMPLE_RATE, STEMS
from tests.conftest import GAINS, write_mixer, write_scaling_network


@pytest.fixture(scope="session")
def both_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a models folder whose leaderboard_a takes moments: it scales, and has a tiny Demucs."""
    folder = tmp_path_factory.mktemp("both") / "leaderboard_a"
    folder.mkdir()
    for stem in STEMS:
        write_scaling_network(folder / f"{stem}.onnx", GAINS[stem], num_frames=512)
    write_mixer(folder / "mixer.ckpt")
    torch.manual_seed(0)
    torch.save(DemucsV2(channels=1).state_dict(), folder / "demucs-e07c671f.th")
    return folder.parent


@pytest.fixture(scope="session")
def long_song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a song of two chunks, loudest at its end."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.2, 0.2, (13 * SAMPLE_RATE, 2)).astype(np.float32)
    noise[9 * SAMPLE_RATE :] *= 2
    path = tmp_path_factory.mktemp("songs") / "long song.wav"
    soundfile.write(path, noise, SAMPLE_RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="package")
def both(both_models: Path) -> Iterator[TimedSeparator]:
    """Give `both_models`' system, set up; tests leave it fit for work."""
    with TimedSeparator(Task("leaderboard_a", both_models, "cpu"), say=_silent) as separator:
        separator.set_up()
        yield separator


def _silent(_line: str) -> None:
    """Say nothing."""
