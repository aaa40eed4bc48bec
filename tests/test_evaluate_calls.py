"""Several calls of `demix evaluate` into one folder: what each song is from is not lost."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from evaluator.data_sets import SongFiles
from evaluator.run_reading import read_run
from evaluator.sound import STEMS
from my_submission.compute import Compute
from my_submission.errors import DemixError
from tests.fake_separator import FakeSeparator, fake_separator, invoke
from tests.musdb_folders import write_hq_song
from tests.run_folders import RECORD, write_json
from tests.song_folders import write_song, write_wav

__all__ = ["fake_separator"]

pytestmark = pytest.mark.usefixtures("separator")

TABLES = ("scores.md", "scores.csv", "scores.json")


@pytest.fixture
def data(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Give a folder of two songs."""
    for name in ("a", "b"):
        write_song(tmp_path / "data" / name, rng)
    return tmp_path / "data"


def evaluate(data: Path, *options: str, system: str = "mine") -> tuple[Result, Path]:
    """Run the command without museval; give its result and the folder of the run."""
    out = data.parent / "out"
    result = invoke("evaluate", data, "-n", system, "-o", out, "--metrics", "global", *options)
    return result, out / system


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def test_each_song_keeps_what_made_it(
    data: Path, separator: type[FakeSeparator], monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(data, "--songs", "a")
    monkeypatch.setattr(separator, "compute", Compute(precision="fast"))
    evaluate(data, "--songs", "b")
    result, run = evaluate(data, "--skip-existing")
    told = "Not the same for all songs: Precision: exact (1 song); fast (1 song)."
    assert told in (run / "scores.md").read_text()
    assert told in result.stdout
    assert [str(song.origin["precision"]) for song in read_run(run).songs if song.origin] == [
        "exact",
        "fast",
    ]


def test_stems_that_were_there_are_of_nobody_knows_whom(
    data: Path, separator: type[FakeSeparator]
) -> None:
    evaluate(data)
    run = data.parent / "out" / "mine"
    (run / "a" / "scores.json").unlink()
    result, _ = evaluate(data, "--skip-existing")
    assert "How the stems of 1 of 2 songs were made is not known: no file tells." in result.stdout
    assert [song.origin is None for song in read_run(run).songs] == [True, False]
    assert separator.separated == ["a", "b"]


def test_a_song_that_was_not_scored_keeps_what_made_it(data: Path) -> None:
    write_wav(data / "a" / "drums.wav", np.zeros((999, 2)))
    assert evaluate(data)[0].exit_code == 1
    write_wav(data / "a" / "drums.wav", np.zeros((1000, 2)))
    _, run = evaluate(data, "--skip-existing")
    scores = read(run / "a" / "scores.json")
    assert scores["origin"]["system"] == "mine"
    assert scores["separation_seconds"] >= 0


def test_damaged_scores_are_made_again(data: Path, separator: type[FakeSeparator]) -> None:
    _, run = evaluate(data)
    whole = {song: read(run / song / "scores.json") for song in ("a", "b")}
    write_json(run / "a" / "scores.json", {**whole["a"], "scores": None})
    write_json(run / "b" / "scores.json", {**whole["b"], "seconds": "x"})
    result, _ = evaluate(data, "--skip-existing")
    assert result.exit_code == 0, result.output
    assert {song: read(run / song / "scores.json") for song in ("a", "b")} == whole
    assert separator.separated == ["a", "b"]


def test_a_damaged_origin_is_none(data: Path) -> None:
    _, run = evaluate(data, "--songs", "a")
    whole = read(run / "a" / "scores.json")
    damaged = {**whole, "origin": "mine", "separation_seconds": "long"}
    write_json(run / "a" / "scores.json", damaged)
    assert evaluate(data, "--songs", "a", "--skip-existing")[0].exit_code == 0
    found = read(run / "a" / "scores.json")
    assert (found["origin"], found["separation_seconds"]) == (None, None)


def test_a_warning_is_not_lost_by_another_call(data: Path, rng: np.random.Generator) -> None:
    write_hq_song(data.parent / "hq" / "test" / "heard", rng)
    evaluate(data.parent / "hq", system="leaderboard_b")
    _, run = evaluate(data, system="leaderboard_b")
    assert read(run / "run.json")["warning"] is None
    assert "trained" not in (run / "scores.md").read_text()
    songs = read_run(run).songs
    assert [song.name for song in songs if song.warning] == ["heard"]
    assert [song.subset for song in songs] == [None, None, "test"]


def test_of_songs_that_were_heard_each_is_marked(data: Path, rng: np.random.Generator) -> None:
    write_song(data / "Mu - Too Bright", rng)
    result, run = evaluate(data, system="leaderboard_b")
    assert "(1 of 3 songs)" in result.stderr
    text = (run / "scores.md").read_text()
    assert text.count("(1 of 3 songs)") == 2
    assert "| Mu - Too Bright (heard in training) |" in text
    with (run / "scores.csv").open(newline="") as file:
        assert {row["song"] for row in csv.DictReader(file) if row["warning"]} == {
            "Mu - Too Bright"
        }


def test_tables_go_before_what_is_in_them_changes(
    data: Path, separator: type[FakeSeparator], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, run = evaluate(data)
    assert all((run / name).is_file() for name in TABLES)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(separator, "separate_to_files", stop)
    evaluate(data, "--skip-existing")
    assert all((run / name).is_file() for name in TABLES)
    evaluate(data)
    assert not any((run / name).exists() for name in TABLES)
    assert [song.name for song in read_run(run).songs if song.scores] == ["b"]


def test_what_there_was_no_time_for_is_of_the_stems_that_are_there(data: Path) -> None:
    _, run = evaluate(data)
    for song in ("a", "b"):
        write_json(run / song / "mixture.budget.json", RECORD)
    evaluate(data, "--skip-existing")
    assert all(song.degradations for song in read_run(run).songs)
    evaluate(data, "--songs", "a")
    assert [bool(song.degradations) for song in read_run(run).songs] == [False, True]


def test_networks_are_not_loaded_where_nothing_is_left_to_separate(
    data: Path, separator: type[FakeSeparator]
) -> None:
    evaluate(data)
    result, run = evaluate(data, "--skip-existing")
    assert result.exit_code == 0
    (run / "a" / "scores.json").unlink()
    assert evaluate(data, "--skip-existing")[0].exit_code == 0
    assert len(separator.made) == 1
    (run / "a" / "bass.wav").unlink()
    assert evaluate(data, "--skip-existing")[0].exit_code == 0
    assert len(separator.made) == 2


def test_what_cannot_be_loaded_ends_the_run_at_once(data: Path) -> None:
    result, run = evaluate(data, "--skip-existing", system="none_such")
    assert isinstance(result.exception, DemixError)
    assert not run.exists()


def test_a_fault_after_scoring_is_told_and_holds_up_no_other_song(
    data: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"song {number}" for number in range(9)]
    for name in names:
        write_song(data / name, rng)
    close = SongFiles.close

    def fail(files: SongFiles) -> None:
        close(files)
        if files.mixture.parent.name in names:
            raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(SongFiles, "close", fail)
    monkeypatch.setattr("evaluator.score_pool.available_cores", lambda: 1)
    result, run = evaluate(data)
    assert result.exit_code == 1
    assert "error: song 3: ZeroDivisionError: a fault of ours\n" in result.stderr
    assert f"failed: {', '.join(names)}\n" in result.stderr
    assert (run / "scores.md").is_file()
    assert all((run / name / f"{stem}.wav").is_file() for name in names for stem in STEMS)
