"""The ladder: which step a time affords, without anything being run."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from my_submission.budget.ladder import (
    NO_LIMIT,
    OVERLAPS,
    SHORTEST_PART,
    STEPS,
    Plan,
    Step,
    affordable,
    make_plan,
)
from my_submission.costs import Costs, PassCost
from my_submission.stems import SAMPLE_RATE
from tests.budget.fakes import BOTH, DEMUCS_ONLY, TFC_TDF_ONLY

SONG = 200 * SAMPLE_RATE
FAST = replace(BOTH.scaled(0.5), set_up=5.0)


def plans_as_time_shrinks(
    costs: Costs, fast: Costs | None = None, num_samples: int = SONG
) -> list[Plan]:
    times = np.arange(400, -2, -0.5)
    return [make_plan(num_samples, num_samples, float(time), costs, fast) for time in times]


def steps(plans: list[Plan]) -> list[Step]:
    """Give the steps in the order in which they come, each once as long as it lasts."""
    return [
        plan.step
        for before, plan in zip([None, *plans], plans, strict=False)
        if before is None or before.step != plan.step
    ]


@pytest.mark.parametrize(
    ("costs", "fast", "expected"),
    [
        (BOTH, FAST, list(STEPS)),
        (BOTH, None, ["full", "overlap", "part", "tfc_tdf", "split"]),
        (TFC_TDF_ONLY, None, ["full", "split"]),
        (TFC_TDF_ONLY, replace(FAST, demucs=()), ["full", "fast", "split"]),
        (DEMUCS_ONLY, None, ["full", "overlap", "split"]),
        (DEMUCS_ONLY, replace(FAST, tfc_tdf=()), ["full", "overlap", "fast", "split"]),
    ],
)
def test_every_step_is_reached_in_order(
    costs: Costs, fast: Costs | None, expected: list[Step]
) -> None:
    plans = plans_as_time_shrinks(costs, fast)
    assert steps(plans) == expected
    assert any(plan.is_fast for plan in plans) == (fast is not None)


def test_the_overlap_shrinks_by_steps_down_to_the_smallest() -> None:
    plans = plans_as_time_shrinks(BOTH)
    overlaps = [plan.max_overlap for plan in plans if plan.step in ("full", "overlap")]
    assert list(dict.fromkeys(overlaps)) == [NO_LIMIT, 0.25, 0.1]
    assert {plan.max_overlap for plan in plans if plan.step == "part"} == {OVERLAPS[-1]}


def test_an_overlap_that_is_small_already_is_no_step() -> None:
    costs = replace(BOTH, demucs=(replace(BOTH.demucs[0], overlap=0.1),))
    assert steps(plans_as_time_shrinks(costs)) == ["full", "part", "tfc_tdf", "split"]


def test_full_and_less_take_what_is_missing() -> None:
    plan = make_plan(7 * SAMPLE_RATE, 9 * SAMPLE_RATE, 1000, BOTH)
    assert plan == Plan("full", 4 + 4.5, 7 * SAMPLE_RATE, 9 * SAMPLE_RATE)
    done = make_plan(0, 0, 0.1, BOTH)
    assert (done.step, done.seconds, done.tfc_tdf, done.demucs) == ("full", 0, 0, 0)


def test_a_split_takes_whole_regions_and_as_many_as_fit() -> None:
    for time in np.arange(0, 68, 0.7):
        plan = make_plan(SONG, SONG, float(time), BOTH)
        regions, rest = divmod(plan.tfc_tdf, BOTH.region)
        assert (plan.step, plan.demucs, rest) == ("split", 0, 0)
        assert plan.seconds == pytest.approx(4 * regions)
        assert plan.seconds <= time < plan.seconds + 4


def test_a_region_is_a_pass_of_the_network_that_covers_least() -> None:
    costs = replace(
        TFC_TDF_ONLY, tfc_tdf=(PassCost(1.0, 12 * SAMPLE_RATE), PassCost(2.0, 10 * SAMPLE_RATE))
    )
    assert costs.region == 10 * SAMPLE_RATE
    assert make_plan(SONG, 0, 7, costs).tfc_tdf == 20 * SAMPLE_RATE
    assert DEMUCS_ONLY.region == 0


def test_demucs_gets_what_tfc_tdf_leaves() -> None:
    needed = BOTH.tfc_tdf_seconds(SONG)
    plan = make_plan(SONG, SONG, needed + 10, BOTH)
    assert (plan.step, plan.tfc_tdf) == ("part", SONG)
    assert plan.demucs == pytest.approx(20 * SAMPLE_RATE, abs=SAMPLE_RATE // 4)
    without = make_plan(SONG, SONG, needed + BOTH.demucs_seconds(SHORTEST_PART) - 0.2, BOTH)
    assert (without.step, without.tfc_tdf, without.demucs) == ("tfc_tdf", SONG, 0)


def test_demucs_is_not_begun_for_less_than_is_worth_it() -> None:
    song = 60 * SAMPLE_RATE
    assert affordable(song, 2.0, BOTH, 0.1) == 0
    assert affordable(song, -1.0, BOTH, 0.1) == 0
    assert affordable(song, 1000.0, BOTH, 0.1) == song
    for seconds in (3.0, 7.0, 22.0):
        fits = affordable(song, seconds, BOTH, 0.1)
        assert BOTH.demucs_seconds(fits, 0.1) <= seconds
        assert BOTH.demucs_seconds(fits + SAMPLE_RATE // 4, 0.1) > seconds
    # What is missing is less: all of it or nothing.
    assert affordable(SAMPLE_RATE, 0.6, BOTH, 0.1) == SAMPLE_RATE
    assert affordable(SAMPLE_RATE, 0.4, BOTH, 0.1) == 0


def test_low_precision_is_for_machines_that_have_it_and_time_to_change_over() -> None:
    needed = BOTH.tfc_tdf_seconds(SONG) + BOTH.demucs_seconds(SONG, 0.1)
    assert make_plan(SONG, SONG, needed - 1, BOTH, FAST).step == "fast"
    assert make_plan(SONG, SONG, needed - 1, BOTH, None).step == "part"
    slow = make_plan(SONG, SONG, needed - 1, BOTH, replace(FAST, set_up=needed))
    assert (slow.step, slow.is_fast) == ("part", False)


def test_changing_over_that_gains_nothing_is_not_planned() -> None:
    # TFC-TDF is done, and neither way leaves time for Demucs.
    plan = make_plan(0, SONG, 2.0, BOTH, replace(FAST, set_up=1.9))
    assert (plan.step, plan.is_fast, plan.demucs) == ("tfc_tdf", False, 0)


def random_costs(rng: np.random.Generator) -> Costs:
    def passes(most: int, overlap: float) -> tuple[PassCost, ...]:
        return tuple(
            PassCost(
                float(10 ** rng.uniform(-2, 1.5)),
                int(rng.integers(2 * SAMPLE_RATE, 45 * SAMPLE_RATE)),
                overlap,
                bool(rng.integers(2)),
            )
            for _ in range(rng.integers(most + 1))
        )

    overlap = float(rng.choice([0.0, 0.1, 0.25, 0.5, 0.85]))
    return Costs(passes(4, 0.0), passes(3, overlap), float(rng.uniform(0, 30)))


@pytest.mark.parametrize("seed", range(20))
def test_more_time_never_gives_less(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(10):
        costs = random_costs(rng)
        fast = costs.scaled(float(rng.uniform(0.2, 1.1))) if rng.integers(2) else None
        num_samples = int(10 ** rng.uniform(0, 7.3))
        everything = costs.tfc_tdf_seconds(num_samples) + costs.demucs_seconds(num_samples)
        plans = [
            make_plan(num_samples, num_samples, time, costs, fast)
            for time in (-1.0, *np.linspace(0, 1.05 * everything + 0.1, 60).tolist())
        ]
        for less, more in pairwise(plans):
            assert STEPS.index(more.step) <= STEPS.index(less.step)
            assert (more.tfc_tdf, more.demucs) >= (less.tfc_tdf, less.demucs)
            if more.step == less.step:
                assert more.max_overlap >= less.max_overlap
        assert plans[-1].step == "full"


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_fits_into_the_time(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    for _ in range(50):
        costs = random_costs(rng)
        fast = costs.scaled(0.5) if rng.integers(2) else None
        tfc_tdf, demucs = (int(10 ** rng.uniform(0, 7.3)) * int(rng.integers(2)) for _ in range(2))
        time = float(10 ** rng.uniform(-1, 2.5))
        plan = make_plan(tfc_tdf, demucs, time, costs, fast)
        assert plan.tfc_tdf <= tfc_tdf
        assert plan.demucs <= demucs
        if not plan.tfc_tdf and not plan.demucs:
            continue
        used = fast if plan.is_fast and fast else costs
        needed = used.tfc_tdf_seconds(plan.tfc_tdf) if plan.step != "split" else plan.seconds
        if plan.step != "split":
            needed += used.demucs_seconds(plan.demucs, plan.max_overlap)
            needed += used.set_up if plan.is_fast else 0
        assert plan.seconds == pytest.approx(needed)
        assert plan.seconds <= time + 1e-9


def test_without_time_nothing_is_planned_whatever_the_system() -> None:
    for costs in (BOTH, TFC_TDF_ONLY, DEMUCS_ONLY):
        for fast in (None, replace(costs.scaled(0.5), set_up=5.0)):
            plan = make_plan(SONG, SONG, -0.5, costs, fast)
            assert (plan.step, plan.tfc_tdf, plan.demucs) == ("split", 0, 0)
