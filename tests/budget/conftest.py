"""Fixtures: small systems and songs for tests that run workers, a clock for those that do not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from my_submission.budget.coverage import Loudness
from my_submission.budget.finishing import Finishing, Writing, safety
from my_submission.budget.messages import Task
from my_submission.budget.pace import Pace
from my_submission.budget.shared import SharedSound
from my_submission.budget.song_run import SongRun
from my_submission.budget.timed_separator import TimedSeparator
from my_submission.networks.demucs_v2 import DemucsV2
from my_submission.stems import SAMPLE_RATE, STEMS
from tests.budget.fakes import SECONDS, Clock, MakeRun, loudness_of
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


@pytest.fixture(scope="package")
def starter(models: Path) -> Iterator[TimedSeparator]:
    """Give the system of `models`, set up; tests leave it fit for work."""
    with TimedSeparator(Task("starter", models, "cpu"), say=lambda line: None) as separator:
        separator.set_up()
        yield separator


@pytest.fixture(scope="package")
def half_minute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a song that takes the starter seconds, loudest at its end."""
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (30 * SAMPLE_RATE, 2)).astype(np.float32)
    noise[25 * SAMPLE_RATE :] *= 4
    path = tmp_path_factory.mktemp("songs") / "half_minute.wav"
    soundfile.write(path, noise, SAMPLE_RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="package")
def loudness() -> dict[int, Loudness]:
    """Give the loudness of songs, by their seconds, that swell and are loudest near the end."""
    swell = {n: np.abs(np.sin(np.arange(n) / 9)) + np.arange(n) / n for n in (1, 47, SECONDS, 430)}
    return {seconds: loudness_of(levels.tolist()) for seconds, levels in swell.items()}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_run(clock: Clock, loudness: dict[int, Loudness]) -> Iterator[MakeRun]:
    """Give what makes a run that has to end `until` then, of a song of so many seconds."""
    runs: list[SongRun] = []
    with SharedSound.create(2) as song:

        def make(
            until: float,
            seconds: int = SECONDS,
            *,
            writing: float = 0.0,
            splitting: float = 0.0,
            own: float = 1.0,
            probe: Callable[[], float] = lambda: 1.0,
            progress: Callable[[int, int], None] | None = None,
        ) -> SongRun:
            run = SongRun(
                song,
                seconds * SAMPLE_RATE,
                loudness[seconds],
                deadline=until,
                finishing=Finishing(
                    Writing(writing / safety(1.0)), Writing(writing / safety(1.0)), splitting
                ),
                clock=clock,
                progress=progress,
                pace=Pace(clock, probe, own=own),
            )
            runs.append(run)
            return run

        yield make
    for run in runs:
        run.close()


def _silent(_line: str) -> None:
    """Say nothing."""
