"""How fast the machine is at present: told by the passes of the networks, and by a probe."""

import time
from collections.abc import Callable

HABIT = 0.5
"""Weight of what was known in the estimate of the passes' pace; the rest is the last pass's."""

WINDOW = 0.1
"""Seconds in which a container gets its share of the processor at least once (Linux's default)."""

SUSPICIOUS = 1.5
"""Times slower or faster than at the last probe that passes are, when it is made again."""

PROBE_AGAIN = 5 * WINDOW
"""Seconds after which it may be: the networks need the processor."""


def probe() -> float:
    """Measure how many times longer this process takes than one that always runs.

    It takes a tenth of a second: what is shorter may miss that it is stopped in between.
    """
    began, worked = time.perf_counter(), time.thread_time()
    while time.perf_counter() - began < WINDOW:
        pass
    return max(1.0, (time.perf_counter() - began) / max(time.thread_time() - worked, 1e-3))


class Pace:
    """How many times longer passes, and this process's own work, take than when measured.

    The two differ: networks on all cores suffer more from another program than one thread does,
    and where they are slow for a reason of their own, time to write need not be kept for it. So
    passes that are slower or faster than before only give rise to a probe.

    Args:
        clock: Gives seconds.
        probe: Measures the pace of this process, as it will be at the end, without the networks.
        own: This process's as the song began; the passes are taken to have it until one ends.

    Attributes:
        passes: The pace of the last passes, to plan with.
        own: This process's, when it was probed last: to keep time for the end with.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        probe: Callable[[], float] = lambda: 1.0,
        *,
        own: float = 1.0,
    ) -> None:
        self.passes = self.own = own
        self._clock, self._probe = clock, probe
        self._has_passed = False
        self._last = self._passes_then = own  # of passes, now and at the last probe
        self._probed = clock() - PROBE_AGAIN
        self._since = self._longest = 0.0  # of the run under way

    def begin(self, longest: float) -> None:
        """Take notice that a run begins.

        Args:
            longest: Seconds of its longest passes, as they were measured.
        """
        self._since, self._longest = self._clock(), longest

    def passed(self, measured: float) -> None:
        """Take notice that passes have ended which took so many seconds when they were measured."""
        now = self._clock()
        pace = (now - self._since) / measured
        # What was measured tells less than this song's first pass.
        habit = HABIT if self._has_passed else 0.0
        self.passes = habit * self.passes + (1 - habit) * pace
        self._has_passed, self._since, self._last = True, now, pace

    @property
    def is_guess(self) -> bool:
        """Whether only a probe as the song began says that passes are slow."""
        return not self._has_passed and self.passes > 1

    @property
    def suspicious_at(self) -> float:
        """When `check` is due: the last pass was another than before, or this one takes long."""
        again = self.again
        if not 1 / SUSPICIOUS < self._last / self._passes_then < SUSPICIOUS:
            return again
        return max(again, self._since + SUSPICIOUS * self._passes_then * self._longest)

    @property
    def again(self) -> float:
        """When this process may be probed again."""
        return self._probed + PROBE_AGAIN

    def look(self) -> None:
        """Probe this process."""
        found = self._probe()
        self.own = max(found, (found + self.own) / 2)  # slower at once, faster by and by
        self._probed = self._clock()

    def check(self) -> None:
        """Probe because of a run under way; what its passes take is then known for a reason."""
        self.look()
        under_way = (self._probed - self._since) / self._longest
        self._passes_then = self._last = max(self._last, under_way)

    def latest(self, deadline: float, reserve: float) -> float:
        """Give when to begin what takes `reserve` seconds at pace 1 to be done by `deadline`."""
        return deadline - self.own * reserve
