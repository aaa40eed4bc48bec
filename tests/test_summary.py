"""The table of a data set's scores."""

from typing import Any

from evaluator.results import CEILING, FLOOR
from evaluator.sound import STEMS
from evaluator.summary import score_table
from tests.run_folders import song_document


def with_museval(name: str, sdr: float, museval: float | None, floor: float) -> dict[str, Any]:
    values = {stem: {"global_sdr": 0.5, "SDR": floor} for stem in STEMS}
    limits = {"floor": {FLOOR: values}, "ceiling": {CEILING: values}}
    return song_document(name, sdr, museval=museval, **limits)


def columns(table: str) -> dict[str, str]:
    """Give the drums' scores by the names of their columns."""
    heading, _, *rows = (line.strip("| ").split(" | ") for line in table.splitlines())
    drums = next(row for row in rows if row[0] == "drums")
    return dict(zip(heading, drums, strict=True))


def test_what_museval_does_not_score_is_counted_and_leaves_the_floor_too() -> None:
    songs = [with_museval("a", 3.0, 2.0, 1.0), with_museval("b", 5.0, 4.0, 3.0)]
    silent = with_museval("c", 1.0, None, -20.0)
    found = columns(score_table([*songs, silent]))
    assert found["global SDR"] == "3.000"
    assert found["museval SDR of 2 of 3 songs"] == "3.000"
    assert found["floor (museval SDR) of 2 of 3 songs"] == "2.000"
    assert found["ceiling (museval SDR) of 2 of 3 songs"] == "2.000"
    assert "museval SDR" in columns(score_table(songs))


def test_without_museval_there_are_no_columns_of_it() -> None:
    table = score_table([with_museval("a", 3.0, None, 1.0)])
    assert "museval" not in table
