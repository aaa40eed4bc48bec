"""The parts of a system that can be run alone, for whoever has not the time for all of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from my_submission.audio import Signal
from my_submission.costs import Measurable
from my_submission.stems import Audio, Stem

PartName = Literal["tfc_tdf", "demucs"]


@dataclass(frozen=True)
class Part:
    """One of the two estimates that a system blends.

    Attributes:
        stream: Maps a song to consecutive blocks ``[4, 2, n]``.
        separators: What it runs, each network once.
        alone: Those of them that estimate a stem from the song alone.
    """

    stream: Callable[[Signal], Iterator[Audio]]
    separators: Sequence[Measurable]
    alone: Mapping[Stem, "StemSeparator"] = field(default_factory=dict)


class StemSeparator(Measurable, Protocol):
    """A separator of one stem."""

    def stream(self, mixture: Signal) -> Iterator[Audio]:
        """Map a song to consecutive blocks ``[2, n]``."""
        ...


@dataclass(frozen=True)
class Parts:
    """A system's parts. The system's own result is their blend, or that of the only one.

    Attributes:
        tfc_tdf: None for a system that is Demucs alone.
        demucs: None for a system that is TFC-TDF alone.
        tfc_tdf_share: Of each stem, where there are both.
    """

    tfc_tdf: Part | None = None
    demucs: Part | None = None
    tfc_tdf_share: Mapping[Stem, float] | None = None
