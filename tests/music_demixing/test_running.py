"""What the program that the grader runs does with folders of songs."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from evaluator.errors import EvaluatorError
from evaluator.music_demixing import MusicDemixingPredictor
from evaluator.sound import STEMS
from tests.music_demixing.predictors import VARIABLES, QuarterPredictor, assert_no_alarm
from tests.song_folders import write_wav


def test_defaults(tmp_path: Path) -> None:
    predictor = MusicDemixingPredictor()
    assert Path(predictor.test_data_path) == tmp_path / "data" / "test"
    assert Path(predictor.results_data_path) == tmp_path / "data" / "results" / "baseline"
    assert predictor.inference_setup_timeout == 900
    assert predictor.inference_per_music_timeout == 240
    assert MusicDemixingPredictor("mine").results_data_path.endswith("data/results/mine")


def test_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in zip(VARIABLES, ("t", "r", "3", "2"), strict=False):
        monkeypatch.setenv(variable, value)
    predictor = MusicDemixingPredictor()
    assert (predictor.test_data_path, predictor.results_data_path) == ("t", "r")
    assert predictor.inference_setup_timeout == 3
    assert predictor.inference_per_music_timeout == 2
    assert predictor.get_music_folder_location("a") == os.path.join("t", "a")  # noqa: PTH118
    assert Path(predictor.get_music_file_location("a")) == Path("t/a/mixture.wav")
    assert Path(predictor.get_music_file_location("a", "bass")) == Path("r/a/bass.wav")
    assert Path("r/a").is_dir()


@pytest.mark.parametrize("value", ["", "0", "-3", "2.5", "soon"])
@pytest.mark.parametrize("variable", VARIABLES[2:4])
def test_limits_that_are_no_seconds(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(EvaluatorError, match=f"{variable} is {value!r}"):
        MusicDemixingPredictor()


def test_all_songs_are_separated_scored_and_kept(
    songs: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (songs / "notes").mkdir()
    (songs / ".hidden").mkdir()
    (songs / "README.md").write_text("songs")
    predictor = QuarterPredictor()
    predictor.run()
    assert predictor.setups == 1
    assert predictor.songs == ["a", "b song"]
    for song in predictor.songs:
        assert {path.stem for path in (results / song).iterdir()} == set(STEMS)
    scores = json.loads((results / "scores.json").read_text())
    assert list(scores["songs"]) == ["a", "b song"]
    # Two ways of adding up the same samples.
    assert scores["mean"] == pytest.approx(scores["quarter_of_mixture"], rel=1e-12)
    printed = capsys.readouterr().out
    assert "skipped, for want of mixture.wav: notes\n" in printed
    assert re.search(r"2/2 b song: \d+\.\d s of 240 s", printed)
    assert "mean of 2 songs" in printed
    assert "a quarter of the mixture" in printed
    assert printed.endswith(f"stems: {results}\n")
    assert_no_alarm()


@pytest.mark.usefixtures("songs")
def test_scoring_gives_the_challenges_names() -> None:
    predictor = QuarterPredictor()
    predictor.evaluation()
    scores = predictor.scoring()
    assert list(scores) == ["a", "b song"]
    assert list(scores["a"]) == ["sdr_bass", "sdr_drums", "sdr_other", "sdr_vocals", "sdr"]
    assert scores["a"]["sdr"] == pytest.approx(np.mean(list(scores["a"].values())[:4]))


def test_songs_without_references_are_named(
    songs: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (songs / "a" / "bass.wav").unlink()
    QuarterPredictor().run()
    assert "not scored, for want of references: a\n" in capsys.readouterr().out
    assert list(json.loads((results / "scores.json").read_text())["songs"]) == ["b song"]
    (songs / "b song" / "vocals.wav").unlink()
    QuarterPredictor().run()
    assert "holds no references" in capsys.readouterr().out
    with pytest.raises(EvaluatorError, match="holds no references"):
        QuarterPredictor().scoring()


@pytest.mark.usefixtures("songs")
def test_partial_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTIAL_RUN_MUSIC_NAMES", " b song,")
    predictor = QuarterPredictor()
    predictor.run()
    assert predictor.songs == ["b song"]


@pytest.mark.usefixtures("songs")
@pytest.mark.parametrize("names", ["a, c song", ","])
def test_partial_runs_of_unknown_songs(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    monkeypatch.setenv("PARTIAL_RUN_MUSIC_NAMES", names)
    predictor = QuarterPredictor()
    with pytest.raises(EvaluatorError, match=r"no song .*c? .*there are: a, b song$"):
        predictor.run()
    assert predictor.setups == 0


def test_folders_without_songs(tmp_path: Path) -> None:
    predictor = QuarterPredictor()
    with pytest.raises(EvaluatorError, match=r"data/test does not exist: give a folder of songs$"):
        predictor.run()
    write_wav(tmp_path / "data" / "test" / "mixture.wav", np.zeros((10, 2)))
    write_wav(tmp_path / "data" / "test" / "a" / "song.wav", np.zeros((10, 2)))
    with pytest.raises(EvaluatorError, match=r"holds no songs: .* mixture\.wav"):
        predictor.run()
    predictor.test_data_path = str(tmp_path / "data" / "test" / "mixture.wav")
    with pytest.raises(EvaluatorError, match="is not a folder"):
        predictor.run()
    assert predictor.setups == 0


@pytest.mark.usefixtures("songs")
def test_results_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RESULTS_DATASET_PATH", str(tmp_path / "file"))
    with pytest.raises(EvaluatorError, match=r"cannot be made .*set RESULTS_DATASET_PATH"):
        QuarterPredictor().run()
    monkeypatch.setenv("RESULTS_DATASET_PATH", str(tmp_path / "r"))
    (tmp_path / "r" / "a" / "bass.wav").mkdir(parents=True)
    with pytest.raises(EvaluatorError, match=r"bass\.wav cannot be replaced"):
        QuarterPredictor().run()


def test_references_are_not_overwritten(songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (songs / "a" / "bass.wav").read_bytes()
    monkeypatch.setenv("RESULTS_DATASET_PATH", str(songs / ".." / "test"))
    with pytest.raises(EvaluatorError, match="holds the song itself"):
        QuarterPredictor().run()
    assert (songs / "a" / "bass.wav").read_bytes() == before
