"""What is written where there is no time for four different stems."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from my_submission.audio.output import FLOAT_WAV
from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.budget.coverage import Coverage, Stretch
from my_submission.budget.finishing import Finishing, Writing
from my_submission.budget.pace import Pace
from my_submission.budget.record import degraded_stretches
from my_submission.budget.shared import SharedSound
from my_submission.budget.song_copy import SongCopy
from my_submission.budget.song_run import SongRun
from my_submission.budget.writing import write_stems
from my_submission.stems import SAMPLE_RATE, STEMS, Audio
from tests.budget.fakes import Clock
from tests.budget.workers import stems_in

SONG = 30 * SAMPLE_RATE
WRITING, COPYING, ENDING = 8.0, 4.8, 0.2
"""Seconds of the clock."""


@pytest.fixture
def mixture(rng: np.random.Generator) -> Audio:
    return rng.uniform(-0.5, 0.5, (2, SONG)).astype(np.float32)


@pytest.fixture
def copy(mixture: Audio) -> Iterator[SongCopy]:
    with SongCopy() as copy:
        copy.append(mixture)
        yield copy


def estimated(copy: SongCopy, deadline: float, clock: Callable[[], float]) -> SongRun:
    """Give a run that has an estimate of the whole song: silence."""
    run = SongRun(
        copy.sound,
        SONG,
        copy.loudness,
        deadline=deadline,
        finishing=Finishing(Writing(WRITING), Writing(COPYING, ending=ENDING)),
        clock=clock,
        pace=Pace(clock),
    )
    silence = SharedSound.create(8)
    silence.write(0, np.zeros((8, SONG), np.float32))
    run.estimates.tfc_tdf = Coverage(SONG)
    run.estimates.tfc_tdf.add(Stretch(silence, 0, SONG))
    return run


def write(run: SongRun, copy: SongCopy, folder: Path) -> float | None:
    paths = {**stems_in(folder), "no_bass": folder / "no_bass.wav"}
    sound_seconds = write_stems(
        run, copy, paths, FLOAT_WAV, sample_rate=SAMPLE_RATE, out_samples=SONG, say=pytest.fail
    )
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.wav" for name in paths)
    return sound_seconds


def sound_of(path: Path) -> Audio:
    samples: Audio = soundfile.read(path, dtype="float32")[0].T
    return samples


def require_quarters(folder: Path, mixture: Audio) -> None:
    for stem in STEMS:
        np.testing.assert_allclose(sound_of(folder / f"{stem}.wav"), mixture / 4, atol=1e-7)
    np.testing.assert_allclose(sound_of(folder / "no_bass.wav"), 0.75 * mixture, atol=1e-6)


def test_in_time_what_was_estimated_is_written(copy: SongCopy, tmp_path: Path) -> None:
    run = estimated(copy, WRITING, Clock())
    assert write(run, copy, tmp_path) is None
    assert not sound_of(tmp_path / "bass.wav").any()
    assert degraded_stretches(run) == []
    run.close()


def test_too_late_the_mixture_is_shared_out(copy: SongCopy, mixture: Audio, tmp_path: Path) -> None:
    run = estimated(copy, WRITING - 0.1, Clock())
    write(run, copy, tmp_path)
    require_quarters(tmp_path, mixture)
    assert {part.step for part in degraded_stretches(run)} == {"split"}
    run.close()


def test_where_writing_turns_out_too_slow_the_mixture_is_shared_out(
    copy: SongCopy, mixture: Audio, tmp_path: Path
) -> None:
    now = 0.0

    def clock() -> float:  # asked three times per block: six times as slow as it should be
        nonlocal now
        if run is None or run.estimates.is_whole:
            now += 2 * WRITING / (SONG // BLOCK_FRAMES + 1)
        return now

    run: SongRun | None = None
    run = estimated(copy, 4.9 * WRITING, clock)
    write(run, copy, tmp_path)
    require_quarters(tmp_path, mixture)
    run.close()


def test_where_the_time_ends_silence_follows(
    copy: SongCopy, mixture: Audio, tmp_path: Path
) -> None:
    now = 0.0

    def clock() -> float:  # asked three times per block where the mixture is shared out
        nonlocal now
        now += WRITING / (SONG // BLOCK_FRAMES + 1)
        return now

    deadline = WRITING
    run = estimated(copy, deadline, clock)
    sound_seconds = write(run, copy, tmp_path)
    assert now <= deadline
    assert sound_seconds is not None
    end = round(sound_seconds * SAMPLE_RATE)
    assert 0 < end < SONG
    for stem in STEMS:
        sound = sound_of(tmp_path / f"{stem}.wav")
        assert sound.shape == mixture.shape
        np.testing.assert_allclose(sound[:, :end], mixture[:, :end] / 4, atol=1e-7)
        assert not sound[:, end:].any()
    run.close()
