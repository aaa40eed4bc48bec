"""Which stem is estimated next where TFC-TDF does not fit as a whole, and where in the song."""

from collections.abc import Callable
from math import inf

from my_submission.budget.assembly import Estimates
from my_submission.budget.coverage import Loudness
from my_submission.budget.messages import Ready, Run
from my_submission.budget.pace import Pace
from my_submission.costs import PassCost
from my_submission.stems import Stem

TRIED = 2.0
"""Times the time left that a pass may be expected to take to be tried: the pace may get better."""

STEM_GAIN_DB = {"bass": 0.54, "drums": 0.35, "other": -0.12, "vocals": 0.85}
"""What the mean SDR of the demo songs gains where the starter estimates one stem more: vocals over
the split of the mixture, then bass beside them and so on (`python -m benchmarks.lateness --gains`).
What the others leave is as good an estimate of the last one."""


class SingleStems:
    """Chooses one run of a stem after the other.

    First comes a pass of every stem that gains, all at one place: what the song's stems have of the
    mixture there tells how to split the rest of it. Then comes the stem that gains most per second,
    as much of it as fits.

    Args:
        estimates: What there is so far.
        loudness: Of the song.
        pace: Of the passes.
        left: Gives the seconds that are left once so many samples more of one stem are estimated,
            which then need not be split.
    """

    def __init__(
        self,
        estimates: Estimates,
        loudness: Loudness,
        pace: Pace,
        left: Callable[[int], float],
    ) -> None:
        self._estimates, self._loudness, self._pace, self._left = estimates, loudness, pace, left

    def choose(self, ready: Ready, *, has_tried: bool) -> tuple[Run, PassCost] | None:
        """Give the next run and what its passes cost; None where nothing fits.

        Args:
            ready: What can be run.
            has_tried: Whether any pass has been begun; else one is, however long it may take.
        """
        gainful = self.gainful(ready)
        untried = [] if self._estimates.is_begun else gainful
        untried = [item for item in untried if item[0] not in self._estimates.alone]
        for stem, cost in untried or gainful:
            gaps = self._estimates.missing(stem)
            span = self._span_for(gaps, cost, TRIED if has_tried else inf)
            if span and untried:  # the same of each
                span = self._loudest(gaps, ready.costs.region, ready.costs.region)
            if span:
                return Run("tfc_tdf", span.start, span.stop, stem=stem), cost
        return None

    def gainful(self, ready: Ready) -> list[tuple[Stem, PassCost]]:
        """List the stems of which something is missing that gain by it, the most per second first.

        What the others leave does for the rest.
        """

        def worth(item: tuple[Stem, PassCost]) -> float:
            return STEM_GAIN_DB[item[0]] / item[1].seconds

        gainful = [
            (stem, cost)
            for stem, cost in ready.alone.items()
            if STEM_GAIN_DB[stem] > 0 and self._estimates.missing(stem)
        ]
        return sorted(gainful, key=worth, reverse=True)

    def _loudest(self, gaps: list[range], num_samples: int, per_pass: int) -> range:
        """Choose the loudest piece, or one next to it.

        It leaves no hole of less than a pass, which would take one.
        """
        span = self._loudness.loudest(gaps, num_samples)
        gap = next(gap for gap in gaps if span.start in gap)
        if 0 < span.start - gap.start < per_pass:
            return gap[:num_samples]
        return gap[-num_samples:] if 0 < gap.stop - span.stop < per_pass else span

    def _span_for(self, gaps: list[range], cost: PassCost, tried: float) -> range | None:
        """Choose the loudest stretch of a stem, as long as there is time for.

        One piece is better than its loudest passes one by one: what these leave between them takes
        a pass each, however short it is, and is faded at both ends.
        """
        passes = int(self._left(0) / (self._pace.passes * cost.seconds))
        for num_samples in (
            sum(map(len, gaps)),
            passes * cost.samples,
            (passes - 1) * cost.samples,
        ):
            span = self._loudest(gaps, max(num_samples, cost.samples), cost.samples)
            if self._pace.passes * cost.seconds_for(len(span)) <= self._left(len(span)):
                return span
        span = self._loudest(gaps, cost.samples, cost.samples)
        needed = self._pace.passes * cost.seconds_for(len(span))
        return span if needed <= tried * self._left(0) else None
