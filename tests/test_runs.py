"""What is read of a run's folder."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from evaluator.aggregation import mean_over_stems
from evaluator.errors import EvaluatorError
from evaluator.run_reading import read_run
from evaluator.runs import Degradation
from evaluator.sound import STEMS
from tests.run_folders import RECORD, RUN, noise, write_json, write_scores, write_sounds


def test_a_whole_run(tmp_path: Path) -> None:
    write_scores(tmp_path, "b", 3.0, reference="/data/b")
    write_scores(tmp_path, "a", 5.0)
    write_json(tmp_path / "run.json", RUN)
    write_json(tmp_path / "b" / "mixture.budget.json", RECORD)
    frame = {"time": 1.0, "duration": 1.0, "metrics": {"SDR": math.nan, "SIR": 1.0}}
    targets = [{"name": "vocals", "frames": [frame]}]
    write_json(tmp_path / "museval" / "b.json", {"targets": targets})
    run = read_run(tmp_path)
    assert run.system == "starter"
    assert [song.name for song in run.songs] == ["a", "b"]
    song = run.songs[1]
    assert song.scores["bass"] == {"global_sdr": 2.0, "si_sdr": 1.5}
    assert mean_over_stems(song.scores, "global_sdr") == 2.75
    assert mean_over_stems(song.scores, "SDR") is None
    assert song.floor["bass"] == {"global_sdr": 0.5, "si_sdr": -0.5}
    assert song.ceiling["bass"] == {"global_sdr": 9.5, "si_sdr": 8.5}
    assert song.reference == Path("/data/b")
    assert song.degradations == (Degradation(1.0, 5.0, ("bass",), "part", "less <Demucs>"),)
    assert song.incidents == ("the worker was killed & came back",)
    assert math.isnan(song.frames["vocals"][0].sdr)
    assert run.songs[0].frames == {}


def test_the_results_of_predict_py(tmp_path: Path, rng: np.random.Generator) -> None:
    write_sounds(tmp_path / "run", tmp_path / "data", "a", noise(rng, 10), 8000)
    songs = {"a": {f"sdr_{stem}": 1.0 for stem in STEMS}}
    write_json(tmp_path / "run" / "scores.json", {"songs": songs})
    run = read_run(tmp_path / "run")
    assert run.system == "run"
    assert run.scores == {"a": {stem: {"global_sdr": 1.0} for stem in STEMS}}
    assert run.origins == [None]


def test_a_table_of_one_call_is_no_other_songs(tmp_path: Path, rng: np.random.Generator) -> None:
    """Beside ``run.json`` lies the table of the last call only."""
    write_sounds(tmp_path / "run", tmp_path / "data", "a", noise(rng, 10), 8000)
    songs = {"a": {f"sdr_{stem}": 1.0 for stem in STEMS}}
    write_json(tmp_path / "run" / "scores.json", {"songs": songs})
    write_json(tmp_path / "run" / "run.json", RUN)
    found = read_run(tmp_path / "run")
    assert found.scores == {}
    assert found.origins == [None]  # run.json is of the stems of one call, too


def test_what_has_heard_the_songs_is_known_without_any_file(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    for name in ("Mu - Too Bright", "mine"):
        write_sounds(tmp_path / "leaderboard_b", tmp_path / "data", name, noise(rng, 10), 8000)
    run = read_run(tmp_path / "leaderboard_b")
    (warning,) = run.warnings
    assert warning.startswith("leaderboard_b was trained on MUSDB18's test songs")
    assert warning.endswith("(1 of 2 songs)")


def test_the_record_of_the_time_tells_the_system(tmp_path: Path, rng: np.random.Generator) -> None:
    """Of ``predict.py``, whatever the folder is called."""
    for name in ("Mu - Too Bright", "mine"):
        write_sounds(tmp_path / "results", tmp_path / "data", name, noise(rng, 10), 8000)
        record = {**RECORD, "system": "leaderboard_b"}
        write_json(tmp_path / "results" / name / "mixture.budget.json", record)
    run = read_run(tmp_path / "results")
    assert run.system == "leaderboard_b"
    (warning,) = run.warnings
    assert warning.startswith("leaderboard_b was trained on MUSDB18's test songs")
    assert run.origins == [None, None]
    # Of several systems each song has its own; the run has none of them.
    write_json(tmp_path / "results" / "mine" / "mixture.budget.json", RECORD)
    run = read_run(tmp_path / "results")
    assert run.system == "results"
    assert [song.warning is not None for song in run.songs] == [True, False]


def test_names_with_slashes_and_reserved_ones(tmp_path: Path) -> None:
    for name in ("AC/DC - Thunder", "museval", "report", "ünïcode <&>"):
        write_scores(tmp_path, name, 1.0)
    (tmp_path / "report" / "songs").mkdir()
    (tmp_path / ".hidden").mkdir()
    # A folder "museval" of museval's files is no song; one with a song's scores would hide them.
    names = [song.name for song in read_run(tmp_path).songs]
    assert names == ["AC/DC - Thunder", "ünïcode <&>"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("run.json", "{"),
        ("run.json", "[]"),
        ("a/scores.json", "\x00"),
        ("a/scores.json", '{"floor": 3}'),
        ("a/x.budget.json", '{"degraded": [{"start": 0}], "incidents": []}'),
        ("a/x.budget.json", "{}"),
        ("museval/a.json", '{"targets": [{"name": "bass", "frames": [{}]}]}'),
        ("museval/a.json", '{"targets": 4}'),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, file: str, content: str) -> None:
    write_scores(tmp_path, "a", 1.0)
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    with pytest.raises(EvaluatorError, match=r"write (it|them) again"):
        read_run(tmp_path)


def test_numbers_that_are_none_are_not_known(tmp_path: Path) -> None:
    write_scores(tmp_path, "a", None)
    text = (tmp_path / "a" / "scores.json").read_text().replace('sdr": null', 'sdr": NaN', 1)
    assert math.isnan(json.loads(text)["scores"]["bass"]["global_sdr"])
    (tmp_path / "a" / "scores.json").write_text(text)
    assert not any(read_run(tmp_path).songs[0].scores.values())


@pytest.mark.parametrize("what", ["none", "file", "empty"])
def test_no_run(tmp_path: Path, what: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EvaluatorError, match=r"demix evaluate"):
        read_run(tmp_path / what)
