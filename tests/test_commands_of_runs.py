"""The commands `demix compare` and `demix report`."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from evaluator.commands_of_runs import register
from my_submission.errors import DemixError
from tests.run_folders import RUN, noise, write_json, write_scores, write_sounds
from tests.song_folders import write_song


def invoke(*arguments: str | Path) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Give two runs of three songs."""
    for folder, gains in (("one", (0, 0, 0)), ("two", (1, 2, -0.5))):
        for name, gain in zip("abc", gains, strict=True):
            write_scores(tmp_path / folder, name, 3.0 + gain)
        write_json(tmp_path / folder / "run.json", {**RUN, "system": folder})
    return [tmp_path / "one", tmp_path / "two"]


def test_compare(runs: list[Path], tmp_path: Path) -> None:
    result = invoke("compare", *runs, "--json", tmp_path / "c.json", "--songs", "1")
    assert result.exit_code == 0, result.output
    assert "two against one: 3 songs in both" in result.stdout
    assert "SDR (challenge) in dB, mean of songs" in result.stdout
    assert "museval" not in result.stdout
    assert "3 songs are few" in result.stdout
    assert "two gains most: b +2.00\n" in result.stdout
    assert "two loses most: c -0.50\n" in result.stdout
    document = json.loads((tmp_path / "c.json").read_text())
    (comparison,) = document["comparisons"]
    assert comparison["paired"] == ["a", "b", "c"]
    assert comparison["differences"][0]["difference_db"] == pytest.approx(2.5 / 3)


def test_compare_several_with_the_first(runs: list[Path], tmp_path: Path) -> None:
    write_scores(tmp_path / "three", "a", 9.0)
    result = invoke("compare", *runs, tmp_path / "three", "--metric", "si_sdr")
    assert result.exit_code == 0, result.output
    assert "two against one" in result.stdout
    assert "three against one: 1 song in both" in result.stdout
    assert "left out, for they are in one only: b, c" in result.stdout
    assert "one song gives no interval" in result.stdout


def test_compare_counts_the_songs_that_museval_has_scored(runs: list[Path]) -> None:
    for run, gain in zip(runs, (0, 1), strict=True):
        for name, museval in (("a", 1.0), ("b", 3.0 + gain), ("c", None)):
            write_scores(run, name, 3.0, museval=museval)
    output = invoke("compare", *runs, "--metric", "museval_sdr").stdout
    assert "SDR (museval) in dB, median of songs" in output
    assert "2 of 3" in output


def test_compare_tells_what_the_runs_differ_in(runs: list[Path]) -> None:
    write_json(runs[1] / "run.json", {**RUN, "system": "one"})
    for run, folder in zip(runs, ("/data/songs", "/b"), strict=True):
        for name in "abc":
            warning = "heard them" if (name, folder) == ("b", "/b") else None
            # Where they were separated from does not matter.
            known = {"reference": f"{folder}/{name}", "origin": {**RUN, "data": f"/{name}"}}
            write_scores(run, name, 3.0, **known, warning=warning)
    output = invoke("compare", *runs, "--json", runs[0] / "c.json").stdout
    (comparison,) = json.loads((runs[0] / "c.json").read_text())["comparisons"]
    assert comparison["warnings"] == {"first": [], "other": ["heard them (1 of 3 songs)"]}
    assert "note: the runs differ in data: /data/songs and /b\n" in output
    # Below each table, not apart from them.
    tables = output.split(" in dB, mean of songs")[1:]
    assert tables
    for table in tables:
        assert f"{runs[1]}: heard them (1 of 3 songs)\n" in table
    assert f"{runs[1]} against {runs[0]}" in output  # of one name


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["one"], "at least two runs"),
        (["one", "none"], "does not exist"),
        (["one", "two", "--metric", "loudness"], "--metric loudness: there are global_sdr"),
        (["one", "two", "--metric", "SDR"], "--metric SDR: there are global_sdr, si_sdr, museval"),
        (["one", "two", "--metric", "museval_sar"], "no song has SAR (museval) in both"),
        (["one", "two", "--json", "."], "cannot be written"),
    ],
)
def test_compare_refuses(
    runs: list[Path], monkeypatch: pytest.MonkeyPatch, arguments: list[str], complaint: str
) -> None:
    monkeypatch.chdir(runs[0].parent)
    result = invoke("compare", *arguments)
    assert isinstance(result.exception, DemixError)
    assert complaint in str(result.exception)


def test_report(tmp_path: Path, rng: np.random.Generator) -> None:
    write_sounds(tmp_path / "run", tmp_path / "data", "a", noise(rng, 500), 8000)
    result = invoke("report", tmp_path / "run", "--references", tmp_path / "data")
    assert result.exit_code == 0, result.output
    page = tmp_path / "run" / "report" / "index.html"
    assert result.stdout == f"report: {page}\n"
    assert page.is_file()
    # Once more: the report in the run's folder is no song of it.
    result = invoke("report", tmp_path / "run", "--references", tmp_path / "data")
    assert result.exit_code == 0, result.output


def test_report_of_some_songs(tmp_path: Path, rng: np.random.Generator) -> None:
    for name in ("a song", "b song", "c song"):
        write_sounds(tmp_path / "run", tmp_path / "data", name, noise(rng, 500), 8000)
    result = invoke("report", tmp_path / "run", "--songs", "c song, a song")
    assert result.exit_code == 0, result.output
    report = tmp_path / "run" / "report"
    assert len(list((report / "songs").glob("*.html"))) == 2
    page = (report / "index.html").read_text()
    assert ["a song" in page, "b song" in page, "c song" in page] == [True, False, True]
    result = invoke("report", tmp_path / "run", "--songs", "d")
    assert "run has no song d; there are: a song, b song, c song" in str(result.exception)


@pytest.mark.parametrize("subset", ["", "test"])
def test_report_refuses_a_data_set(tmp_path: Path, rng: np.random.Generator, subset: str) -> None:
    for name in "ab":
        write_song(tmp_path / "data" / subset / name, rng)
    result = invoke("report", tmp_path / "data")
    assert isinstance(result.exception, DemixError)
    assert "as a data set does: give OUT/SYSTEM" in str(result.exception)
    assert not (tmp_path / "data" / "report").exists()


def test_report_refuses(tmp_path: Path) -> None:
    result = invoke("report", tmp_path / "none")
    assert isinstance(result.exception, DemixError)
    assert "does not exist" in str(result.exception)
