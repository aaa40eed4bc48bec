"""Whether one run is better than another: differences over the same songs, and how sure they are.

Conventions:

- Runs are compared on the songs that both have. Songs that only one of the two has are left out and
  counted; those that lack a stem's score in one, for that stem and for the mean over stems.
- A run's score is its average over these songs as `aggregation` takes it: a median for museval's
  metrics, a mean for the others. The difference is the other run's average less the first's.
  Positive means that the other run is better.
- The interval is a percentile bootstrap over songs: songs are drawn with replacement, as many as
  there are, each with its scores in both runs, and the difference is taken, 10 000 times; the
  interval holds the middle 95 %.
  Source: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
- The draws come from a seeded generator: equal input, equal interval.
- An interval says how much depends on which songs were taken, of songs like these. Over few songs
  (below about ten) it is too narrow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.aggregation import Array, Values, by_stem, has, mean_over_stems, over_songs
from evaluator.errors import EvaluatorError
from evaluator.runs import METRICS
from evaluator.sound import STEMS

MEAN = "mean"
"""In a stem's place: the mean over the four stems."""

CONFIDENCE = 0.95
RESAMPLES = 10_000
BATCH = 500
"""Resamples at a time, so that memory does not grow with their number."""


@dataclass(frozen=True)
class Difference:
    """Difference of a metric of a stem between two runs.

    Attributes:
        metric: one of ``METRICS``.
        stem: or ``MEAN``.
        songs: that both runs have this metric of, for the stem; for the mean, for all four.
        first_db: the first run's average over these songs.
        other_db: the other run's.
        difference_db: the other's less the first's.
        interval_db: 95 % confidence interval of the difference; None for a single song.
    """

    metric: str
    stem: str
    songs: int
    first_db: float
    other_db: float
    difference_db: float
    interval_db: tuple[float, float] | None

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.interval_db is not None and (self.interval_db[0] > 0 or self.interval_db[1] < 0)


@dataclass(frozen=True)
class Comparison:
    """Two runs compared.

    Attributes:
        paired: songs that both have, sorted.
        only_first: songs of the first run only.
        only_other: songs of the other run only.
        differences: by metric, and in it by stem, the mean over stems last.
        ranking: songs with the difference of their mean over stems in dB in the first of the
            metrics, from where the other run loses most to where it gains most.
    """

    paired: tuple[str, ...]
    only_first: tuple[str, ...]
    only_other: tuple[str, ...]
    differences: tuple[Difference, ...]
    ranking: tuple[tuple[str, float], ...]


def compare(
    first: Mapping[str, Values],
    other: Mapping[str, Values],
    *,
    metrics: Sequence[str] = tuple(METRICS),
    seed: int = 0,
) -> Comparison:
    """Compare the scores of two runs.

    Args:
        first: ``{song: {stem: {metric: dB}}}``.
        other: likewise.
        metrics: those to compare; the first one ranks the songs.
        seed: of the resampling.

    Raises:
        EvaluatorError: the runs have no song in common, or no score of those asked for.
    """
    paired = sorted(first.keys() & other.keys())
    if not paired:
        raise EvaluatorError("the runs have no scored song in common: evaluate both on one folder")
    differences: list[Difference] = []
    for metric in metrics:
        differences += _differences(metric, first, other, paired, seed)
    if not differences:
        names = " or ".join(METRICS[metric] for metric in metrics)
        raise EvaluatorError(f"no song has {names} in both runs")
    ranked = {
        song: b - a
        for song in paired
        if (a := mean_over_stems(first[song], metrics[0])) is not None
        and (b := mean_over_stems(other[song], metrics[0])) is not None
    }
    return Comparison(
        paired=tuple(paired),
        only_first=tuple(sorted(first.keys() - other.keys())),
        only_other=tuple(sorted(other.keys() - first.keys())),
        differences=tuple(differences),
        ranking=tuple(sorted(ranked.items(), key=lambda item: item[1])),
    )


def bootstrap_interval(
    values: Array, statistic: Callable[[Array], Array], *, seed: int = 0
) -> tuple[Array, Array] | None:
    """Confidence interval of a statistic by resampling.

    Args:
        values: of each song, whatever the statistic takes, ``[songs, ...]``.
        statistic: maps draws ``[draws, songs, ...]`` to a value each, ``[draws, ...]``.
        seed: of the resampling.

    Returns:
        The bounds, as the statistic's values are shaped; None where there are fewer than two songs.
    """
    count = len(values)
    if count < 2:
        return None
    generator = np.random.default_rng(seed)
    drawn = np.concatenate(
        [
            statistic(values[generator.integers(count, size=(BATCH, count))])
            for _ in range(RESAMPLES // BATCH)
        ]
    )
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return low, high


def _differences(
    metric: str,
    first: Mapping[str, Values],
    other: Mapping[str, Values],
    paired: Sequence[str],
    seed: int,
) -> list[Difference]:
    """Compare a metric of each stem, and their mean, over the songs that have it in both runs."""
    found = [
        _difference(metric, name, stems, first, other, paired, seed)
        for name, stems in (*((stem, (stem,)) for stem in STEMS), (MEAN, STEMS))
    ]
    return [difference for difference in found if difference is not None]


def _difference(
    metric: str,
    name: str,
    stems: Sequence[str],
    first: Mapping[str, Values],
    other: Mapping[str, Values],
    paired: Sequence[str],
    seed: int,
) -> Difference | None:
    """Compare the mean of stems' averages; None where no song has all of them in both runs."""
    # [songs, runs, stems]
    scores = np.array(
        [
            [by_stem(run[song], metric, stems) for run in (first, other)]
            for song in paired
            if has(first[song], metric, stems) and has(other[song], metric, stems)
        ]
    )
    if not len(scores):
        return None

    def averages(scores: Array) -> Array:
        """Map ``[..., songs, runs, stems]`` to ``[..., runs]``."""
        return np.asarray(over_songs(metric, scores, axis=-3).mean(axis=-1))

    def gains(scores: Array) -> Array:
        of_runs = averages(scores)
        return np.asarray(of_runs[..., 1] - of_runs[..., 0])

    of_first, of_other = averages(scores)
    interval = bootstrap_interval(scores, gains, seed=seed)
    return Difference(
        metric=metric,
        stem=name,
        songs=len(scores),
        first_db=float(of_first),
        other_db=float(of_other),
        difference_db=float(of_other - of_first),
        interval_db=None if interval is None else (float(interval[0]), float(interval[1])),
    )
