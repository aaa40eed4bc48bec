"""A data set's scores from those of its songs: one rule for tables, reports and comparisons.

- museval's metrics are medians of songs, as museval and the papers that quote it have them; all
  others are means.
- A song counts for a stem where this stem has the metric, as museval's own aggregation leaves NaN
  out. museval gives nothing for a song with a silent stem. How many of the songs count is said
  beside the score.
- Floor and ceiling are those of the songs that count, and nothing where one of them has none.
- The mean over stems is that of the four stems' averages, and none where a stem has none.
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
        counts: how many songs count, by stem.
        out_of: how many there are.
        scores: in dB, of the stems that a song counts for.
        floor: likewise; without the stems of which a song that counts has none.
        ceiling: likewise.
    """

    metric: str
    counts: Mapping[str, int]
    out_of: int
    scores: Mapping[str, float]
    floor: Mapping[str, float]
    ceiling: Mapping[str, float]

    @property
    def is_of_all(self) -> bool:
        """Whether every song counts for every stem."""
        return set(self.counts.values()) == {self.out_of}

    @property
    def count(self) -> str:
        """Which songs these are, such as ``2 of 3 songs``, or ``1 to 2 of 3 songs`` by stem."""
        fewest, most = min(self.counts.values()), max(self.counts.values())
        if fewest == most:
            return counted(most, self.out_of)
        return f"{fewest} to {most} of {counted(self.out_of, self.out_of)}"


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


def has(values: Values, metric: str, stems: Sequence[str] = STEMS) -> bool:
    """Tell whether stems have a metric, all of them."""
    return all(_value(values, stem, metric) is not None for stem in stems)


def by_stem(values: Values, metric: str, stems: Sequence[str] = STEMS) -> list[float]:
    """Give a metric of stems that have it, in their order."""
    return [value for stem in stems if (value := values[stem][metric]) is not None]


def mean_over_stems(values: Values, metric: str) -> float | None:
    """Mean of a metric over the four stems; None unless all have it."""
    return sum(by_stem(values, metric)) / len(STEMS) if has(values, metric) else None


def average(metric: str, songs: Sequence[SongValues]) -> Average | None:
    """Average a metric over the songs that have it; None where no song has it of any stem."""
    counts: dict[str, int] = {}
    averages: tuple[dict[str, float], ...] = ({}, {}, {})
    for stem in STEMS:
        counting = [song for song in songs if _value(song.scores, stem, metric) is not None]
        counts[stem] = len(counting)
        for place, found in enumerate(averages):
            values = [_value(song[place], stem, metric) for song in counting]
            known = [value for value in values if value is not None]
            if known and len(known) == len(counting):
                found[stem] = float(over_songs(metric, known))
    scores, floor, ceiling = averages
    return Average(metric, counts, len(songs), scores, floor, ceiling) if scores else None


def _value(values: Values, stem: str, metric: str) -> float | None:
    return values.get(stem, {}).get(metric)


def counted(some: int, all_of_them: int) -> str:
    """Say ``2 of 3 songs``, or ``3 songs`` where it is all of them."""
    share = f"{some} of " if some != all_of_them else ""
    return f"{share}{all_of_them} song{'s' if all_of_them != 1 else ''}"
