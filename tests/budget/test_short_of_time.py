"""One song with less time than TFC-TDF takes, on a clock that the tests turn."""

import os

import pytest

from my_submission.budget.coverage import FADE
from my_submission.budget.finishing import safety
from my_submission.budget.messages import Event, Written
from my_submission.budget.record import degraded_stretches
from my_submission.budget.single_stems import STEM_GAIN_DB
from my_submission.costs import Costs
from my_submission.stems import SAMPLE_RATE, STEMS
from tests.budget.fakes import (
    BOTH,
    DEMUCS_ONLY,
    NEEDED,
    SECONDS,
    TFC_TDF_ONLY,
    Clock,
    FakeRunner,
    MakeRun,
    compute,
    everywhere,
    steps_of,
)


@pytest.mark.parametrize("costs", [BOTH, TFC_TDF_ONLY])
def test_twenty_times_slower_from_the_start_estimates_something_loud(
    clock: Clock, make_run: MakeRun, costs: Costs
) -> None:
    run, runner = make_run(240.0), FakeRunner(costs, clock, lambda now: 20.0)
    compute(run, runner, costs)
    assert 240 - 20 <= clock.now <= 240  # not a pass more would fit
    assert {made.part for made in runner.runs} == {"tfc_tdf"}
    covered = [s for coverage in run.estimates.alone.values() for s in coverage.stretches]
    assert covered
    assert "split" in steps_of(degraded_stretches(run))
    # Where only a piece fits, it is the loudest: near the end; and no piece leaves holes of less
    # than a pass, which would take one each.
    pieces = [made for made in runner.runs if made.stem and len(made.span) < run.num_samples]
    assert pieces[0].stop == run.num_samples
    estimated = run.estimates.alone[pieces[0].stem or "bass"]
    assert all(len(gap) >= costs.region for gap in estimated.gaps())


@pytest.mark.parametrize("costs", [BOTH, TFC_TDF_ONLY, DEMUCS_ONLY])
def test_a_machine_that_was_measured_slow_is_tried_all_the_same(
    clock: Clock, make_run: MakeRun, costs: Costs
) -> None:
    measured = costs.scaled(2000)
    run, runner = make_run(2 * NEEDED), FakeRunner(measured, clock, lambda now: 1 / 2000)
    compute(run, runner, measured)
    assert degraded_stretches(run) == []


@pytest.mark.parametrize("costs", [BOTH, TFC_TDF_ONLY, DEMUCS_ONLY])
def test_a_process_that_was_slow_when_the_song_began_spoils_nothing(
    clock: Clock, make_run: MakeRun, costs: Costs
) -> None:
    run, runner = make_run(2 * NEEDED, own=2000.0, writing=9e-3), FakeRunner(costs, clock)
    compute(run, runner, costs)
    assert degraded_stretches(run) == []
    assert run.pace.passes < 2


def test_where_not_even_a_pass_fits_nothing_is_begun_again(clock: Clock, make_run: MakeRun) -> None:
    run, runner = make_run(1.0), FakeRunner(BOTH, clock, lambda now: 100.0)
    compute(run, runner, BOTH)
    assert clock.now == 1.0
    assert len(runner.runs) == 1
    assert degraded_stretches(run) == [
        everywhere("tfc_tdf", "TFC-TDF alone"),
        everywhere("split", "a fixed split of the mixture"),
    ]


def test_without_time_nothing_is_begun(clock: Clock, make_run: MakeRun) -> None:
    clock.now = 5.0
    run, runner = make_run(4.0), FakeRunner(BOTH, clock)
    compute(run, runner, BOTH)
    assert (runner.runs, clock.now) == ([], 5.0)
    assert steps_of(degraded_stretches(run)) >= {"split"}


def test_time_for_writing_is_kept(clock: Clock, make_run: MakeRun) -> None:
    run, runner = make_run(100.0, writing=20.0, splitting=1e-6), FakeRunner(BOTH, clock)
    compute(run, runner, BOTH)
    left = 100.0 - 20.0 - safety(1.0) * 1e-6 * run.estimates.num_missing
    assert clock.now <= left + 1e-9
    assert clock.now > 0.5 * left


def test_a_pass_of_each_stem_at_one_place_and_then_as_much_of_one_as_fits(
    clock: Clock, make_run: MakeRun
) -> None:
    # Of seventeen passes a stem there is time for twelve, which are measured as they come to be.
    run, runner = make_run(13.0), FakeRunner(TFC_TDF_ONLY, clock)
    compute(run, runner, TFC_TDF_ONLY)
    tried, made = runner.runs[:3], runner.runs[3]
    assert [one.stem for one in tried] == ["vocals", "bass", "drums"]
    assert {(one.start, one.stop) for one in tried} == {
        (run.num_samples - TFC_TDF_ONLY.region, run.num_samples)  # it is loudest near the end
    }
    assert made.stem == "vocals"
    assert len(made.span) == 9 * TFC_TDF_ONLY.region
    assert made.stop == tried[0].start + FADE


