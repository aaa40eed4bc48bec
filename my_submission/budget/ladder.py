"""The ladder: what a system leaves out, and in which order, where time is short.

1. ``full``: the whole recipe.
2. ``overlap``: Demucs's segments overlap by less: 0.5, 0.25 or 0.1 instead of the recipe's share.
3. ``fast``: low precision, where the machine is faster in it and the run is not in it already.
4. ``part``: Demucs on a part of the song, faded to TFC-TDF alone elsewhere.
5. ``tfc_tdf``: TFC-TDF alone.
6. ``split``: TFC-TDF for some stems or parts of the song; elsewhere a fixed split of the mixture.
   Where the time ends while that is written, silence follows.

Each step keeps the savings of those before it. A system without Demucs or without TFC-TDF goes
over the steps that it lacks. TFC-TDF comes before Demucs: its share of the blends of Leaderboard A
and B is half or more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from my_submission.costs import Costs
from my_submission.stems import SAMPLE_RATE

Step = Literal["full", "overlap", "fast", "part", "tfc_tdf", "split"]
STEPS: tuple[Step, ...] = get_args(Step)
"""From the best to the last."""

OVERLAPS = (0.5, 0.25, 0.1)
"""What Demucs's overlap is lowered to, one after the other."""

SHORTEST_PART = 5 * SAMPLE_RATE
"""Samples of Demucs below which it is not worth a run."""

NO_LIMIT = 1.0
"""The overlap stays the recipe's."""


@dataclass(frozen=True)
class Plan:
    """What is to be computed of what is still missing.

    Attributes:
        step: Of the ladder.
        seconds: That it takes.
        tfc_tdf: Samples for TFC-TDF, in pieces if they are not all.
        demucs: Samples for Demucs.
        max_overlap: Of Demucs's segments.
        is_fast: Whether in low precision.
    """

    step: Step
    seconds: float
    tfc_tdf: int
    demucs: int
    max_overlap: float = NO_LIMIT
    is_fast: bool = False


def make_plan(
    tfc_tdf: int, demucs: int, seconds: float, costs: Costs, fast: Costs | None = None
) -> Plan:
    """Find the highest step of the ladder that fits into the time.

    Args:
        tfc_tdf: Samples that TFC-TDF has not estimated yet.
        demucs: Likewise.
        seconds: That may be spent.
        costs: Of the system as it runs.
        fast: Of the system in low precision, where that is an option; ``set_up`` is what it takes
            to change over.
    """
    if not costs.tfc_tdf:
        tfc_tdf = 0
    if not costs.demucs:
        demucs = 0
    for step, max_overlap, is_fast in _rungs(costs, fast):
        used = _used(costs, fast, is_fast)
        needed = (
            used.tfc_tdf_seconds(tfc_tdf)
            + used.demucs_seconds(demucs, max_overlap)
            + (used.set_up if is_fast else 0)
        )
        if needed <= seconds:
            return Plan(step, needed, tfc_tdf, demucs, max_overlap, is_fast)

    lowest = min(costs.overlap, OVERLAPS[-1])
    candidates = [
        _partial(tfc_tdf, demucs, seconds, _used(costs, fast, is_fast), lowest, is_fast)
        for is_fast in ((False, True) if fast else (False,))
    ]
    # Where changing over gains nothing, or takes too long to pay, what runs goes on: the first.
    return max(candidates, key=lambda plan: (plan.tfc_tdf, plan.demucs))


def _used(costs: Costs, fast: Costs | None, is_fast: bool) -> Costs:
    return fast if is_fast and fast is not None else costs


def _rungs(costs: Costs, fast: Costs | None) -> Iterator[tuple[Step, float, bool]]:
    smaller = [overlap for overlap in OVERLAPS if overlap < costs.overlap]
    yield "full", NO_LIMIT, False
    for overlap in smaller:
        yield "overlap", overlap, False
    if fast is not None:
        for overlap in (NO_LIMIT, *smaller):
            yield "fast", overlap, True


def _partial(
    tfc_tdf: int, demucs: int, seconds: float, costs: Costs, overlap: float, is_fast: bool
) -> Plan:
    """Plan as much of TFC-TDF as fits, and then of Demucs."""
    change_over = costs.set_up if is_fast else 0.0
    left = seconds - change_over
    needed = costs.tfc_tdf_seconds(tfc_tdf)
    if tfc_tdf and needed > left:
        per_region = costs.tfc_tdf_seconds(costs.region)
        regions = max(0, int(left / per_region))
        part = min(regions * costs.region, tfc_tdf)
        if not part:
            return Plan("split", 0.0, 0, 0, overlap)
        return Plan("split", change_over + regions * per_region, part, 0, overlap, is_fast)
    part = affordable(demucs, left - needed, costs, overlap)
    step: Step = "split" if not costs.tfc_tdf else "part" if part else "tfc_tdf"
    if not tfc_tdf and not part:
        return Plan(step, 0.0, 0, 0, overlap)
    needed += change_over + costs.demucs_seconds(part, overlap)
    return Plan(step, needed, tfc_tdf, part, overlap, is_fast)


def affordable(num_samples: int, seconds: float, costs: Costs, overlap: float) -> int:
    """Give how many samples Demucs can estimate in the time, in one piece; 0 where hardly any."""
    low, high = 0, num_samples
    while high - low > SAMPLE_RATE // 4:
        middle = (low + high) // 2
        if costs.demucs_seconds(middle, overlap) <= seconds:
            low = middle
        else:
            high = middle
    if costs.demucs_seconds(high, overlap) <= seconds:
        low = high
    return low if low >= min(SHORTEST_PART, num_samples) else 0
