"""What is taken for a song's scores, and what is not."""

from pathlib import Path
from typing import Any

import pytest

from evaluator.results import read_song
from evaluator.sound import STEMS
from tests.run_folders import song_document, write_json


def whole() -> dict[str, Any]:
    return {**song_document("a", 3.0), "metrics": "global", "stems": {}}


def test_scores_without_musevals_are_whole(tmp_path: Path) -> None:
    write_json(tmp_path / "a" / "scores.json", whole())
    assert read_song(tmp_path, "a") == whole()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scores", None),
        ("scores", {"bass": {}}),
        ("scores", {stem: {"global_sdr": None, "si_sdr": 1.0} for stem in STEMS}),
        ("floor", {"quarter_mixture": 3}),
        ("floor", {"quarter_mixture": {stem: {"global_sdr": 1.0} for stem in STEMS}}),
        ("ceiling", []),
        ("null_depth_db", "deep"),
        ("null_depth_db", float("nan")),
        ("seconds", "x"),
        ("sample_rate", None),
        ("separation_seconds", []),
        ("metrics", ["all"]),
        ("metrics", "some"),
        ("reference", None),
        ("subset", 3),
        ("warning", {}),
        ("origin", "mine"),
        ("song", "b"),
        ("stems", None),
    ],
)
def test_damaged_scores_are_none(tmp_path: Path, key: str, value: object) -> None:
    write_json(tmp_path / "a" / "scores.json", {**whole(), key: value})
    assert read_song(tmp_path, "a") is None


@pytest.mark.parametrize("key", whole())
def test_scores_that_lack_something_are_none(tmp_path: Path, key: str) -> None:
    document = whole()
    del document[key]
    write_json(tmp_path / "a" / "scores.json", document)
    assert read_song(tmp_path, "a") is None
