"""A machine that runs networks on a clock of its own: no test of planning waits for anything."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from my_submission.budget.coverage import Loudness
from my_submission.budget.ladder import Step
from my_submission.budget.messages import Ended, Event, Passed, Ready, Run, Written
from my_submission.budget.record import Degraded
from my_submission.budget.shared import SharedSound
from my_submission.budget.song_run import SongRun
from my_submission.costs import Costs, PassCost
from my_submission.stems import SAMPLE_RATE, STEMS

TFC_TDF = (PassCost(1.0, 12 * SAMPLE_RATE),) * 4
"""Four networks of 12 seconds of song, each a second: a third of the song's length in all."""

DEMUCS = (PassCost(20.0, 40 * SAMPLE_RATE, overlap=0.5, scales=True),)
"""A network that takes as long as the song, overlapping by half."""

BOTH = Costs(TFC_TDF, DEMUCS, 5.0)
TFC_TDF_ONLY = Costs(TFC_TDF, (), 5.0)
DEMUCS_ONLY = Costs((), DEMUCS, 5.0)

SECONDS = 200
"""Of most songs here."""

NEEDED = BOTH.tfc_tdf_seconds(SECONDS * SAMPLE_RATE) + BOTH.demucs_seconds(SECONDS * SAMPLE_RATE)

MOST_RUNS = 500
"""More than any song needs: a loop that does not end is an error, not a test that hangs."""

MakeRun = Callable[..., SongRun]


@dataclass
class Clock:
    """Seconds that pass only where somebody works or waits."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class FakeRunner:
    """Makes runs as the worker does, and takes as long as it is told to.

    Args:
        costs: What passes took when they were measured.
        clock: Whose time they take.
        slowness: Maps the time to how many times longer a pass that begins then takes.
    """

    def __init__(
        self, costs: Costs, clock: Clock, slowness: Callable[[float], float] = lambda now: 1.0
    ) -> None:
        self.runs: list[Run] = []
        self.num_stops = 0
        self.longest = 0.0  # seconds of a pass
        self._costs, self._clock, self._slowness = costs, clock, slowness
        self._passes: Iterator[tuple[float, int]] = iter(())
        self._told: deque[Event] = deque()
        self._pass: tuple[float, int] | None = None
        self._left = self._spent = 0.0
        self._is_running = self._is_stopped = False

    def start(self, run: Run, _song: SharedSound, estimate: SharedSound) -> None:
        assert not self._is_running, "one run at a time"
        assert len(self.runs) < MOST_RUNS, "it does not come to an end"
        assert run.start < run.stop
        self.runs.append(run)
        costs = self._costs.tfc_tdf if run.part == "tfc_tdf" else self._costs.demucs
        if run.stem is not None:
            costs = costs[:1]
        self._passes = _passes(costs, run.stop - run.start, run.max_overlap)
        self._descriptor = estimate.descriptor
        self._frame_bytes = 4 * estimate.num_channels
        self._pass, self._spent = None, 0.0
        self._is_running, self._is_stopped = True, False

    def stop(self) -> None:
        self.num_stops += 1
        self._begin()  # it has, before it hears of the stop
        self._is_stopped = True

    def event(self, seconds: float) -> Event | None:
        if self._told:
            return self._told.popleft()
        self._begin()
        if self._pass is None:
            self._is_running = False
            return Ended()
        if self._left > seconds:
            self._clock.now += max(0.0, seconds)
            self._left -= max(0.0, seconds)
            return None
        self._clock.now += self._left
        cost, position = self._pass
        self._pass = None
        self._spent += cost
        if position and not self._is_stopped:
            os.truncate(self._descriptor, self._frame_bytes * position)  # of zeros
            self._told.append(Written(position))
        return Passed(self._spent)

    def _begin(self) -> None:
        if self._pass is None and not self._is_stopped:
            self._pass = next(self._passes, None)
            if self._pass is not None:
                self._left = self._pass[0] * self._slowness(self._clock.now)
                self.longest = max(self.longest, self._left)


def _passes(
    costs: Sequence[PassCost], num_samples: int, max_overlap: float
) -> Iterator[tuple[float, int]]:
    """Give the seconds of each pass, and how far all networks have come with it."""
    ways = [_way(cost, num_samples, max_overlap) for cost in costs]
    positions = [0] * len(ways)
    while (done := min(positions)) < num_samples:
        for index, way in enumerate(ways):
            while positions[index] <= done:
                seconds, positions[index] = next(way)
                yield seconds, min(positions)


def _way(cost: PassCost, num_samples: int, max_overlap: float) -> Iterator[tuple[float, int]]:
    stride = int(cost.samples * (1 - min(cost.overlap, max_overlap)))
    for start in range(0, num_samples, stride):
        share = min(cost.samples, num_samples - start) / cost.samples if cost.scales else 1.0
        yield share * cost.seconds, min(start + stride, num_samples)


def loudness_of(levels: Sequence[float]) -> Loudness:
    """Give the loudness of a song with these amplitudes, a second each."""
    loudness = Loudness()
    for level in levels:
        loudness.add(np.full((2, SAMPLE_RATE), level, np.float32))
    return loudness


def ready_with(costs: Costs) -> Ready:
    """Give what a worker says that has loaded a system with these costs."""
    alone = dict(zip(STEMS, costs.tfc_tdf, strict=False))
    return Ready(costs, alone, dict.fromkeys(STEMS, 0.5), False)


def compute(run: SongRun, runner: FakeRunner, costs: Costs, fast: Costs | None = None) -> bool:
    return run.compute(runner, ready_with(costs), fast, False)


def everywhere(step: Step, detail: str) -> Degraded:
    return Degraded(0, SECONDS, step, list(STEMS), detail)


def steps_of(degraded: list[Degraded]) -> set[str]:
    return {stretch.step for stretch in degraded}
