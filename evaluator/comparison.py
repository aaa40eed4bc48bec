"""Whether one run is better than another: differences per song, and how sure they are.

Conventions:

- Runs are compared song by song (paired): of each song, the other run's score less the first's.
  Positive means that the other run is better.
- Songs that only one of the two has, or that lack a score in one, are left out and counted.
- The interval is a percentile bootstrap over songs: songs are drawn with replacement, as many as
  there are, and the mean difference is taken, 10 000 times; the interval holds the middle 95 %.
  Source: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
- The draws come from a seeded generator: equal input, equal interval.
- An interval says how much depends on which songs were taken, of songs like these. Over few songs
  (below about ten) it is too narrow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluator.errors import EvaluatorError
from evaluator.runs import METRICS, Values, mean_over_stems
from evaluator.sound import STEMS

MEAN = "mean"
"""In a stem's place: the mean over the four stems."""

CONFIDENCE = 0.95
RESAMPLES = 10_000
BATCH = 500
"""Resamples at a time, so that memory does not grow with their number."""


@dataclass(frozen=True)
class Difference:
    """Mean difference of a metric of a stem between two runs.

    Attributes:
        metric: one of ``METRICS``.
        stem: or ``MEAN``.
        songs: that both runs have this score of.
        first_db: the first run's mean over these songs.
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
    differences = []
    for metric in metrics:
        for stem in (*STEMS, MEAN):
            pairs = _pairs(first, other, paired, metric, stem)
            if pairs:
                scores = np.array(list(pairs.values()))
                differences.append(_difference(metric, stem, scores, seed))
    if not differences:
        raise EvaluatorError(f"no song has {' or '.join(metrics)} in both runs")
    ranked = _pairs(first, other, paired, metrics[0], MEAN)
    return Comparison(
        paired=tuple(paired),
        only_first=tuple(sorted(first.keys() - other.keys())),
        only_other=tuple(sorted(other.keys() - first.keys())),
        differences=tuple(differences),
        ranking=tuple(
            sorted(((song, b - a) for song, (a, b) in ranked.items()), key=lambda item: item[1])
        ),
    )


def bootstrap_interval(values: npt.ArrayLike, *, seed: int = 0) -> tuple[float, float] | None:
    """Confidence interval of a mean by resampling.

    Args:
        values: one per song, ``[songs]``.
        seed: of the resampling.

    Returns:
        The bounds, or None where there are fewer than two values.
    """
    found = np.asarray(values, np.float64)
    if len(found) < 2:
        return None
    generator = np.random.default_rng(seed)
    means = np.concatenate(
        [
            found[generator.integers(len(found), size=(BATCH, len(found)))].mean(axis=1)
            for _ in range(RESAMPLES // BATCH)
        ]
    )
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _pairs(
    first: Mapping[str, Values],
    other: Mapping[str, Values],
    songs: Sequence[str],
    metric: str,
    stem: str,
) -> dict[str, tuple[float, float]]:
    pairs = {}
    for song in songs:
        a, b = (_score(run[song], metric, stem) for run in (first, other))
        if a is not None and b is not None:
            pairs[song] = (a, b)
    return pairs


def _score(values: Values, metric: str, stem: str) -> float | None:
    if stem == MEAN:
        return mean_over_stems(values, metric)
    return values.get(stem, {}).get(metric)


def _difference(metric: str, stem: str, scores: npt.NDArray[np.float64], seed: int) -> Difference:
    gains = scores[:, 1] - scores[:, 0]
    first_db, other_db = (float(mean) for mean in scores.mean(axis=0))
    return Difference(
        metric=metric,
        stem=stem,
        songs=len(scores),
        first_db=first_db,
        other_db=other_db,
        difference_db=float(gains.mean()),
        interval_db=bootstrap_interval(gains, seed=seed),
    )
