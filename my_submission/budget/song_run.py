"""One song against the clock: plans, runs what is planned, and plans anew after every pass."""

from collections.abc import Callable, Iterator
from typing import Protocol

from my_submission.budget.assembly import Estimates, assembled
from my_submission.budget.coverage import FADE, Coverage, Loudness, Stretch
from my_submission.budget.finishing import Finishing
from my_submission.budget.ladder import NO_LIMIT, OVERLAPS, SHORTEST_PART, Plan, make_plan
from my_submission.budget.messages import Ended, Event, Passed, Ready, Run, Written
from my_submission.budget.shared import SharedSound
from my_submission.costs import Costs, PassCost
from my_submission.parts import PartName
from my_submission.stems import Audio, Stem

PLANNED_SHARE = 0.95
"""Of the time left, that plans make use of: passes take longer at times."""

HABIT = 0.5
"""Weight of what was known in the estimate of the machine's pace; the rest is the last pass's."""

PLENTY = 0.5
"""Share of the time left that TFC-TDF must fit into for single stems to be given up for it."""

STEM_GAIN_DB = {"bass": 0.37, "drums": 0.26, "other": 0.84, "vocals": 0.66}
"""What the mean SDR of the demo songs gains where one stem is estimated by the starter and the
others share the rest, over the split of the mixture (`python -m benchmarks.lateness --gains`)."""

EXPECTED = 1.1
"""Times what a run is expected to take: then it is waited for no longer than needed."""


class Runner(Protocol):
    """What makes runs: `WorkerProcess`."""

    def start(self, run: Run, song: SharedSound, estimate: SharedSound) -> None:
        """Begin a run."""
        ...

    def stop(self) -> None:
        """Ask it to end the run."""
        ...

    def event(self, seconds: float) -> Event | None:
        """Give what it says next, or None if that takes longer."""
        ...


