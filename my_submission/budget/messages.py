"""What a budget's process and its worker tell each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from my_submission.budget.shared import SharedSound
from my_submission.costs import Costs, PassCost
from my_submission.parts import PartName
from my_submission.stems import Stem

if TYPE_CHECKING:  # it imports torch, which takes seconds that only the worker needs
    from my_submission.compute import BackendChoice, PrecisionChoice


@dataclass(frozen=True)
class Task:
    """What the worker is to load, and how.

    Attributes:
        system: Name of the system.
        models: Folder of weights; None for the default.
        device: As `Separator` takes it, like the next two.
        precision: See above.
        backend: See above.
        known: What a worker with the same task said; the networks are not measured again then.
    """

    system: str
    models: Path | None = None
    device: str = "auto"
    precision: "PrecisionChoice" = "auto"
    backend: "BackendChoice" = "auto"
    known: "Ready | None" = None


@dataclass(frozen=True)
class Ready:
    """The networks are loaded.

    Attributes:
        costs: What they cost.
        alone: What the networks cost that estimate a stem without the others.
        tfc_tdf_share: Of each stem, where there is Demucs as well.
        could_be_faster: Whether low precision is an option that is not used yet.
    """

    costs: Costs
    alone: Mapping[Stem, PassCost]
    tfc_tdf_share: Mapping[Stem, float] | None
    could_be_faster: bool


@dataclass(frozen=True)
class Said:
    """A line that the user should read."""

    line: str


@dataclass(frozen=True)
class Failed:
    """A `DemixError`."""

    reason: str


@dataclass(frozen=True)
class Run:
    """Estimate a stretch of the song by one part of the system.

    Two descriptors follow it: of the song, and of the file for the estimate, whose sample 0 is the
    stretch's first.

    Attributes:
        part: ``tfc_tdf`` or ``demucs``.
        start: First sample of the song.
        stop: The sample after the last.
        max_overlap: Of Demucs's segments.
        stem: The only one to estimate; None for all.
    """

    part: PartName
    start: int
    stop: int
    max_overlap: float = 1.0
    stem: Stem | None = None

    @property
    def span(self) -> range:
        """The samples of the song."""
        return range(self.start, self.stop)


@dataclass(frozen=True)
class Stop:
    """End the run after the pass that is under way."""


@dataclass(frozen=True)
class Passed:
    """Passes have ended.

    Attributes:
        seconds: That they cost when they were measured, of the run so far.
    """

    seconds: float


@dataclass(frozen=True)
class Written:
    """The estimate is in the file up to this sample of the stretch."""

    position: int


@dataclass(frozen=True)
class Ended:
    """The run is over: all is written, or it was told to stop."""


Event = Ready | Said | Failed | Passed | Written | Ended
"""What the worker says."""


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
