"""A run of `demix evaluate` and its songs, as comparisons and reports take them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluator.aggregation import SongValues, Values, counted
from evaluator.contamination import union
from evaluator.errors import one_line
from evaluator.origins import Origin

METRICS = {
    "global_sdr": "SDR (challenge)",
    "si_sdr": "SI-SDR",
    "SDR": "SDR (museval)",
    "SIR": "SIR (museval)",
    "ISR": "ISR (museval)",
    "SAR": "SAR (museval)",
}
"""The metrics of a song's stem, in dB, and how they are called."""


STALE = "newer than their scores: run demix evaluate --skip-existing"


@dataclass(frozen=True)
class Frame:
    """A stem's SDR in a stretch of a song.

    Attributes:
        start: seconds.
        duration: likewise.
        sdr: dB; NaN where the stem is silent.
    """

    start: float
    duration: float
    sdr: float


@dataclass(frozen=True)
class Degradation:
    """A stretch of a song that is not the whole recipe's, for want of time.

    Attributes:
        start: seconds.
        stop: likewise.
        stems: those that it is about.
        step: of the budget's ladder.
        detail: what is different.
    """

    start: float
    stop: float
    stems: tuple[str, ...]
    step: str
    detail: str


@dataclass(frozen=True)
class Song:
    """A song of a run.

    Attributes:
        name: below the run's folder.
        folder: of the estimates.
        scores: of the estimates.
        floor: of a quarter of the mixture as every stem.
        ceiling: of ideal ratio masks.
        separation_seconds: that separating took.
        null_depth_db: how far below the mixture lies what the stems' sum leaves of it.
        reference: a folder with the mixture and the stems, or a ``.stem.mp4``.
        degradations: what there was no time for.
        incidents: what went wrong on the way.
        origin: how the stems were made, see `origins`; None where that is not known.
        subset: of MUSDB18, which the song is from; None where that is not known.
        warning: why the scores mean little; None where they mean something.
        frames: SDR over time by museval; empty where it was not computed.
        is_stale: whether its stems were written after its scores, which are left out then, and so
            is all else that was known of the stems before.
    """

    name: str
    folder: Path
    scores: Values
    floor: Values
    ceiling: Values
    separation_seconds: float | None
    null_depth_db: float | None
    reference: Path | None
    degradations: tuple[Degradation, ...]
    incidents: tuple[str, ...]
    origin: Origin | None
    subset: str | None
    warning: str | None
    frames: Mapping[str, tuple[Frame, ...]]
    is_stale: bool

    @property
    def title(self) -> str:
        """The name as it can be shown: printable, whatever the folder is called."""
        return one_line(self.name)

    @property
    def values(self) -> SongValues:
        """What an average over songs takes."""
        return SongValues(self.scores, self.floor, self.ceiling)


def places(songs: Iterable[Song]) -> Counter[str]:
    """Give the folders of what songs were scored on, with how many are of each."""
    return Counter(str(song.reference.parent) for song in songs if song.reference is not None)


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        folder: it lies in.
        system: its name; the folder's where no file says.
        songs: sorted by name.
    """

    folder: Path
    system: str
    songs: tuple[Song, ...]

    @property
    def origins(self) -> list[Origin | None]:
        """How each song's stems were made."""
        return [song.origin for song in self.songs]

    @property
    def warnings(self) -> list[str]:
        """Why scores mean little, with how many songs' they are."""
        return union([song.warning for song in self.songs])

    @property
    def stale(self) -> list[str]:
        """Say, in a line, whose scores are left out because the stems came later."""
        count = sum(song.is_stale for song in self.songs)
        songs = counted(count, len(self.songs))
        return [f"The stems of {songs} are {STALE}"] if count else []

    @property
    def scores(self) -> dict[str, Values]:
        """Scores of the songs that have some."""
        return {song.name: song.scores for song in self.songs if song.scores}
