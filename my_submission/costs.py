"""What networks cost on this machine, measured: what a time budget is planned with."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol

LONG_PASS = 10.0
"""Seconds from which one probe must do; shorter ones are measured again, warmed up."""


@dataclass(frozen=True)
class PassCost:
    """What one network costs.

    Attributes:
        seconds: Of one pass.
        shared: Seconds that passes run together take but once.
        samples: Of the song that a pass covers.
        overlap: Share of them that the next pass covers as well.
        scales: Whether a shorter stretch costs less; otherwise every pass costs the same.
        at_once: Passes that are run together, and end together.
    """

    seconds: float
    samples: int
    overlap: float = 0.0
    scales: bool = False
    at_once: int = 1
    shared: float = 0.0

    def seconds_for(self, num_samples: int, max_overlap: float = 1.0) -> float:
        """Give the seconds for so many samples in one piece, with at most this overlap."""
        stride = max(1, int(self.samples * (1 - min(self.overlap, max_overlap))))
        sizes = [
            min(self.samples, num_samples - start) / self.samples
            for start in range(0, num_samples, stride)
        ]
        return sum(
            self.seconds_together(sizes[first : first + self.at_once])
            for first in range(0, len(sizes), self.at_once)
        )

    @property
    def together(self) -> float:
        """Seconds of full passes that are run, and end, together."""
        return self.seconds_together([1.0] * self.at_once)

    def scaled(self, factor: float) -> "PassCost":
        """Give what it costs on a machine so many times slower."""
        return replace(self, seconds=self.seconds * factor, shared=self.shared * factor)

    def seconds_together(self, sizes: Sequence[float]) -> float:
        """Give the seconds of passes that are run together, by their parts of a full one."""
        if not self.scales:
            return self.shared + self.seconds * len(sizes)
        return self.shared * max(sizes) + self.seconds * sum(sizes)


@dataclass(frozen=True)
class Costs:
    """What a system's networks cost.

    Attributes:
        tfc_tdf: Of each TFC-TDF network; empty where a system has none.
        demucs: Likewise.
        set_up: Seconds that loading and measuring them took.
    """

    tfc_tdf: tuple[PassCost, ...]
    demucs: tuple[PassCost, ...]
    set_up: float

    def scaled(self, factor: float) -> "Costs":
        """Give what it costs on a machine so many times slower."""

        def slower(costs: Sequence[PassCost]) -> tuple[PassCost, ...]:
            return tuple(cost.scaled(factor) for cost in costs)

        return Costs(slower(self.tfc_tdf), slower(self.demucs), self.set_up * factor)

    def tfc_tdf_seconds(self, num_samples: int) -> float:
        """Give the seconds of all TFC-TDF networks for so many samples in one piece."""
        return sum(cost.seconds_for(num_samples) for cost in self.tfc_tdf)

    def demucs_seconds(self, num_samples: int, max_overlap: float = 1.0) -> float:
        """Give the seconds of all Demucs networks for so many samples in one piece."""
        return sum(cost.seconds_for(num_samples, max_overlap) for cost in self.demucs)

    @property
    def overlap(self) -> float:
        """The largest overlap of a Demucs network; 0 without any."""
        return max((cost.overlap for cost in self.demucs), default=0.0)

    @property
    def region(self) -> int:
        """Samples that one pass of every TFC-TDF network covers, if there is one."""
        return min((cost.samples for cost in self.tfc_tdf), default=0)


class Measurable(Protocol):
    """A separator that tells what it costs and when a pass is done."""

    passed: Callable[[Sequence[float]], None]
    """Called with passes that have just ended together: each one's part of a full one."""
    max_overlap: float
    """What the overlap of its segments is lowered to; 1 leaves it as it is."""

    @property
    def kind(self) -> object:
        """Give the same for separators whose passes cost the same."""
        ...

    @property
    def samples(self) -> int:
        """Give the samples of the song that a pass covers."""
        ...

    def probe(self) -> PassCost:
        """Run a pass and measure it."""
        ...


def ignore(_sizes: Sequence[float]) -> None:
    """Take no notice of passes."""


def seconds_of(run: Callable[[], object], *, is_warm: bool = False) -> float:
    """Measure the seconds of a call; of a short one the second, unless it has been made before."""
    seconds = math.inf
    for _ in range(1 if is_warm else 2):
        began = perf_counter()
        run()
        seconds = min(seconds, perf_counter() - began)
        if seconds > LONG_PASS:
            break
    return seconds


def measure(separators: Sequence[Measurable]) -> tuple[PassCost, ...]:
    """Measure separators; of those that cost the same only the first."""
    costs: dict[object, PassCost] = {}
    for separator in separators:
        if separator.kind not in costs:
            costs[separator.kind] = separator.probe()
    return tuple(
        replace(costs[separator.kind], samples=separator.samples) for separator in separators
    )
