"""Which stems count."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evaluator.errors import EvaluatorError
from evaluator.music_demixing import MusicDemixingPredictor
from evaluator.sound import STEMS
from tests.music_demixing.predictors import QuarterPredictor
from tests.song_folders import write_wav


def remove(path: Path) -> None:
    path.unlink()


def shorten(path: Path) -> None:
    write_wav(path, np.zeros((999, 2)))


def make_mono(path: Path) -> None:
    write_wav(path, np.zeros((1000, 1)))


def change_rate(path: Path) -> None:
    write_wav(path, np.zeros((1000, 2)), 48_000)


def spoil_last_sample(path: Path) -> None:
    sound = np.zeros((1000, 2))
    sound[-1, 1] = np.nan
    write_wav(path, sound)


def write_text(path: Path) -> None:
    path.write_text("la la la")


@pytest.mark.usefixtures("songs")
@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (remove, "is missing"),
        (shorten, "has 999 samples, 1000 are needed"),
        (make_mono, "has 1 channels, 2 are needed"),
        (change_rate, "has 48000 Hz, 44100 are needed"),
        (spoil_last_sample, "holds NaN"),
        (write_text, "cannot be read as sound"),
    ],
)
def test_stems_are_verified(
    results: Path, spoil: Callable[[Path], None], complaint: str, stem: str
) -> None:
    class Faulty(QuarterPredictor):
        def prediction(self, *paths: str, **named: str) -> None:
            super().prediction(*paths, **named)
            spoil(results / "a" / f"{stem}.wav")

    with pytest.raises(EvaluatorError, match=f"a/{stem}.wav {complaint}"):
        Faulty().run()


@pytest.mark.usefixtures("songs")
def test_an_earlier_runs_stem_does_not_count() -> None:
    QuarterPredictor().run()

    class Lazy(QuarterPredictor):
        def prediction(self, *_paths: str, **_named: str) -> None:
            pass

    with pytest.raises(EvaluatorError, match=r"bass\.wav is missing"):
        Lazy().run()


@pytest.mark.usefixtures("songs")
def test_verify_results_may_be_stricter() -> None:
    class Strict(QuarterPredictor):
        def verify_results(self, music_name: str) -> bool:
            return super().verify_results(music_name) and music_name != "a"

    with pytest.raises(EvaluatorError, match="song a: verify_results refused"):
        Strict().run()


@pytest.mark.usefixtures("songs")
def test_a_predictor_needs_a_prediction_but_no_setup() -> None:
    with pytest.raises(NotImplementedError):
        MusicDemixingPredictor().run()
