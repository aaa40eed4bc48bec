"""One song against the clock: plans, runs what is planned, and plans anew after every pass."""

from collections.abc import Callable, Iterator, Sequence

from my_submission.budget.assembly import Estimates, assembled
from my_submission.budget.coverage import FADE, Coverage, Loudness, Stretch
from my_submission.budget.finishing import Finishing, Hurry
from my_submission.budget.ladder import NO_LIMIT, OVERLAPS, SHORTEST_PART, Plan, make_plan
from my_submission.budget.messages import Ended, Passed, Ready, Run, Runner, Written
from my_submission.budget.pace import Pace
from my_submission.budget.shared import SharedSound
from my_submission.budget.single_stems import SingleStems
from my_submission.costs import Costs, PassCost
from my_submission.parts import PartName
from my_submission.stems import STEMS, Audio

PLANNED_SHARE = 0.95
"""Of the time left, that plans make use of: passes take longer at times."""

PLENTY = 0.5
"""Share of the time left that TFC-TDF must fit into for single stems to be given up for it."""

EXPECTED = 1.1
"""Times what a run is expected to take: then it is waited for no longer than needed."""


class SongRun:
    """Estimates as much of a song as the time allows, the most important first.

    Args:
        song: Stereo, for the runner to read.
        num_samples: Its length.
        loudness: Of the song.
        deadline: When its files must be there, on `clock`.
        finishing: What they need once nothing more is computed.
        clock: Gives seconds.
        pace: How many times longer than when it was measured all takes, as far as is known.
        progress: Called with the samples done and in all, of all parts together.

    Attributes:
        estimates: What there is so far.
        pace: As above.
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
        pace: Pace,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.num_samples, self.deadline, self.clock, self.pace = num_samples, deadline, clock, pace
        self.estimates = Estimates(num_samples)
        self.plans: list[tuple[float, Plan]] = []
        self._song, self._loudness, self._progress = song, loudness, progress
        self._finishing = finishing
        self._single_stems = SingleStems(self.estimates, loudness, pace, self._left_with)
        self._running = 0  # samples that the run under way has estimated of all stems
        self._has_tried = self._is_split = self._is_trial = False

    @property
    def latest(self) -> float:
        """When to end where nothing is missing then."""
        return self._finishing.latest(self.deadline, 0, self.pace)

    @property
    def until(self) -> float:
        """When to end with what is there: what is missing takes time, too."""
        return self._until_with(self._running, len(STEMS))

    @property
    def probe_at(self) -> float:
        """When to probe this process while nothing runs; see `_suspicious_at`."""
        return max(self._finishing.tight_from(self.deadline), self.pace.again)

    @property
    def _suspicious_at(self) -> float:
        """When to probe the pace: where even on a slow machine there is time, it need not be."""
        return max(self._finishing.tight_from(self.deadline), self.pace.suspicious_at)

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
                ready.costs.scaled(self.pace.passes),
                # There is no way back from low precision, so a guess is not enough.
                None if fast is None or self.pace.is_guess else fast.scaled(self.pace.passes),
            )
            self._note(plan)
            if plan.is_fast:
                return True
            if tfc_tdf is not None and missing and plan.step == "split":
                self._is_split, self._is_trial = True, self.pace.is_guess
            elif self._is_split and (
                self._is_trial
                or not self._single_stems.gainful(ready)
                or self._is_plenty(ready.costs.tfc_tdf_seconds(missing), left)
            ):
                self._is_split = False  # the machine has become faster, or was never so slow
            if tfc_tdf is not None and missing and self._is_split:
                has_ended = self._run_single_stem(runner, ready, is_fast)
            elif tfc_tdf is not None and missing:
                run = self._run_of(tfc_tdf, "tfc_tdf", missing)
                could_do_less = fast is not None or len(run.span) > ready.costs.region
                costs = ready.costs.tfc_tdf
                has_ended = self._run(runner, run, tfc_tdf, costs, could_do_less, is_fast)
            elif demucs is not None and (demucs_samples := plan.demucs or self._tried(demucs)):
                max_overlap = plan.max_overlap if plan.demucs else NO_LIMIT
                run = self._run_of(demucs, "demucs", demucs_samples, max_overlap=max_overlap)
                lowest = min(plan.max_overlap, ready.costs.overlap) <= OVERLAPS[-1]
                could_do_less = fast is not None or not lowest
                costs = ready.costs.demucs
                has_ended = self._run(runner, run, demucs, costs, could_do_less, is_fast)
            else:
                has_ended = False
            if not has_ended:
                return False
        return False

    def hurry(self, *, is_copied: bool = False) -> Hurry:
        """Give what tells, from now on, what there is time for until the deadline.

        Args:
            is_copied: Whether one stem is written and copied; else each of them is written.
        """
        return Hurry(
            self._finishing,
            self.num_samples,
            self.estimates.num_missing,
            is_copied=is_copied,
            deadline=self.deadline,
            pace=self.pace.own,
            clock=self.clock,
        )

    def forget_estimates(self) -> None:
        """Leave it at the mixture: there is no time for more."""
        self.estimates.close()
        self.estimates = Estimates(self.num_samples)

    def assembled(self, can_split: Callable[[int], bool]) -> Iterator[Audio]:
        """Put together what there is, as consecutive blocks ``[4, 2, n]``; see `assembled`."""
        return assembled(self._song, self.estimates, can_split=can_split)

    def close(self) -> None:
        """Give the disk space back."""
        self.estimates.close()

    def _until_with(self, num_samples: int, num_stems: int) -> float:
        """Give when to end once so many samples more of so many stems are estimated."""
        missing = max(0.0, self.estimates.num_missing - num_samples * num_stems / len(STEMS))
        return self._finishing.latest(self.deadline, missing, self.pace)

    def _left_with(self, num_samples: int) -> float:
        """Give the seconds for plans if so many samples more of one stem come to be estimated."""
        return PLANNED_SHARE * (self._until_with(num_samples, 1) - self.clock())

    def _know(self, ready: Ready) -> None:
        if ready.costs.tfc_tdf and self.estimates.tfc_tdf is None:
            self.estimates.tfc_tdf = Coverage(self.num_samples)
        if ready.costs.demucs and self.estimates.demucs is None:
            self.estimates.demucs = Coverage(self.num_samples)
        self.estimates.tfc_tdf_share = ready.tfc_tdf_share

    def _run_single_stem(self, runner: Runner, ready: Ready, is_fast: bool) -> bool:
        """Run the stem that comes next; give what `_run` does, and False where nothing fits."""
        self.estimates.learn_shares(self._song)
        chosen = self._single_stems.choose(ready, has_tried=self._has_tried)
        if chosen is None:
            return False
        run, cost = chosen
        assert run.stem is not None
        coverage = self.estimates.alone.setdefault(run.stem, Coverage(self.num_samples, 1))
        could_do_less = len(run.span) > cost.samples
        return self._run(runner, run, coverage, (cost,), could_do_less, is_fast)

    def _is_plenty(self, work: float, left: float) -> bool:
        """Tell whether there is so much time that a pace misjudged once more will not matter."""
        return self.pace.passes * work <= PLENTY * left

    def _tried(self, demucs: Coverage) -> int:
        """Give the samples of Demucs that are tried where a system has nothing else.

        The machine may have been slow when it was measured.
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
        costs: Sequence[PassCost],
        could_do_less: bool,
        is_fast: bool,
    ) -> bool:
        """Make a run, as far as it comes.

        Args:
            runner: What makes it.
            run: What to run.
            coverage: What its estimate is added to.
            costs: Of the networks that it runs.
            could_do_less: Whether to end it for another plan if it comes to take too long; else it
                goes on as long as it may.
            is_fast: Whether in low precision.

        Returns:
            Whether it has ended; if not, its last pass goes on, and no other run can begin.
        """
        self._has_tried = True
        estimate = SharedSound.create(2 * coverage.num_stems)
        stretch = Stretch(estimate, run.start, run.start, run.max_overlap, is_fast)
        each = [cost.seconds_for(len(run.span), run.max_overlap) for cost in costs]
        work, spent = sum(each), 0.0
        self.pace.begin(max(map(min, each, (cost.together for cost in costs))))
        expected = self.clock() + EXPECTED * self.pace.passes * work
        try:
            runner.start(run, self._song, estimate)
            while True:
                # It may go on as long as was expected, but then what it leaves is split in time.
                give_up = min(self.latest, max(self.until, expected))
                suspicious = self._suspicious_at
                event = runner.event(min(give_up, suspicious) - self.clock())
                if event is None and give_up <= suspicious:
                    return False
                if event is None:
                    self.pace.check()
                if isinstance(event, Ended):
                    return True
                if isinstance(event, Written):
                    stretch.stop = run.start + event.position
                    if run.stem is None:  # where it fades in and out, it is missing still
                        self._running = max(0, event.position - 2 * FADE)
                        self._report(event.position)
                if isinstance(event, Passed) and event.seconds > spent:
                    self.pace.passed(event.seconds - spent)
                    spent = event.seconds
                    needed = self.pace.passes * (work - spent)
                    expected = self.clock() + EXPECTED * needed
                    if could_do_less and needed > self.latest - self.clock():
                        runner.stop()
                        could_do_less = False
        finally:
            coverage.add(stretch)
            self._running = 0

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
