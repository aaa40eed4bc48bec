"""The submission under our own copy of the grader's protocol."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from evaluator.music_demixing import MusicDemixingPredictor
from my_submission import DemixError, Separator, predictor, user_config
from my_submission.stems import SAMPLE_RATE, STEMS, Audio

ROOT = Path(__file__).parents[1]


@pytest.fixture
def data(tmp_path: Path, noise: Audio, monkeypatch: pytest.MonkeyPatch, models: Path) -> Path:
    """Give a folder with a song, set up as the grader does."""
    folder = tmp_path / "data" / "Song 1 – ünï"
    folder.mkdir(parents=True)
    soundfile.write(folder / "mixture.wav", noise.T, SAMPLE_RATE, subtype="FLOAT")
    monkeypatch.setenv("DEMIX_MODELS", str(models))
    monkeypatch.setenv("TEST_DATASET_PATH", str(tmp_path / "data"))
    monkeypatch.setenv("RESULTS_DATASET_PATH", str(tmp_path / "results"))
    monkeypatch.setenv("AICROWD_IS_GRADING", "true")
    return folder


def test_a_run_writes_the_stems_that_the_separator_gives(data: Path, tmp_path: Path) -> None:
    predictor.DemixPredictor().run()
    stems = Separator("starter").separate_file(data / "mixture.wav")
    for stem in STEMS:
        path = tmp_path / "results" / data.name / f"{stem}.wav"
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == SAMPLE_RATE
        np.testing.assert_array_equal(samples.T, stems[stem])


def test_networks_are_loaded_once_and_in_set_up(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(data.parent / "mixture.wav", np.zeros((9, 2)), SAMPLE_RATE)
    (data.parent / "Song 2").mkdir()
    (data.parent / "mixture.wav").rename(data.parent / "Song 2" / "mixture.wav")
    loaded = []

    class Counting(Separator):
        def __init__(self, system: str, **_options: object) -> None:
            loaded.append(system)
            super().__init__(system)

    monkeypatch.setattr(predictor, "Separator", Counting)
    submission = predictor.DemixPredictor()
    assert loaded == []
    submission.prediction_setup()
    assert loaded == ["starter"]
    submission.run()
    assert loaded == ["starter", "starter"]  # the run's own set-up, and nothing per song


def test_the_environment_names_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "SYSTEM", "leaderboard_b")
    submission = predictor.DemixPredictor()
    assert submission.model_name == "leaderboard_b"
    with pytest.raises(DemixError, match="demix weights fetch leaderboard_b"):
        submission.prediction_setup()
    code = "from my_submission.user_config import SYSTEM; print(SYSTEM)"
    command = [sys.executable, "-c", code]
    for value, system in (("leaderboard_a", "leaderboard_a"), ("", "starter")):
        monkeypatch.setenv("DEMIX_SYSTEM", value)
        out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert out.strip() == system
    assert user_config.SYSTEM == "starter"


def test_a_prediction_without_set_up_sets_up_first(data: Path, tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{stem}.wav") for stem in STEMS]
    predictor.DemixPredictor().prediction(str(data / "mixture.wav"), *paths)
    assert all(Path(path).is_file() for path in paths)


def test_an_evaluator_whose_constructor_takes_no_name_will_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MusicDemixingPredictor, "__init__", lambda self: None)
    predictor.DemixPredictor()
