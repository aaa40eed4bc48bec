"""The commands `demix evaluate` and `demix score`."""

import io
import json
import os
import pty
import re
from contextlib import suppress
from io import FileIO
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import soundfile
from rich.console import Console
from typer.testing import Result

from evaluator.sound import STEMS
from my_submission.cli.batch import progress_bars
from my_submission.errors import DemixError
from tests.fake_separator import FakeSeparator, fake_separator, invoke
from tests.song_folders import write_song, write_wav

__all__ = ["fake_separator"]

pytestmark = pytest.mark.usefixtures("separator")


@pytest.fixture
def data(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Give a folder of two songs."""
    for name in ("b", "a"):
        write_song(tmp_path / "data" / name, rng)
    return tmp_path / "data"


def evaluate(*arguments: str | Path) -> Result:
    """Invoke the command without museval, which takes seconds per song."""
    return invoke("evaluate", *arguments, "--metrics", "global")


def quarter_as_estimates(data: Path, estimates: Path) -> None:
    for mixture in data.glob("*/mixture.wav"):
        for stem in STEMS:
            write_wav(
                estimates / mixture.parent.name / f"{stem}.wav", soundfile.read(mixture)[0] / 4
            )


def test_evaluate_separates_and_scores(
    tmp_path: Path, data: Path, separator: type[FakeSeparator]
) -> None:
    result = evaluate(data, "-n", "mine", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    expected = {"models": None, "device": "auto", "precision": "auto", "backend": "auto"}
    assert separator.made == [("mine", expected)]
    assert separator.separated == ["a", "b"]
    for song in ("a", "b"):
        files = {path.name for path in (tmp_path / "out" / "mine" / song).iterdir()}
        assert files == {*(f"{stem}.wav" for stem in STEMS), "scores.json"}
    scores = json.loads((tmp_path / "out" / "mine" / "scores.json").read_text())
    assert list(scores["songs"]) == ["a", "b"]
    assert scores["mean"] == pytest.approx(scores["quarter_of_mixture"])
    assert "mean of 2 songs" in result.stdout
    assert "reading [a]" in result.stderr


def test_evaluate_shows_its_progress_on_a_terminal(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen, os.fdopen(theirs, "w") as terminal:
        shown = bytearray()
        # A terminal holds little that nobody reads.
        reader = Thread(target=read_to_the_end, args=(screen, shown))
        reader.start()
        console = Console(file=terminal, width=100)
        assert console.is_terminal
        monkeypatch.setattr("evaluator.commands.error_console", lambda: console)
        monkeypatch.setenv("TERM", "xterm")
        result = evaluate(data, "-o", tmp_path / "out")
        terminal.close()
        reader.join()
    assert result.exit_code == 0, result.output
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode()).splitlines()
    for bar in ("songs separated", "songs scored"):
        (last,) = [line for line in lines if line.startswith(bar)][-1:]
        assert "100 %" in last
        assert re.search(r"\d:\d\d:\d\d", last)  # the time left


def read_to_the_end(screen: FileIO, shown: bytearray) -> None:
    with suppress(OSError):  # so Linux ends what a terminal gives
        while piece := screen.read(4096):
            shown.extend(piece)


def test_evaluate_passes_its_options_on(
    tmp_path: Path, data: Path, separator: type[FakeSeparator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--name", "mine", "--device", "cpu", "--models", "m", "--precision", "fast"]
    assert evaluate(data, *options, "--backend", "openvino").exit_code == 0
    expected = {
        "models": Path("m"),
        "device": "cpu",
        "precision": "fast",
        "backend": "openvino",
    }
    assert separator.made == [("mine", expected)]
    assert (tmp_path / "separated" / "mine" / "scores.json").is_file()


def test_evaluate_goes_on_after_a_song_that_fails(
    tmp_path: Path, data: Path, rng: np.random.Generator, separator: type[FakeSeparator]
) -> None:
    write_song(data / "a broken one", rng)
    write_song(data / "a silent one", rng)
    (data / "a silent one" / "drums.wav").unlink()
    result = evaluate(data, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert separator.separated == ["a", "b"]
    assert f"error: {data / 'a broken one' / 'mixture.wav'} is broken\n" in result.stderr
    assert "a silent one holds no drums.wav or drums.flac\n" in result.stderr
    assert "failed: a broken one, a silent one\n" in result.stderr
    scores = json.loads((tmp_path / "out" / "starter" / "scores.json").read_text())
    assert list(scores["songs"]) == ["a", "b"]


def test_evaluate_without_any_good_song(
    tmp_path: Path, data: Path, rng: np.random.Generator
) -> None:
    write_song(tmp_path / "bad" / "broken", rng)
    result = evaluate(tmp_path / "bad", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert not (tmp_path / "out").exists()
    assert result.stdout == ""
    assert data.is_dir()


def test_evaluate_skips_what_is_there(
    tmp_path: Path, data: Path, separator: type[FakeSeparator]
) -> None:
    arguments = (data, "-o", tmp_path / "out", "--skip-existing")
    assert evaluate(*arguments).exit_code == 0
    (tmp_path / "out" / "starter" / "b" / "vocals.wav").unlink()
    first = (tmp_path / "out" / "starter" / "scores.json").read_bytes()
    assert evaluate(*arguments).exit_code == 0
    assert separator.separated == ["a", "b", "b"]
    assert (tmp_path / "out" / "starter" / "scores.json").read_bytes() == first


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_evaluate_does_not_skip_stems_of_another_song(
    tmp_path: Path, data: Path, separator: type[FakeSeparator], rate: int
) -> None:
    arguments = (data, "-o", tmp_path / "out", "--skip-existing")
    assert evaluate(*arguments).exit_code == 0
    for stem in STEMS:  # all of one length, which is not the song's
        length = 999 if rate == 44_100 else 1000
        write_wav(tmp_path / "out" / "starter" / "b" / f"{stem}.wav", np.zeros((length, 2)), rate)
    assert evaluate(*arguments).exit_code == 0
    assert separator.separated == ["a", "b", "b"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("data", "-n", "none_such"), "none_such is no system"),
        (("none",), "none does not exist"),
        (("empty",), "empty holds no songs"),
        (("data", "-o", ".", "-n", "data"), "holds the references"),
    ],
)
def test_evaluate_refuses(
    tmp_path: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    result = evaluate(*arguments)
    assert isinstance(result.exception, DemixError)
    assert complaint in str(result.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "empty"]
    assert data.is_dir()


def test_score(tmp_path: Path, data: Path) -> None:
    quarter_as_estimates(data, tmp_path / "estimates")
    result = invoke("score", data, tmp_path / "estimates", "--json", tmp_path / "s.json")
    assert result.exit_code == 0, result.output
    for row in ("mean of 2 songs", "a quarter of the mixture", "the ideal ratio mask"):
        assert row in result.stdout
    scores = json.loads((tmp_path / "s.json").read_text())
    assert scores["mean"] == pytest.approx(scores["quarter_of_mixture"])
    # The same as beside the songs' own scores.
    assert evaluate(data, "-o", tmp_path / "out").exit_code == 0
    of_run = json.loads((tmp_path / "out" / "starter" / "scores.json").read_text())
    assert scores["ideal_ratio_mask"] == pytest.approx(of_run["ideal_ratio_mask"], abs=1e-9)
    assert scores["ideal_ratio_mask"]["sdr"] > scores["mean"]["sdr"]


def test_score_keeps_no_file_unless_told(tmp_path: Path, data: Path) -> None:
    quarter_as_estimates(data, tmp_path / "estimates")
    before = sorted(tmp_path.rglob("*"))
    assert invoke("score", data, tmp_path / "estimates").exit_code == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_score_goes_on_after_songs_that_cannot_be_scored(
    tmp_path: Path, data: Path, rng: np.random.Generator
) -> None:
    write_song(data / "c", rng)
    quarter_as_estimates(data, tmp_path / "estimates")
    for path in (tmp_path / "estimates" / "a").iterdir():
        path.unlink()
    (tmp_path / "estimates" / "a").rmdir()
    write_wav(tmp_path / "estimates" / "b" / "drums.wav", np.zeros((999, 2)))
    result = invoke("score", data, tmp_path / "estimates")
    assert result.exit_code == 1
    assert "estimates holds no estimates of a\n" in result.stderr
    assert "drums.wav has 999 samples" in result.stderr
    assert "mean of 1 song " in result.stdout


def test_score_without_any_score(tmp_path: Path, data: Path) -> None:
    (tmp_path / "estimates" / "a").mkdir(parents=True)
    result = invoke("score", data, tmp_path / "estimates")
    assert result.exit_code == 1
    assert "a holds no bass.wav or bass.flac or bass.mp3\n" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("references", "estimates", "complaint"),
    [
        ("data", "none", "none does not exist"),
        ("none", "data", "none does not exist"),
        ("empty", "data", "empty holds no references"),
        ("data", "empty", "empty holds no estimates of a, b"),
    ],
)
def test_score_refuses(
    tmp_path: Path, data: Path, references: str, estimates: str, complaint: str
) -> None:
    (tmp_path / "empty").mkdir()
    result = invoke("score", tmp_path / references, tmp_path / estimates)
    assert isinstance(result.exception, DemixError)
    assert complaint in str(result.exception)
    assert data.is_dir()


def test_score_refuses_a_json_file_that_cannot_be_written(tmp_path: Path, data: Path) -> None:
    result = invoke("score", data, data, "--json", tmp_path)
    assert isinstance(result.exception, DemixError)
    assert "cannot be written" in str(result.exception)


def test_evaluate_with_real_networks(
    tmp_path: Path, data: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    result = evaluate(data, "--models", models, "-d", "cpu", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    info = soundfile.info(tmp_path / "out" / "starter" / "a" / "vocals.wav")
    assert (info.frames, info.subtype) == (1000, "FLOAT")


def test_songs_that_take_minutes_have_a_time_left() -> None:
    now = 0.0
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, get_time=lambda: now)
    with progress_bars(console) as add_bar:
        report = add_bar("songs")
        for done in range(5):
            report(done, 50)
            now += 60
        now -= 60
    assert "0:46:00" in screen.getvalue()
