"""What `demix evaluate` left on disk, read for comparisons and reports.

A run is a folder with a folder per song. Each song's ``scores.json`` holds its scores; where there
are none, those of the run's own ``scores.json`` are taken, which ``predict.py`` writes too.
``run.json`` tells of the system and the machine, ``museval/SONG.json`` holds scores over time, and
``SONG/*.budget.json`` what there was no time for. Only the songs' folders must be there.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.errors import EvaluatorError, one_line
from evaluator.sound import READABLE, STEMS, find_sound

METRICS = {
    "global_sdr": "SDR (challenge)",
    "si_sdr": "SI-SDR",
    "SDR": "SDR (museval)",
    "SIR": "SIR (museval)",
    "ISR": "ISR (museval)",
    "SAR": "SAR (museval)",
}
"""The metrics of a song's stem, in dB, and how they are called."""

NOT_SONGS = ("museval", "report")
"""Folders of a run that hold no song."""

Values = Mapping[str, Mapping[str, float]]
"""``{stem: {metric: dB}}``; what is not known is left out."""


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
        frames: SDR over time by museval; empty where it was not computed.
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
    frames: Mapping[str, tuple[Frame, ...]]

    @property
    def title(self) -> str:
        """The name as it can be shown: printable, whatever the folder is called."""
        return one_line(self.name)


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        folder: it lies in.
        about: contents of ``run.json``; empty where there is none.
        songs: sorted by name.
    """

    folder: Path
    about: Mapping[str, Any]
    songs: tuple[Song, ...]

    @property
    def system(self) -> str:
        """The system's name; the folder's where ``run.json`` does not say."""
        name = self.about.get("system")
        return one_line(name if isinstance(name, str) else self.folder.resolve().name)

    @property
    def scores(self) -> dict[str, Values]:
        """Scores of the songs that have some."""
        return {song.name: song.scores for song in self.songs if song.scores}


def read_run(folder: Path) -> Run:
    """Read what is known of a run; no sound is read.

    Args:
        folder: ``OUT/SYSTEM`` of ``demix evaluate``, or the results of ``predict.py``.

    Raises:
        EvaluatorError: it is no folder, holds no songs, or a file of it cannot be understood.
    """
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise EvaluatorError(f"{folder} {what}: give a folder that demix evaluate has written")
    names = list(_song_names(folder))
    if not names:
        raise EvaluatorError(
            f"{folder} holds no separated songs: give OUT/SYSTEM of demix evaluate"
        )
    overall = _read_json(folder / "scores.json").get("songs")
    songs = tuple(
        _read_song(folder, name, overall if isinstance(overall, dict) else {}) for name in names
    )
    return Run(folder, _read_json(folder / "run.json"), songs)


def mean_over_stems(values: Values, metric: str) -> float | None:
    """Mean of a metric over the four stems; None unless all have it."""
    found = [values.get(stem, {}).get(metric) for stem in STEMS]
    known = [value for value in found if value is not None]
    return sum(known) / len(known) if len(known) == len(STEMS) else None


def _song_names(folder: Path) -> Iterator[str]:
    # Deeper than one level: a song's name may hold a slash.
    for path, subfolders, files in os.walk(folder):
        here = Path(path)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        if here == folder:
            subfolders[:] = [
                name for name in subfolders if name not in NOT_SONGS or _is_song(folder / name)
            ]
        elif "scores.json" in files or _is_song(here):
            subfolders.clear()
            yield str(here.relative_to(folder))


def _is_song(folder: Path) -> bool:
    return all(find_sound(folder, stem, READABLE) for stem in STEMS)


def _read_song(run: Path, name: str, overall: Mapping[str, Any]) -> Song:
    folder = run / name
    own = _read_json(folder / "scores.json")
    scores = _values(own.get("scores"))
    if not scores and isinstance(overall.get(name), dict):
        found = {stem: _number(overall[name].get(f"sdr_{stem}")) for stem in STEMS}
        scores = {stem: {"global_sdr": sdr} for stem, sdr in found.items() if sdr is not None}
    reference = own.get("reference")
    records = [_read_json(path) for path in sorted(folder.glob("*.budget.json"))]
    try:
        return Song(
            name=name,
            folder=folder,
            scores=scores,
            floor=_values((own.get("floor") or {}).get("quarter_mixture")),
            ceiling=_values((own.get("ceiling") or {}).get("ideal_ratio_mask")),
            separation_seconds=_number(own.get("separation_seconds")),
            null_depth_db=_number(own.get("null_depth_db")),
            reference=Path(reference) if isinstance(reference, str) else None,
            degradations=tuple(
                Degradation(
                    float(part["start"]),
                    float(part["stop"]),
                    tuple(map(str, part["stems"])),
                    str(part["step"]),
                    str(part["detail"]),
                )
                for record in records
                for part in record.get("degraded", [])
            ),
            incidents=tuple(str(what) for record in records for what in record["incidents"]),
            frames=_frames(_read_json(run / "museval" / f"{name}.json")),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EvaluatorError(
            f"{folder}: its JSON files, or museval's of it, are not those of demix evaluate: "
            "write them again"
        ) from error


def _frames(document: Mapping[str, Any]) -> dict[str, tuple[Frame, ...]]:
    return {
        str(target["name"]): tuple(
            Frame(
                float(frame["time"]),
                float(frame["duration"]),
                # museval writes NaN, which others may have turned into null.
                math.nan if (sdr := _number(frame["metrics"]["SDR"])) is None else sdr,
            )
            for frame in target["frames"]
        )
        for target in document.get("targets", [])
        if target["name"] in STEMS
    }


def _values(found: object) -> dict[str, dict[str, float]]:
    if not isinstance(found, dict):
        return {}
    return {
        stem: {
            metric: number
            for metric, value in found[stem].items()
            if metric in METRICS and (number := _number(value)) is not None
        }
        for stem in STEMS
        if isinstance(found.get(stem), dict)
    }


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type]


def _read_json(path: Path) -> dict[str, Any]:
    """Read an object; an empty one where there is no file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise EvaluatorError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # no JSON, or no UTF-8
        raise EvaluatorError(f"{path} is damaged: write it again by demix evaluate") from error
    if not isinstance(document, dict):
        raise EvaluatorError(f"{path} is damaged: write it again by demix evaluate")
    return document
