"""One song against a clock that the tests turn: what is run, in which order, and never too late."""

import os
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest

from my_submission.budget.coverage import FADE, Loudness
from my_submission.budget.finishing import Finishing, Writing, safety
from my_submission.budget.ladder import Step
from my_submission.budget.messages import Event, Written
from my_submission.budget.pace import Pace
from my_submission.budget.record import Degraded, degraded_stretches
from my_submission.budget.shared import SharedSound
from my_submission.budget.song_run import SongRun
from my_submission.costs import Costs
from my_submission.stems import SAMPLE_RATE, STEMS
from tests.budget.fakes import (
    BOTH,
    DEMUCS_ONLY,
    TFC_TDF_ONLY,
    Clock,
    FakeRunner,
    loudness_of,
    ready_with,
)

SECONDS = 200
NEEDED = BOTH.tfc_tdf_seconds(SECONDS * SAMPLE_RATE) + BOTH.demucs_seconds(SECONDS * SAMPLE_RATE)
MakeRun = Callable[..., SongRun]


@pytest.fixture(scope="module")
def loudness() -> dict[int, Loudness]:
    """Give the loudness of songs, by their seconds, that swell and are loudest near the end."""
    swell = {n: np.abs(np.sin(np.arange(n) / 9)) + np.arange(n) / n for n in (1, 47, SECONDS, 430)}
    return {seconds: loudness_of(levels.tolist()) for seconds, levels in swell.items()}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_run(clock: Clock, loudness: dict[int, Loudness]) -> Iterator[MakeRun]:
    """Give what makes a run that has to end `until` then, of a song of so many seconds."""
    runs: list[SongRun] = []
    with SharedSound.create(2) as song:

        def make(
            until: float,
            seconds: int = SECONDS,
            *,
            writing: float = 0.0,
            splitting: float = 0.0,
            own: float = 1.0,
            probe: Callable[[], float] = lambda: 1.0,
            progress: Callable[[int, int], None] | None = None,
        ) -> SongRun:
            run = SongRun(
                song,
                seconds * SAMPLE_RATE,
                loudness[seconds],
                deadline=until,
                finishing=Finishing(
                    Writing(writing / safety(1.0)), Writing(writing / safety(1.0)), splitting
                ),
                clock=clock,
                progress=progress,
                pace=Pace(clock, probe, own=own),
            )
            runs.append(run)
            return run

        yield make
    for run in runs:
        run.close()


def compute(run: SongRun, runner: FakeRunner, costs: Costs, fast: Costs | None = None) -> bool:
    return run.compute(runner, ready_with(costs), fast, False)


def everywhere(step: Step, detail: str) -> Degraded:
    return Degraded(0, SECONDS, step, list(STEMS), detail)


def steps_of(degraded: list[Degraded]) -> set[str]:
    return {stretch.step for stretch in degraded}


def test_with_time_to_spare_it_is_one_run_of_each_part(clock: Clock, make_run: MakeRun) -> None:
    run, runner = make_run(1.1 * NEEDED), FakeRunner(BOTH, clock)
    assert not compute(run, runner, BOTH)
    whole = SECONDS * SAMPLE_RATE
    spans = [(made.part, made.start, made.stop, made.max_overlap) for made in runner.runs]
    assert spans == [("tfc_tdf", 0, whole, 1.0), ("demucs", 0, whole, 1.0)]
    assert run.estimates.is_whole
    assert degraded_stretches(run) == []
    assert [plan.step for _, plan in run.plans] == ["full"]
    assert clock.now == pytest.approx(NEEDED)
    assert run.pace.passes == pytest.approx(1.0)


def test_with_less_time_the_overlap_shrinks_and_tfc_tdf_is_whole(
    clock: Clock, make_run: MakeRun
) -> None:
    run, runner = make_run(0.8 * NEEDED), FakeRunner(BOTH, clock)
    compute(run, runner, BOTH)
    assert [made.part for made in runner.runs] == ["tfc_tdf", "demucs"]
    assert runner.runs[1].max_overlap == 0.25
    assert run.estimates.is_whole
    assert degraded_stretches(run) == [everywhere("overlap", "Demucs with an overlap of 0.25")]


def test_demucs_on_a_part_takes_the_loudest(clock: Clock, make_run: MakeRun) -> None:
    run, runner = make_run(0.5 * NEEDED), FakeRunner(BOTH, clock)
    compute(run, runner, BOTH)
    tfc_tdf, demucs = runner.runs[:2]
    assert (tfc_tdf.part, demucs.part) == ("tfc_tdf", "demucs")
    assert (tfc_tdf.start, tfc_tdf.stop) == (0, run.num_samples)
    assert demucs.stop == run.num_samples  # it is loudest near the end
    assert demucs.start > run.num_samples // 4
    last = degraded_stretches(run)[-1]
    assert (last.step, last.detail) == ("part", "TFC-TDF alone")
    assert last.stop <= round((demucs.start + FADE) / SAMPLE_RATE, 3)


def test_five_times_slower_in_mid_song_takes_a_lower_step(clock: Clock, make_run: MakeRun) -> None:
    until = 1.2 * NEEDED
    run = make_run(until)
    runner = FakeRunner(BOTH, clock, lambda now: 5.0 if now > 34 else 1.0)
    compute(run, runner, BOTH)
    assert clock.now <= until
    assert run.plans[0][1].step == "full"
    assert run.plans[-1][1].step != "full"
    assert steps_of(degraded_stretches(run)) & {"part", "tfc_tdf"}
    assert not any(run.estimates.uncovered(stem) for stem in STEMS)
    assert run.pace.passes > 3