class SongRun:
    """Estimates as much of a song as the time allows, the most important first.

    Args:
        song: Stereo, for the runner to read.
        num_samples: Its length.
        loudness: Of the song.
        deadline: When its files must be there, on `clock`.
        finishing: What they need once nothing more is computed.
        clock: Gives seconds.
        progress: Called with the samples done and in all, of all parts together.
        pace: How many times longer passes took in the last song than when they were measured.
        measure_own_pace: Gives how many times slower this process runs than when it was measured.

    Attributes:
        estimates: What there is so far.
        pace: As above, of the last passes.
        own_pace: How many times slower this process ran after the last pass than it was measured.
        plans: Each plan of another step than the one before, and when it was made.
    """

    def __init__(
        self,
        song: SharedSound,
        num_samples: int,
        loudness: Loudness,
        *,
        deadline: float,
        finishing: Finishing,
        clock: Callable[[], float],
        progress: Callable[[int, int], None] | None = None,
        pace: float = 1.0,
        measure_own_pace: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self.num_samples, self.deadline, self.clock, self.pace = num_samples, deadline, clock, pace
        self.own_pace = measure_own_pace()
        self.estimates = Estimates(num_samples)
        self.plans: list[tuple[float, Plan]] = []
        self._song, self._loudness, self._progress = song, loudness, progress
        self._finishing, self._measure_own_pace = finishing, measure_own_pace
        self._running = 0  # samples that the run under way has estimated of all stems
        self._has_tried = self._has_passed = self._is_split = False

    @property
    def latest(self) -> float:
        """When to end where nothing is missing then."""
        return self.deadline - self.own_pace * self._finishing.seconds(0)

    @property
    def until(self) -> float:
        """When to end with what is there: what is missing takes time, too."""
        missing = max(0, self.estimates.num_missing - self._running)
        return self.deadline - self.own_pace * self._finishing.seconds(missing)

    def compute(self, runner: Runner, ready: Ready, fast: Costs | None, is_fast: bool) -> bool:
        """Run what fits, until all is done or the time is over.

        Args:
            runner: What makes the runs.
            ready: What it runs, and what that costs.
            fast: What it would cost in low precision, if that is an option.
            is_fast: Whether it is in low precision because of the budget.

        Returns:
            Whether to change over to low precision and call again.
        """
        self._know(ready)
        tfc_tdf, demucs = self.estimates.tfc_tdf, self.estimates.demucs
        while (left := self.latest - self.clock()) > 0:
            missing = 0 if tfc_tdf is None else tfc_tdf.missing
            plan = make_plan(
                missing,
                0 if demucs is None else demucs.missing,
                PLANNED_SHARE * left,
                ready.costs.scaled(self.pace),
                None if fast is None else fast.scaled(self.pace),
            )
            self._note(plan)
            if plan.is_fast:
                return True
            if tfc_tdf is not None and missing and plan.step == "split":
                self._is_split = True
            elif self._is_split and self._is_plenty(ready.costs.tfc_tdf_seconds(missing), left):
                self._forget_single_stems()
            if tfc_tdf is not None and missing and self._is_split:
                has_ended = self._run_single_stem(runner, ready, is_fast)
            elif tfc_tdf is not None and missing:
                run = self._run_of(tfc_tdf, "tfc_tdf", missing)
                work = ready.costs.tfc_tdf_seconds(len(run.span))
                could_do_less = fast is not None or len(run.span) > ready.costs.region
                has_ended = self._run(runner, run, tfc_tdf, work, could_do_less, is_fast)
            elif demucs is not None and (demucs_samples := plan.demucs or self._tried(demucs)):
                max_overlap = plan.max_overlap if plan.demucs else NO_LIMIT
                run = self._run_of(demucs, "demucs", demucs_samples, max_overlap=max_overlap)
                work = ready.costs.demucs_seconds(len(run.span), plan.max_overlap)
                lowest = min(plan.max_overlap, ready.costs.overlap) <= OVERLAPS[-1]
                could_do_less = fast is not None or not lowest
                has_ended = self._run(runner, run, demucs, work, could_do_less, is_fast)
            else:
                has_ended = False
            if not has_ended:
                return False
        return False

    def assembled(self, *, by_frequency: bool) -> Iterator[Audio]:
        """Put together what there is, as consecutive blocks ``[4, 2, n]``."""
        return assembled(self._song, self.estimates, by_frequency=by_frequency)

    def close(self) -> None:
        """Give the disk space back."""
        self.estimates.close()

    def _know(self, ready: Ready) -> None:
        if ready.costs.tfc_tdf and self.estimates.tfc_tdf is None:
            self.estimates.tfc_tdf = Coverage(self.num_samples)
        if ready.costs.demucs and self.estimates.demucs is None:
            self.estimates.demucs = Coverage(self.num_samples)
        self.estimates.tfc_tdf_share = ready.tfc_tdf_share

    def _run_single_stem(self, runner: Runner, ready: Ready, is_fast: bool) -> bool:
        """Run the stem that gains most per second, as much of it as fits.

        Gives what `_run` does, and False where nothing fits.

        Where the machine may have been slow when it was measured, one pass is tried all the same.
        """
        left = self.until - self.clock()

        def worth(item: tuple[Stem, PassCost]) -> float:
            return STEM_GAIN_DB[item[0]] / item[1].seconds

        open_stems = [item for item in ready.alone.items() if self.estimates.missing(item[0])]
        for stem, cost in sorted(open_stems, key=worth, reverse=True):
            gaps = self.estimates.missing(stem)
            for span, is_tried in (
                (self._loudness.loudest(gaps, sum(map(len, gaps))), False),
                (self._loudness.loudest(gaps, cost.samples), not self._has_tried),
            ):
                work = cost.seconds_for(len(span))
                if self.pace * work <= PLANNED_SHARE * left or is_tried:
                    coverage = self.estimates.alone.setdefault(stem, Coverage(self.num_samples, 1))
                    run = Run("tfc_tdf", span.start, span.stop, stem=stem)
                    could_do_less = len(span) > cost.samples
                    return self._run(runner, run, coverage, work, could_do_less, is_fast)
        return False

    def _is_plenty(self, work: float, left: float) -> bool:
        """Tell whether there is so much time that a pace misjudged once more will not matter."""
        return self.pace * work <= PLENTY * left

    def _forget_single_stems(self) -> None:
        """Let all stems be estimated together after all: the machine has become faster."""
        self._is_split = False
        for coverage in self.estimates.alone.values():
            coverage.close()
        self.estimates.alone.clear()

    def _tried(self, demucs: Coverage) -> int:
        """Give the samples of Demucs that are tried where a system has nothing else.

        The machine may have been slow when it was measured, or in the last song.
        """
        is_alone = self.estimates.tfc_tdf is None and not self._has_tried
        return min(SHORTEST_PART, demucs.missing) if is_alone else 0

    def _run_of(
        self, coverage: Coverage, part: PartName, num_samples: int, max_overlap: float = 1.0
    ) -> Run:
        """Choose the loudest stretch of so many samples that is missing."""
        span = self._loudness.loudest(coverage.gaps(), num_samples)
        return Run(part, span.start, span.stop, max_overlap)

    def _run(
        self,
        runner: Runner,
        run: Run,
        coverage: Coverage,
        work: float,
        could_do_less: bool,
        is_fast: bool,
    ) -> bool:
        """Make a run, as far as it comes.

        Args:
            runner: What makes it.
            run: What to run.
            coverage: What its estimate is added to.
            work: Seconds that it takes at the pace that was measured.
            could_do_less: Whether to end it for another plan if it comes to take too long; else it
                goes on as long as it may.
            is_fast: Whether in low precision.

        Returns:
            Whether it has ended; if not, its last pass goes on, and no other run can begin.
        """
        self._has_tried = True
        estimate = SharedSound.create(2 * coverage.num_stems)
        stretch = Stretch(estimate, run.start, run.start, run.max_overlap, is_fast)
        spent, last = 0.0, self.clock()
        try:
            runner.start(run, self._song, estimate)
            while (event := runner.event(self._waiting(work - spent))) is not None:
                if isinstance(event, Ended):
                    return True
                if isinstance(event, Written):
                    stretch.stop = run.start + event.position
                    if run.stem is None:  # where it fades in and out, it is missing still
                        self._running = max(0, event.position - 2 * FADE)
                    self._report(event.position)
                if isinstance(event, Passed) and event.seconds > spent:
                    self.own_pace = self._measure_own_pace()
                    now = self.clock()
                    pace = (now - last) / (event.seconds - spent)
                    # What was measured, or the song before, tells less than this song's first pass.
                    habit = HABIT if self._has_passed else 0.0
                    self.pace = habit * self.pace + (1 - habit) * pace
                    self._has_passed = True
                    last, spent = now, event.seconds
                    if could_do_less and self.pace * (work - spent) > self.latest - now:
                        runner.stop()
                        could_do_less = False
            return False
        finally:
            coverage.add(stretch)
            self._running = 0

    def _waiting(self, work: float) -> float:
        """Give the seconds to wait for a run at most, of which so many seconds of work are left.

        It may go on as long as it is expected to, but then what it leaves is split in time.
        """
        now = self.clock()
        return min(self.latest, max(self.until, now + EXPECTED * self.pace * work)) - now

    def _report(self, running: int) -> None:
        """Say what is done of the parts together; of what runs, so many samples."""
        if self._progress is not None:
            parts = self.estimates.parts
            total = self.num_samples * len(parts)
            done = total - sum(part.missing for part in parts) + running
            self._progress(min(done, total), total)

    def _note(self, plan: Plan) -> None:
        if not self.plans or self.plans[-1][1].step != plan.step:
            self.plans.append((self.clock(), plan))
