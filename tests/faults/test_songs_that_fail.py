"""A song that cannot be read, or that breaks the program, takes no other song down."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from evaluator.commands import register
from my_submission import separator
from my_submission.audio import Song, open_song
from tests.song_folders import write_song

UNREADABLE = Path("/sys/class/net/lo/speed")
"""A file of 4096 bytes, says its size, and every read of it fails."""


@pytest.fixture
def data(tmp_path: Path, rng: np.random.Generator) -> Path:
    for name in ("a", "bad", "c"):
        write_song(tmp_path / "data" / name, rng)
    return tmp_path / "data"


@pytest.fixture
def evaluate(tmp_path: Path, data: Path, models: Path) -> Callable[[], Result]:
    app = typer.Typer()
    register(app)
    options = ["--models", models, "-d", "cpu", "--precision", "exact", "-o", tmp_path / "out"]
    options += ["--backend", "onnxruntime", "--metrics", "global"]
    words = ["evaluate", data, *options]
    return lambda: CliRunner().invoke(app, [str(word) for word in words])


def assert_others_are_there(result: Result, tmp_path: Path) -> None:
    assert result.exit_code == 1
    assert "failed: bad\n" in result.stderr
    results = tmp_path / "out" / "starter"
    assert sorted(path.name for path in results.iterdir()) == [
        "a",
        "c",
        "run.json",
        "scores.csv",
        "scores.json",
        "scores.md",
    ]
    assert list(json.loads((results / "scores.json").read_text())["songs"]) == ["a", "c"]


def damage_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:30])


def damage_length(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def fill_with_zeros(path: Path) -> None:
    path.write_bytes(bytes(100_000))


def put_on_a_broken_disk(path: Path) -> None:
    try:
        UNREADABLE.read_bytes()
    except OSError:
        path.unlink()
        path.symlink_to(UNREADABLE)
    else:
        pytest.skip(f"{UNREADABLE} is not there, or can be read")


@pytest.mark.parametrize(
    "damage", [damage_header, damage_length, fill_with_zeros, put_on_a_broken_disk]
)
def test_a_damaged_song_is_one_line(
    tmp_path: Path, data: Path, evaluate: Callable[[], Result], damage: Callable[[Path], None]
) -> None:
    damage(data / "bad" / "mixture.wav")
    result = evaluate()
    assert_others_are_there(result, tmp_path)
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("error: "))
    assert "mixture.wav: " in line
    assert "Traceback" not in result.stderr


def test_a_reader_that_breaks_is_told_in_full(
    tmp_path: Path, evaluate: Callable[[], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def breaking(path: Path, *, say: Callable[[str], None]) -> Iterator[Song]:
        if path.parent.name == "bad":
            raise ZeroDivisionError("a fault\nof ours")
        with open_song(path, say=say) as song:
            yield song

    monkeypatch.setattr(separator, "open_song", breaking)
    result = evaluate()
    assert_others_are_there(result, tmp_path)
    assert "Traceback (most recent call last)" in result.stderr
    assert 'raise ZeroDivisionError("a fault' in result.stderr
    assert "error: bad: ZeroDivisionError: a fault\\nof ours\n" in result.stderr
