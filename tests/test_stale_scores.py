"""Scores beside stems that they are not of: nothing of them is shown."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from evaluator.report_page.build import write_report
from evaluator.run_reading import read_run
from evaluator.sound import STEMS
from tests.fake_separator import fake_separator, invoke
from tests.report_folders import Tags
from tests.run_folders import RECORD, RUN, noise, write_json, write_scores, write_sounds
from tests.song_folders import write_song, write_wav

__all__ = ["fake_separator"]

pytestmark = pytest.mark.usefixtures("separator")

TOLD = "newer than their scores: run demix evaluate --skip-existing"


@pytest.fixture(name="run")
def a_run(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Give a run of the songs a and b."""
    for name in "ab":
        write_song(tmp_path / "data" / name, rng)
    assert evaluate(tmp_path / "data") == 0
    return tmp_path / "out" / "starter"


def evaluate(data: Path, *options: str) -> int:
    return invoke(
        "evaluate", data, "-o", data.parent / "out", "--metrics", "global", *options
    ).exit_code


def separate_again(run: Path, rng: np.random.Generator) -> None:
    """Write other stems of a song, as long as those before and none the newer for it."""
    for stem in STEMS:
        path = run / "a" / f"{stem}.wav"
        before = path.stat()
        write_wav(path, rng.uniform(-0.1, 0.1, (1000, 2)))
        assert path.stat().st_size == before.st_size
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def test_scores_of_other_stems_are_not_shown(run: Path, rng: np.random.Generator) -> None:
    write_json(run / "a" / "mixture.budget.json", RECORD)
    os.utime(run / "a" / "mixture.budget.json", (1, 1))
    separate_again(run, rng)
    found = read_run(run)
    stale, fresh = found.songs
    assert (stale.is_stale, fresh.is_stale) == (True, False)
    assert (stale.scores, stale.origin, stale.separation_seconds) == ({}, None, None)
    assert (stale.null_depth_db, stale.frames, stale.degradations) == (None, {}, ())
    assert stale.reference is not None  # the song is the same
    assert list(found.scores) == ["b"]
    assert fresh.origin is not None
    assert evaluate(run.parents[1] / "data", "--skip-existing") == 0
    assert not any(song.is_stale for song in read_run(run).songs)
    assert read_run(run).songs[0].degradations == ()  # of the stems before


def test_where_predict_py_told_last_scores_of_other_stems_are_not_shown(
    run: Path, rng: np.random.Generator
) -> None:
    (run / "run.json").unlink()
    separate_again(run, rng)
    (run / "scores.json").write_text(json.dumps({"a": {f"sdr_{stem}": 9.0 for stem in STEMS}}))
    stale = read_run(run).songs[0]
    assert (stale.is_stale, stale.scores, stale.frames) == (True, {}, {})


def test_a_report_tells(run: Path, rng: np.random.Generator, tmp_path: Path) -> None:
    separate_again(run, rng)
    page = write_report(run, tmp_path / "report")
    assert f"The stems of 1 of 2 songs are {TOLD}" in Tags(page).text
    songs = [Tags(page.parent / "songs" / f"{name}.html").text for name in ("001", "002")]
    assert [TOLD in text for text in songs] == [True, False]
    assert "How the stems were made" not in songs[0]


def test_a_comparison_tells(run: Path, rng: np.random.Generator, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "before")
    separate_again(run, rng)
    result = invoke("compare", tmp_path / "before", run, "--json", tmp_path / "c.json")
    assert result.exit_code == 0, result.output
    assert f"{run}: The stems of 1 of 2 songs are {TOLD}" in result.stdout
    assert "1 song in both" in result.stdout
    (comparison,) = json.loads((tmp_path / "c.json").read_text())["comparisons"]
    assert comparison["paired"] == ["b"]
    assert TOLD in comparison["warnings"]["other"][0]


def test_a_copy_keeps_its_scores(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copies" / "starter"
    shutil.copytree(run, copy, copy_function=shutil.copyfile)
    for number, path in enumerate(sorted(copy.rglob("*.*"), key=lambda path: path.suffix)):
        os.utime(path, (1000 + number, 1000 + number))  # scores.json is older than stems
    assert list(read_run(copy).scores) == ["a", "b"]
    before = (copy / "a" / "scores.json").read_bytes()
    words = ("-o", tmp_path / "copies", "--metrics", "global", "--skip-existing")
    assert invoke("evaluate", tmp_path / "data", *words).exit_code == 0
    assert (copy / "a" / "scores.json").read_bytes() == before


def test_without_a_description_of_the_stems_their_times_decide(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    write_sounds(tmp_path / "run", tmp_path / "data", "a", noise(rng, 9), 8000)
    write_scores(tmp_path / "run", "a", 3.0)
    write_json(tmp_path / "run" / "run.json", RUN)
    for seconds, is_stale in ((0, False), (10, True)):
        scores = (tmp_path / "run" / "a" / "scores.json").stat()
        later = scores.st_mtime_ns + seconds * 10**9
        os.utime(tmp_path / "run" / "a" / "bass.wav", ns=(later, later))
        assert read_run(tmp_path / "run").songs[0].is_stale == is_stale


def test_a_table_of_predict_py_is_not_of_stems_that_came_later(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    write_sounds(tmp_path / "run", tmp_path / "data", "a", noise(rng, 9), 8000)
    songs = {"a": {f"sdr_{stem}": 1.0 for stem in STEMS}}
    write_json(tmp_path / "run" / "scores.json", {"songs": songs})
    assert list(read_run(tmp_path / "run").scores) == ["a"]
    os.utime(tmp_path / "run" / "scores.json", (1, 1))
    found = read_run(tmp_path / "run")
    assert (found.scores, found.songs[0].is_stale) == ({}, True)
