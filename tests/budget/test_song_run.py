"""One song against a clock that the tests turn: what is run, in which order, and never too late."""

from functools import partial

import numpy as np
import pytest

from my_submission.budget.coverage import FADE, Loudness
from my_submission.budget.finishing import safety
from my_submission.budget.record import degraded_stretches
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
    ready_with,
    steps_of,
)


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
    assert 0.9 * until < clock.now <= until
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
