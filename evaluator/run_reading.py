"""What `demix evaluate` left on disk, read for comparisons and reports.

A run is a folder with a folder per song. Each song's ``scores.json`` holds its scores and tells of
the system and the machine, ``museval/SONG.json`` holds scores over time, and ``SONG/*.budget.json``
what there was no time for. Only the songs' folders must be there. Without ``run.json`` the run is
one of ``predict.py``, whose scores lie in the run's own ``scores.json``, and whose system
``SONG/*.budget.json`` tells. What is about other stems than those that are there is left out.
"""

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.contamination import contamination
from evaluator.errors import EvaluatorError, one_line
from evaluator.results import (
    BUDGET_RECORDS,
    CEILING,
    FLOOR,
    MUSEVAL_FOLDER,
    RUN_FILE,
    SCORES_FILE,
)
from evaluator.runs import METRICS, Degradation, Frame, Run, Song
from evaluator.sound import LOSSLESS, READABLE, STEMS, find_sound
from evaluator.stem_files import is_about, is_newer

NOT_SONGS = (MUSEVAL_FOLDER, "report")
"""Folders of a run that hold no song."""

OF_THE_SONG = ("reference", "subset", "floor", "ceiling")
"""What a song's ``scores.json`` tells of the song, whichever stems there are."""


def read_run(folder: Path) -> Run:
    """Read what is known of a run; no sound is read.

    Args:
        folder: ``OUT/SYSTEM`` of ``demix evaluate``, or the results of ``predict.py``.

    Raises:
        EvaluatorError: it is no folder, holds no songs, or those of a data set, or a file of it
            cannot be understood.
    """
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise EvaluatorError(f"{folder} {what}: give a folder that demix evaluate has written")
    names = list(_song_names(folder))
    if not names:
        raise EvaluatorError(
            f"{folder} holds no separated songs: give OUT/SYSTEM of demix evaluate"
        )
    if all(_is_of_a_data_set(folder / name) for name in names):
        raise EvaluatorError(
            f"{folder} holds songs with their mixtures, as a data set does: give OUT/SYSTEM of"
            " demix evaluate"
        )
    about = _read_json(folder / RUN_FILE)
    # Beside a run.json it is the table of one call, and songs may be of others.
    overall = None if about else _read_json(folder / SCORES_FILE).get("songs")
    system = one_line(_system(about) or _recorded_system(folder, names) or folder.resolve().name)
    run = _RunFiles(folder, system, overall if isinstance(overall, dict) else {})
    return Run(folder, system, tuple(_read_song(run, name) for name in names))


def _system(document: Mapping[str, Any]) -> str | None:
    name = document.get("system")
    return name if isinstance(name, str) else None


def _recorded_system(folder: Path, names: Iterable[str]) -> str | None:
    """Give the system of which all songs' records of their time are, if it is one."""
    records = (path for name in names for path in (folder / name).glob(BUDGET_RECORDS))
    found = {_system(_read_json(path)) for path in records}
    return found.pop() if len(found) == 1 else None


@dataclass(frozen=True)
class _RunFiles:
    """What of a run's own files its songs may need.

    Attributes:
        folder: of the run.
        system: its name.
        overall: scores by song, in the form of ``predict.py``.
    """

    folder: Path
    system: str
    overall: Mapping[str, Any]


def _song_names(folder: Path) -> Iterator[str]:
    # Deeper than one level: a song's name may hold a slash.
    for path, subfolders, files in os.walk(folder):
        here = Path(path)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        if here == folder:
            subfolders[:] = [
                name for name in subfolders if name not in NOT_SONGS or _is_song(folder / name)
            ]
        elif SCORES_FILE in files or _is_song(here):
            subfolders.clear()
            yield str(here.relative_to(folder))


def _is_song(folder: Path) -> bool:
    return all(find_sound(folder, stem, READABLE) for stem in STEMS)


def _is_of_a_data_set(folder: Path) -> bool:
    return not (folder / SCORES_FILE).exists() and bool(find_sound(folder, "mixture", LOSSLESS))


def _read_song(run: _RunFiles, name: str) -> Song:
    folder = run.folder / name
    stems = {stem: path for stem in STEMS if (path := find_sound(folder, stem, READABLE))}
    own = _read_json(folder / SCORES_FILE)
    is_stale = bool(own) and not is_about(own, folder / SCORES_FILE, stems)
    if is_stale:
        own = {key: own[key] for key in OF_THE_SONG if key in own}
    scores = _values(own.get("scores"))
    if not scores and not is_stale and (overall := _overall_scores(run, name)):
        is_stale = is_newer(stems.values(), run.folder / SCORES_FILE)
        scores = {} if is_stale else overall
    records = [
        _read_json(path)
        for path in sorted(folder.glob(BUDGET_RECORDS))
        if not (is_stale and is_newer(stems.values(), path))
    ]
    reference = own.get("reference")
    subset = own.get("subset")
    origin = own.get("origin")
    system = next(filter(None, map(_system, records)), run.system)
    warning = own.get("warning", contamination(system, name, subset))
    try:
        return Song(
            name=name,
            folder=folder,
            scores=scores,
            floor=_values((own.get("floor") or {}).get(FLOOR)),
            ceiling=_values((own.get("ceiling") or {}).get(CEILING)),
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
            origin=origin if isinstance(origin, dict) else None,
            subset=subset if isinstance(subset, str) else None,
            warning=warning if isinstance(warning, str) else None,
            frames={}
            if is_stale
            else _frames(_read_json(run.folder / MUSEVAL_FOLDER / f"{name}.json")),
            is_stale=is_stale,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EvaluatorError(
            f"{folder}: its JSON files, or museval's of it, are not those of demix evaluate: "
            "write them again"
        ) from error


def _overall_scores(run: _RunFiles, name: str) -> dict[str, dict[str, float]]:
    """Give a song's scores by ``predict.py``; none where it has none."""
    found = run.overall.get(name)
    if not isinstance(found, dict):
        return {}
    of_stems = {stem: _number(found.get(f"sdr_{stem}")) for stem in STEMS}
    return {stem: {"global_sdr": sdr} for stem, sdr in of_stems.items() if sdr is not None}


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
