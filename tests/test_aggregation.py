"""A data set's scores from its songs': one rule, whoever asks."""

import pytest

from evaluator.aggregation import SongValues, average, kind_of_average, mean_over_stems, over_songs
from evaluator.sound import STEMS

SONGS = (1.0, 2.0, 9.0)


def values(metric: str, score: float | None) -> dict[str, dict[str, float | None]]:
    """Give all stems one score, bass 1 dB less."""
    return {s: {metric: None if score is None else score - (s == "bass")} for s in STEMS}


def songs(metric: str, *scores: float | None) -> list[SongValues]:
    """Give songs whose floor is 10 dB below, and the ceiling above."""
    return [
        SongValues(values(metric, s), values(metric, at - 10.0), values(metric, at + 10.0))
        for at, s in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("metric", "kind", "expected"),
    [
        ("global_sdr", "mean", 4.0),
        ("si_sdr", "mean", 4.0),
        *((metric, "median", 2.0) for metric in ("SDR", "SIR", "ISR", "SAR")),
    ],
)
def test_musevals_are_medians_and_all_others_means(metric: str, kind: str, expected: float) -> None:
    assert kind_of_average(metric) == kind
    assert over_songs(metric, SONGS) == expected
    found = average(metric, songs(metric, *SONGS))
    assert found is not None
    assert found.scores == {stem: expected - (stem == "bass") for stem in STEMS}
    assert found.count == "3 songs"


def test_floor_and_ceiling_are_of_the_songs_that_count() -> None:
    found = average("SDR", songs("SDR", 3.0, None, 5.0))
    assert found is not None
    assert (found.num_songs, found.out_of, found.count) == (2, 3, "2 of 3 songs")
    assert (found.scores["drums"], found.floor["drums"], found.ceiling["drums"]) == (4, -9, 11)


def test_a_song_without_one_stem_does_not_count() -> None:
    lacking = songs("SDR", 3.0, 5.0)
    lacking[0].scores["vocals"]["SDR"] = None  # type: ignore[index]
    found = average("SDR", lacking)
    assert found is not None
    assert found.scores["drums"] == 5
    assert mean_over_stems(lacking[0].scores, "SDR") is None
    assert mean_over_stems(lacking[1].scores, "SDR") == 4.75


def test_no_floor_where_a_song_that_counts_has_none() -> None:
    first, second = songs("SDR", 3.0, 5.0)
    found = average("SDR", [first, second._replace(floor={})])
    assert found is not None
    assert (dict(found.floor), found.ceiling["drums"]) == ({}, 10.5)


def test_no_song_that_counts_gives_nothing() -> None:
    assert average("SDR", songs("SDR", None)) is None
    assert average("SDR", []) is None
