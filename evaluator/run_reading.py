"""What `demix evaluate` left on disk, read for comparisons and reports.

A run is a folder with a folder per song. Each song's ``scores.json`` holds its scores and tells of
the system and the machine, ``museval/SONG.json`` holds scores over time, and ``SONG/*.budget.json``
what there was no time for. Only the songs' folders must be there. Without ``run.json`` the run is
one of ``predict.py``, whose scores lie in the run's own ``scores.json``.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.contamination import contamination
from evaluator.errors import EvaluatorError, one_line
from evaluator.results import BUDGET_RECORDS
from evaluator.runs import METRICS, Degradation, Frame, Run, Song
from evaluator.sound import READABLE, STEMS, find_sound

NOT_SONGS = ("museval", "report")
"""Folders of a run that hold no song."""


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
    about = _read_json(folder / "run.json")
    # Beside a run.json it is the table of one call, and songs may be of others.
    overall = None if about else _read_json(folder / "scores.json").get("songs")
    name = about.get("system")
    system = one_line(name if isinstance(name, str) else folder.resolve().name)
    run = _RunFiles(folder, system, about, overall if isinstance(overall, dict) else {})
    return Run(folder, system, tuple(_read_song(run, name) for name in names))


@dataclass(frozen=True)
class _RunFiles:
    """What of a run's own files its songs may need.

    Attributes:
        folder: of the run.
        system: its name.
        about: contents of ``run.json``; empty where there is none.
        overall: scores by song, in the form of ``predict.py``.
    """

    folder: Path
    system: str
    about: Mapping[str, Any]
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
        elif "scores.json" in files or _is_song(here):
            subfolders.clear()
            yield str(here.relative_to(folder))


def _is_song(folder: Path) -> bool:
    return all(find_sound(folder, stem, READABLE) for stem in STEMS)


def _read_song(run: _RunFiles, name: str) -> Song:
    folder, overall = run.folder / name, run.overall
    own = _read_json(folder / "scores.json")
    scores = _values(own.get("scores"))
    if not scores and isinstance(overall.get(name), dict):
        found = {stem: _number(overall[name].get(f"sdr_{stem}")) for stem in STEMS}
        scores = {stem: {"global_sdr": sdr} for stem, sdr in found.items() if sdr is not None}
    reference = own.get("reference")
    subset = own.get("subset")
    # Songs of earlier versions do not tell.
    origin = own.get("origin", run.about or None)
    warning = own.get("warning", contamination(run.system, name, subset))
    records = [_read_json(path) for path in sorted(folder.glob(BUDGET_RECORDS))]
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
            origin=origin if isinstance(origin, dict) else None,
            subset=subset if isinstance(subset, str) else None,
            warning=warning if isinstance(warning, str) else None,
            frames=_frames(_read_json(run.folder / "museval" / f"{name}.json")),
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
