"""Differences between runs and their confidence intervals."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest

from evaluator.comparison import MEAN, Difference, bootstrap_interval, compare
from evaluator.errors import EvaluatorError
from evaluator.sound import STEMS


def scores(**songs: float) -> dict[str, Mapping[str, Mapping[str, float]]]:
    """Give each song one SDR for all stems."""
    return {name: {stem: {"global_sdr": sdr} for stem in STEMS} for name, sdr in songs.items()}


def row(differences: tuple[Difference, ...], stem: str) -> Difference:
    return next(difference for difference in differences if difference.stem == stem)


def test_the_mean_difference_is_over_songs_that_both_have() -> None:
    result = compare(scores(a=1, b=2, c=9), scores(a=2, b=5, d=0), metrics=["global_sdr"])
    assert result.paired == ("a", "b")
    assert (result.only_first, result.only_other) == (("c",), ("d",))
    assert [difference.stem for difference in result.differences] == [*STEMS, MEAN]
    vocals = row(result.differences, "vocals")
    assert (vocals.first_db, vocals.other_db, vocals.difference_db) == (1.5, 3.5, 2.0)
    assert vocals.songs == 2


def test_songs_are_ranked_by_the_mean_of_their_stems() -> None:
    result = compare(scores(a=1, b=2, c=3), scores(a=0, b=4, c=3), metrics=["global_sdr"])
    assert result.ranking == (("a", -1.0), ("c", 0.0), ("b", 2.0))


def test_songs_without_a_stems_score_are_left_out_for_it() -> None:
    first, other = scores(a=1, b=2), scores(a=2, b=4)
    first["b"] = {**first["b"], "bass": {}}
    result = compare(first, other, metrics=["global_sdr"])
    assert result.paired == ("a", "b")
    counts = {difference.stem: difference.songs for difference in result.differences}
    assert counts == {"bass": 1, "drums": 2, "other": 2, "vocals": 2, MEAN: 1}
    assert row(result.differences, "drums").difference_db == 1.5
    assert row(result.differences, MEAN).difference_db == 1
    assert result.ranking == (("a", 1.0),)


def test_musevals_metrics_are_medians_of_songs() -> None:
    first, other = (
        {song: {stem: {"SDR": sdr - (stem == "bass")} for stem in STEMS} for song, sdr in run}
        for run in ((("a", 1.0), ("b", 2.0), ("c", 9.0)), (("a", 3.0), ("b", 8.0), ("c", 4.0)))
    )
    result = compare(first, other, metrics=["SDR"])
    vocals, mean = row(result.differences, "vocals"), row(result.differences, MEAN)
    assert (vocals.first_db, vocals.other_db, vocals.difference_db) == (2, 4, 2)
    assert (mean.first_db, mean.other_db, mean.difference_db) == (1.75, 3.75, 2)
    assert vocals.interval_db == (-5, 6)  # c alone, b alone


def test_a_run_against_itself_differs_by_nothing() -> None:
    run = scores(a=1, b=-2, c=3)
    for difference in compare(run, run).differences:
        assert difference.difference_db == 0
        assert difference.interval_db == (0, 0)
        assert not difference.is_clear


def test_swapping_the_runs_turns_the_sign() -> None:
    one, two = scores(a=1, b=2, c=4), scores(a=2, b=2.5, c=9)
    there = row(compare(one, two).differences, MEAN)
    back = row(compare(two, one).differences, MEAN)
    assert back.difference_db == pytest.approx(-there.difference_db)
    assert there.interval_db is not None and back.interval_db is not None
    assert back.interval_db == pytest.approx((-there.interval_db[1], -there.interval_db[0]))
    assert there.is_clear


def test_one_song_gives_no_interval() -> None:
    difference = compare(scores(a=1), scores(a=2)).differences[0]
    assert difference.interval_db is None
    assert not difference.is_clear


def test_no_song_in_common_is_an_error() -> None:
    with pytest.raises(EvaluatorError, match="no scored song in common"):
        compare(scores(a=1), scores(b=1))


def test_a_metric_that_no_song_has_is_an_error() -> None:
    with pytest.raises(EvaluatorError, match="no song has SIR"):
        compare(scores(a=1), scores(a=1), metrics=["SIR"])


def mean_of_draws(draws: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(draws.mean(axis=1))


def test_the_interval_is_that_of_the_normal_law_where_songs_are_many(
    rng: np.random.Generator,
) -> None:
    values = rng.normal(1, 2, 400)
    low, high = bootstrap_interval(values, mean_of_draws) or (0, 0)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(7)
    hits = 0
    for seed in range(200):
        values = generator.normal(0.5, 1, 60)
        low, high = bootstrap_interval(values, mean_of_draws, seed=seed) or (0, 0)
        hits += int(low < 0.5 < high)
    assert 0.9 <= hits / 200 <= 0.99


def test_the_interval_depends_on_the_seed_only(rng: np.random.Generator) -> None:
    values = rng.normal(size=20)
    first, again, another = (
        bootstrap_interval(values, mean_of_draws, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again != another
