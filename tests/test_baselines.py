"""Floor and ceiling of a song by the challenge's SDR."""

from pathlib import Path

import numpy as np
import pytest

from evaluator.baselines import score_baselines
from evaluator.ideal_masks import IdealRatioMask
from evaluator.report import CEILING_NAME, FLOOR_NAME, baselines_of
from evaluator.scoring import sdr
from evaluator.sound import STEMS
from tests.song_folders import write_song, write_wav


def test_floor_and_ceiling(tmp_path: Path, rng: np.random.Generator) -> None:
    sounds = write_song(tmp_path / "song", rng)
    found = score_baselines(tmp_path / "song")
    assert found is not None
    mask = IdealRatioMask(4, 2)
    references = np.stack([sounds[stem] for stem in STEMS])
    pieces = (mask.push(references, sounds["mixture"])[1], mask.finish()[1])
    ideal = dict(zip(STEMS, np.concatenate(pieces, axis=1), strict=True))
    for stem in STEMS:
        for score, estimate in (
            (found.floor, sounds["mixture"] / 4),
            (found.ceiling, ideal[stem]),
        ):
            assert score.stems[stem] == pytest.approx(sdr(sounds[stem], estimate), rel=1e-9)
        assert found.ceiling.stems[stem] > found.floor.stems[stem]
    (tmp_path / "song" / "mixture.wav").unlink()
    assert score_baselines(tmp_path / "song") is None
    assert baselines_of(tmp_path, ["song"]) is None


def test_floor_and_ceiling_of_what_is_mono_in_part(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    sounds = write_song(tmp_path / "song", rng)
    write_wav(tmp_path / "song" / "bass.wav", sounds["bass"][:, :1])
    found = score_baselines(tmp_path / "song")
    assert found is not None
    both = np.repeat(sounds["bass"][:, :1], 2, axis=1)
    assert found.floor.stems["bass"] == pytest.approx(sdr(both, sounds["mixture"] / 4), rel=1e-9)


def test_floor_and_ceiling_that_cannot_be_had_are_told(
    tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    write_song(tmp_path / "song", rng)
    write_wav(tmp_path / "song" / "mixture.wav", np.zeros((999, 2)))
    assert baselines_of(tmp_path, ["song"]) is None
    told = capsys.readouterr().out
    assert told.startswith(f"without the rows of {FLOOR_NAME} and {CEILING_NAME}: ")
    assert "mixture.wav has 999" in told
