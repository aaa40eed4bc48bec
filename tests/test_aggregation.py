"""A data set's scores from its songs': one rule, whoever asks."""

import numpy as np
import pytest
from museval import EvalStore, TrackStore

from evaluator.aggregation import SongValues, average, kind_of_average, mean_over_stems, over_songs
from evaluator.bss_eval import METRICS as MUSEVAL_METRICS
from evaluator.metrics import median_of_frames
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
    assert (found.count, found.is_of_all) == ("2 of 3 songs", False)
    assert (found.scores["drums"], found.floor["drums"], found.ceiling["drums"]) == (4, -9, 11)


def test_a_song_without_one_stem_counts_for_the_others() -> None:
    lacking = songs("SDR", 3.0, 5.0)
    lacking[0].scores["vocals"]["SDR"] = None  # type: ignore[index]
    found = average("SDR", lacking)
    assert found is not None
    assert (found.scores["drums"], found.scores["vocals"]) == (4, 5)
    assert (found.floor["drums"], found.floor["vocals"]) == (-9.5, -9)
    assert (found.count, found.is_of_all) == ("1 to 2 of 2 songs", False)
    assert mean_over_stems(lacking[0].scores, "SDR") is None
    assert mean_over_stems(lacking[1].scores, "SDR") == 4.75


def test_averages_are_those_of_museval() -> None:
    """An infinite frame is NaN for one stem, and a song of such frames has no value of it."""
    store, values = EvalStore(), []
    for name, vocals in (("a", [np.inf, np.inf]), ("b", [1.0, np.nan]), ("c", [4.0, -np.inf])):
        track = TrackStore(win=1.0, hop=1.0, track_name=name)
        of_song: dict[str, dict[str, float | None]] = {}
        for place, stem in enumerate(STEMS):
            frames = vocals if stem == "vocals" else [place + ord(name) / 7, place * 2.0]
            track.add_target(stem, dict.fromkeys(MUSEVAL_METRICS, np.array(frames)))
            of_song[stem] = dict.fromkeys(MUSEVAL_METRICS, median_of_frames(frames))
        store.add_track(track)
        values.append(SongValues(of_song, {}, {}))
    expected = store.agg_frames_tracks_scores()
    for metric in MUSEVAL_METRICS:
        found = average(metric, values)
        assert found is not None
        assert found.count == "2 to 3 of 3 songs"
        for stem in STEMS:
            assert found.scores[stem] == pytest.approx(expected[stem, metric], abs=1e-6)


def test_no_floor_where_a_song_that_counts_has_none() -> None:
    first, second = songs("SDR", 3.0, 5.0)
    found = average("SDR", [first, second._replace(floor={})])
    assert found is not None
    assert (dict(found.floor), found.ceiling["drums"]) == ({}, 10.5)


def test_no_song_that_counts_gives_nothing() -> None:
    assert average("SDR", songs("SDR", None)) is None
    assert average("SDR", []) is None