def test_where_all_stems_are_there_for_a_while_none_is_tried(
    clock: Clock, make_run: MakeRun
) -> None:
    needed = TFC_TDF_ONLY.tfc_tdf_seconds(SECONDS * SAMPLE_RATE)
    run = make_run(1.1 * needed)
    runner = FakeRunner(TFC_TDF_ONLY, clock, lambda now: 5.0 if now > needed / 2 else 1.0)
    compute(run, runner, TFC_TDF_ONLY)
    assert [made.stem for made in runner.runs][:2] == [None, "vocals"]
    assert "bass" not in run.estimates.alone


def test_time_for_the_split_of_what_a_run_estimates_is_not_kept(
    clock: Clock, make_run: MakeRun
) -> None:
    # One stem takes 17 s and a pass of two others 2, the split of all 20; of three stems, 15.
    splitting = 20 / safety(1.0) / (SECONDS * SAMPLE_RATE)
    run, runner = make_run(19 / 0.95 + 15.1, splitting=splitting), FakeRunner(TFC_TDF_ONLY, clock)
    compute(run, runner, TFC_TDF_ONLY)
    assert not run.estimates.missing("vocals")


def test_what_the_others_leave_does_for_the_stem_that_gains_nothing(
    clock: Clock, make_run: MakeRun
) -> None:
    # Each stem takes 17 s: there is time for all of them, but not as the recipe has them.
    run, runner = make_run(68 / 0.95 - 0.1), FakeRunner(TFC_TDF_ONLY, clock)
    compute(run, runner, TFC_TDF_ONLY)
    gains = [STEM_GAIN_DB[made.stem] for made in runner.runs if made.stem is not None]
    assert gains[:3] == gains[3:] == sorted(gains[:3], reverse=True)
    assert [stem for stem in STEMS if run.estimates.missing(stem)] == [
        stem for stem in STEMS if STEM_GAIN_DB[stem] <= 0
    ]


class StuckRunner(FakeRunner):
    """Estimates half of what it is to, and does not come to an end then."""

    def event(self, seconds: float) -> Event | None:
        if self._pass is None:
            self._begin()
            half = len(self.runs[-1].span) // 2
            os.truncate(self._descriptor, self._frame_bytes * half)
            return Written(half)
        self._clock.now += max(0.0, seconds)
        return None


def test_nothing_else_is_begun_while_a_pass_goes_on(clock: Clock, make_run: MakeRun) -> None:
    # What has been estimated need not be split: there would be time for another pass.
    run = make_run(2 * NEEDED, splitting=0.05 / SAMPLE_RATE)
    runner = StuckRunner(TFC_TDF_ONLY, clock)
    assert not compute(run, runner, TFC_TDF_ONLY)
    assert len(runner.runs) == 1
    assert clock.now <= 2 * NEEDED


@pytest.mark.parametrize("costs", [BOTH, TFC_TDF_ONLY])
@pytest.mark.parametrize("times_needed", [1.3, 1.6, 1.9])
@pytest.mark.parametrize("can_be_fast", [False, True])
def test_a_neighbour_as_the_song_begins_costs_a_pass_at_most(
    clock: Clock, make_run: MakeRun, costs: Costs, times_needed: float, can_be_fast: bool
) -> None:
    samples = SECONDS * SAMPLE_RATE
    needed = costs.tfc_tdf_seconds(samples) + costs.demucs_seconds(samples)
    run, runner = make_run(times_needed * needed, own=2.0), FakeRunner(costs, clock)
    fast = costs.scaled(0.5) if can_be_fast else None
    assert not compute(run, runner, costs, fast)
    assert degraded_stretches(run) == []


@pytest.mark.parametrize(("times_needed", "slowness", "slow_until"), [(2.5, 6, 15), (1.9, 3, 5)])
def test_what_a_machine_that_becomes_faster_has_time_for_is_computed(
    clock: Clock, make_run: MakeRun, times_needed: float, slowness: float, slow_until: float
) -> None:
    needed = TFC_TDF_ONLY.tfc_tdf_seconds(SECONDS * SAMPLE_RATE)
    run = make_run(times_needed * needed)
    runner = FakeRunner(TFC_TDF_ONLY, clock, lambda now: slowness if now < slow_until else 1.0)
    compute(run, runner, TFC_TDF_ONLY)
    assert degraded_stretches(run) == []