def test_a_run_that_comes_to_take_too_long_is_stopped_for_another_plan(
    clock: Clock, make_run: MakeRun
) -> None:
    # Demucs is under way with its full overlap; with less, all of it still fits.
    at = BOTH.tfc_tdf_seconds(SECONDS * SAMPLE_RATE) + 30
    run = make_run(1.1 * NEEDED)
    runner = FakeRunner(BOTH, clock, lambda now: 1.5 if now > at else 1.0)
    compute(run, runner, BOTH)
    assert runner.num_stops == 1
    overlaps = [made.max_overlap for made in runner.runs if made.part == "demucs"]
    assert overlaps[0] == 1.0
    assert overlaps[1] < 0.5
    assert run.estimates.demucs is not None
    assert run.estimates.demucs.missing == 0
    assert steps_of(degraded_stretches(run)) == {"overlap"}


@pytest.mark.parametrize("costs", [BOTH, TFC_TDF_ONLY])
def test_twenty_times_slower_from_the_start_estimates_something_loud(
    clock: Clock, make_run: MakeRun, costs: Costs
) -> None:
    run, runner = make_run(240.0), FakeRunner(costs, clock, lambda now: 20.0)
    compute(run, runner, costs)
    assert clock.now <= 240
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


def test_a_stem_that_does_not_fit_as_a_whole_is_estimated_in_one_piece(
    clock: Clock, make_run: MakeRun
) -> None:
    # Of seventeen passes there is time for ten, which are measured as they come to be.
    run, runner = make_run(11.0), FakeRunner(TFC_TDF_ONLY, clock)
    compute(run, runner, TFC_TDF_ONLY)
    made = runner.runs[0]
    assert made.stem is not None
    assert len(made.span) == 10 * TFC_TDF_ONLY.region
    assert made.stop == run.num_samples  # it is loudest near the end


def test_time_for_the_split_of_what_a_run_estimates_is_not_kept(
    clock: Clock, make_run: MakeRun
) -> None:
    # One stem takes 17 s, the split of all 20; once it is estimated the others' take 15.
    splitting = 20 / safety(1.0) / (SECONDS * SAMPLE_RATE)
    run, runner = make_run(17 / 0.95 + 15.1, splitting=splitting), FakeRunner(TFC_TDF_ONLY, clock)
    compute(run, runner, TFC_TDF_ONLY)
    assert len(runner.runs[0].span) == run.num_samples
    assert not run.estimates.missing(runner.runs[0].stem or "bass")


def test_low_precision_is_asked_for_and_told(clock: Clock, make_run: MakeRun) -> None:
    run, runner = make_run(0.45 * NEEDED), FakeRunner(BOTH, clock)
    fast = BOTH.scaled(0.3)
    assert compute(run, runner, BOTH, fast)
    assert runner.runs == []
    quick = FakeRunner(fast, clock)
    assert not run.compute(quick, ready_with(fast), None, True)
    assert [made.max_overlap for made in quick.runs] == [1.0, 1.0]
    assert degraded_stretches(run) == [everywhere("fast", "low precision")] * 2


def test_progress_rises_to_the_whole(clock: Clock, make_run: MakeRun) -> None:
    seen: list[tuple[int, int]] = []
    run = make_run(0.8 * NEEDED, progress=lambda done, total: seen.append((done, total)))
    compute(run, FakeRunner(BOTH, clock), BOTH)
    total = 2 * SECONDS * SAMPLE_RATE
    assert {entry[1] for entry in seen} == {total}
    assert seen == sorted(seen)
    assert seen[-1][0] == total


@pytest.mark.parametrize("seed", range(10))
def test_a_campaign_of_songs_is_never_late(
    clock: Clock, make_run: MakeRun, seed: int, loudness: dict[int, Loudness]
) -> None:
    rng = np.random.default_rng(seed)

    def slowness(before: float, after: float, at: float, now: float) -> float:
        return before if now < at else after

    for _ in range(20):
        clock.now = 0.0
        limit = float(10 ** rng.uniform(0, np.log10(240)))
        costs = [BOTH, TFC_TDF_ONLY, DEMUCS_ONLY][rng.integers(3)]
        costs = costs.scaled(float(10 ** rng.uniform(-2, 0)))
        before, after = (10 ** rng.uniform(0, np.log10(20), 2)).tolist()
        at = float(rng.uniform(0, limit))
        seconds = list(loudness)[rng.integers(4)]
        finishing = {"writing": 0.01 * limit, "splitting": 1e-8}
        slow = partial(slowness, before, after, at)
        probe = lambda slow=slow: slow(clock.now)  # noqa: E731
        run = make_run(limit, seconds, own=before, probe=probe, **finishing)
        runner = FakeRunner(costs, clock, slow)
        fast = costs.scaled(0.5) if rng.integers(2) else None
        if compute(run, runner, costs, fast):
            assert fast is not None
            runner = FakeRunner(fast, clock, slow)
            assert not run.compute(runner, ready_with(fast), None, True)
        assert clock.now <= limit - finishing["writing"] + 1e-6
        # Writing slows down with the networks, unless it came so late that no pass told of it.
        is_noticed = not clock.now - 3 * runner.longest < at <= clock.now
        written = clock.now + slow(clock.now) * finishing["writing"] / safety(1.0)
        assert written <= limit or not is_noticed
        for coverage in (*run.estimates.parts, *run.estimates.alone.values()):
            for place in {edge for s in coverage.stretches for edge in (s.start, s.stop - 1)}:
                is_whole = coverage.read(place, place + 1)[1][0] > 1 - 1e-6
                assert is_whole or any(place in gap for gap in coverage.uncovered())
        run.close()


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
