"""A data set's scores from those of its songs: one rule for tables, reports and comparisons.

- museval's metrics are medians of songs, as museval and the papers that quote it have them; all
  others are means.
- A song counts for a metric where all four stems have it: museval gives nothing for a song with a
  silent stem. How many of the songs count is said beside the score.
- Floor and ceiling are those of the songs that count, and nothing where one of them has none.
- The mean over stems is that of the four stems' averages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from evaluator.bss_eval import METRICS as MUSEVAL_METRICS
from evaluator.sound import STEMS

Values = Mapping[str, Mapping[str, float | None]]
"""``{stem: {metric: dB}}``; what is not known is None or left out."""

Array = npt.NDArray[np.float64]


class SongValues(NamedTuple):
    """A song's scores, and those of its floor and its ceiling."""

    scores: Values
    floor: Values
    ceiling: Values


@dataclass(frozen=True)
class Average:
    """A metric over songs.

    Attributes:
        metric: its key.
        num_songs: how many songs count.
        out_of: how many there are.
        scores: of each stem, in dB.
        floor: likewise; empty where a song that counts has none.
        ceiling: likewise.
    """

    metric: str
    num_songs: int
    out_of: int
    scores: Mapping[str, float]
    floor: Mapping[str, float]
    ceiling: Mapping[str, float]

    @property
    def count(self) -> str:
        """Which songs these are, such as ``2 of 3 songs``."""
        return counted(self.num_songs, self.out_of)


def kind_of_average(metric: str) -> Literal["mean", "median"]:
    """Tell how a metric is averaged over songs."""
    return "median" if metric in MUSEVAL_METRICS else "mean"


def over_songs(metric: str, values: npt.ArrayLike, axis: int = 0) -> Array:
    """Average a metric over songs.

    Args:
        metric: its key.
        values: in dB, songs along ``axis``; none may be missing.
        axis: of the songs.
    """
    function = np.median if kind_of_average(metric) == "median" else np.mean
    return np.asarray(function(np.asarray(values, np.float64), axis=axis))


def has(values: Values, metric: str) -> bool:
    """Tell whether all four stems have a metric."""
    return all(values.get(stem, {}).get(metric) is not None for stem in STEMS)


def by_stem(values: Values, metric: str) -> list[float]:
    """Give a metric of a song that has it, in the order of `STEMS`."""
    return [value for stem in STEMS if (value := values[stem][metric]) is not None]


def mean_over_stems(values: Values, metric: str) -> float | None:
    """Mean of a metric over the four stems; None unless all have it."""
    return sum(by_stem(values, metric)) / len(STEMS) if has(values, metric) else None


def average(metric: str, songs: Sequence[SongValues]) -> Average | None:
    """Average a metric over the songs that have it; None where no song has."""
    counting = [song for song in songs if has(song.scores, metric)]
    if not counting:
        return None

    def averaged(values: Sequence[Values]) -> dict[str, float]:
        if not all(has(of_song, metric) for of_song in values):
            return {}
        found = over_songs(metric, [by_stem(of_song, metric) for of_song in values])
        return {stem: float(value) for stem, value in zip(STEMS, found, strict=True)}

    return Average(
        metric,
        num_songs=len(counting),
        out_of=len(songs),
        scores=averaged([song.scores for song in counting]),
        floor=averaged([song.floor for song in counting]),
        ceiling=averaged([song.ceiling for song in counting]),
    )


def counted(some: int, all_of_them: int) -> str:
    """Say ``2 of 3 songs``, or ``3 songs`` where it is all of them."""
    share = f"{some} of " if some != all_of_them else ""
    return f"{share}{all_of_them} song{'s' if all_of_them != 1 else ''}"
