"""Systems: named recipes of separators, weights and blends. One file each, and no switches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from my_submission.audio import Signal
from my_submission.compute import Compute
from my_submission.errors import DemixError
from my_submission.parts import Parts
from my_submission.stems import Audio
from my_submission.systems.demucs_bags import BAGS
from my_submission.systems.leaderboard_a import LeaderboardA
from my_submission.systems.leaderboard_b import LeaderboardB
from my_submission.systems.leaderboard_c import LeaderboardC, LeaderboardCDemucs
from my_submission.systems.starter import Starter


class System(Protocol):
    """What every system offers once its networks are loaded."""

    @property
    def parts(self) -> Parts:
        """Give its estimates one by one."""
        ...

    def separate(self, mixture: Signal) -> Iterator[Audio]:
        """Separate a song into consecutive blocks ``[4, 2, n]`` in the order of `STEMS`."""
        ...


class LoadableSystem(Protocol):
    """A system's class: its name, and how it is loaded."""

    @property
    def name(self) -> str:
        """What users call it."""
        ...

    def __call__(self, folder: Path, compute: Compute) -> System:
        """Load all networks from `folder`."""
        ...


SYSTEMS: dict[str, LoadableSystem] = {
    system.name: system
    for system in (Starter, LeaderboardA, LeaderboardB, LeaderboardC, LeaderboardCDemucs, *BAGS)
}
"""Every system by name, in the order in which lists show them."""


def find_system(name: str) -> LoadableSystem:
    """Give the system called `name`.

    Raises:
        DemixError: There is none; the message lists those there are.
    """
    if name not in SYSTEMS:
        raise DemixError(f"system {name!r} is unknown: there are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]
