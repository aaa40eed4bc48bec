"""The submission under our own copy of the grader's protocol."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from evaluator.music_demixing import MusicDemixingPredictor
from my_submission import DemixError, Separator, predictor, user_config
from my_submission.budget import networks
from my_submission.budget.messages import Task
from my_submission.budget.worker_process import WorkerProcess
from my_submission.stems import SAMPLE_RATE, STEMS, Audio
from tests.budget.workers import stuck

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
    monkeypatch.delenv(predictor.LIMIT, raising=False)
    return folder


def test_a_run_writes_the_stems_that_the_separator_gives(data: Path, tmp_path: Path) -> None:
    predictor.DemixPredictor().run()
    stems = Separator("starter").separate_file(data / "mixture.wav")
    for stem in STEMS:
        path = tmp_path / "results" / data.name / f"{stem}.wav"
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == SAMPLE_RATE
        np.testing.assert_array_equal(samples.T, stems[stem])
    record = json.loads((tmp_path / "results" / data.name / "mixture.budget.json").read_text())
    assert (record["system"], record["step"], record["degraded"]) == ("starter", "full", [])
    assert record["limit_seconds"] == 240


def test_networks_are_loaded_once_and_in_set_up(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(data.parent / "mixture.wav", np.zeros((9, 2)), SAMPLE_RATE)
    (data.parent / "Song 2").mkdir()
    (data.parent / "mixture.wav").rename(data.parent / "Song 2" / "mixture.wav")
    loaded = []

    class Counting(WorkerProcess):
        def __init__(self, task: Task, say: Callable[[str], None]) -> None:
            loaded.append(task)
            super().__init__(task, say)

    monkeypatch.setattr(networks, "WorkerProcess", Counting)
    submission = predictor.DemixPredictor()
    assert loaded == []
    submission.prediction_setup()
    assert loaded == [Task("starter")]
    submission.run()
    assert loaded == 2 * [Task("starter")]  # the run's own set-up, and nothing per song


@pytest.mark.parametrize(
    ("value", "seconds"), [(None, 240.0), ("", 240.0), ("17", 17.0), ("0.5", 0.5)]
)
def test_the_environment_names_the_limit(
    monkeypatch: pytest.MonkeyPatch, value: str | None, seconds: float
) -> None:
    monkeypatch.delenv(predictor.LIMIT, raising=False)
    if value is not None:
        monkeypatch.setenv(predictor.LIMIT, value)
    assert predictor.song_limit() == seconds


@pytest.mark.parametrize("value", ["0", "-1", "four minutes", "inf", "nan"])
def test_a_limit_that_is_none_is_one_line_in_set_up(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    submission = predictor.DemixPredictor()
    monkeypatch.setenv(predictor.LIMIT, value)
    line = f"INFERENCE_PER_MUSIC_TIMEOUT_SECONDS is '{value}': give seconds above zero"
    with pytest.raises(DemixError, match=f"^{line}$"):
        submission.prediction_setup()


def test_the_limit_is_kept_and_what_was_done_is_told(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(predictor.LIMIT, "1")
    submission = predictor.DemixPredictor()
    submission.prediction_setup()
    assert submission._separator is not None
    paths = [tmp_path / "results" / f"{stem}.wav" for stem in STEMS]
    with stuck(submission._separator):  # no pass ends in time
        submission.prediction(str(data / "mixture.wav"), *map(str, paths))
    record = json.loads((tmp_path / "results" / "mixture.budget.json").read_text())
    assert (record["step"], record["limit_seconds"]) == ("split", 1.0)
    assert 0 < record["used_seconds"] < 1
    assert f"mixture.wav: step 6 of 6, split: planned {record['planned_seconds']:.1f} s, used " in (
        capsys.readouterr().out
    )
    stems = [soundfile.read(path, dtype="float32")[0] for path in paths]
    mixture, _ = soundfile.read(data / "mixture.wav", dtype="float32")
    np.testing.assert_allclose(sum(stems), mixture, atol=1e-5)
    assert submission._separator is not None
    submission._separator.close()


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
