"""The files of a run: what `demix evaluate` writes and others read.

Below the run's folder, ``OUT/SYSTEM``:

- ``SONG/scores.json``: where the song's stems come from (``origin``: the system, the machine,
  weights and all else that they depend on, as ``run.json`` had it when they were separated; null
  where they were there already), which files they are (``stems``, see `stem_files`), and, once it
  is scored, its scores by stem, in dB, with floor and ceiling.
- ``museval/SONG.json``: museval's own file, frame by frame.
- ``run.json``: the origin of the last call's stems. Songs of earlier calls may have another one.
- ``scores.csv``: a row per song and stem of the last call. ``scores.md``: their averages, see
  `summary`. ``scores.json``: the challenge's SDR alone, see `report`.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any, Literal, get_args

from evaluator.atomic import replacing
from evaluator.bss_eval import METRICS
from evaluator.errors import EvaluatorError
from evaluator.sound import STEMS
from evaluator.stem_files import DESCRIBED, is_about, is_newer

Metrics = Literal["all", "global"]
"""``global`` is without museval: what can be computed as a stream."""

RUN_FILE, SCORES_FILE = "run.json", "scores.json"
MUSEVAL_FOLDER = "museval"

FLOOR, CEILING = "quarter_mixture", "ideal_ratio_mask"

Scores = Mapping[str, Any]
"""The contents of a song's ``scores.json``."""

TABLES = ("scores.md", "scores.csv", "scores.json")
"""The files of the last call's songs together."""

BUDGET_RECORDS = "*.budget.json"
"""In a song's folder: what there was no time for. A call without a time limit writes none."""

COLUMNS = {
    "global_sdr_db": ("scores", "global_sdr"),
    "si_sdr_db": ("scores", "si_sdr"),
    **{f"museval_{metric.lower()}_db": ("scores", metric) for metric in METRICS},
    f"{FLOOR}_global_sdr_db": ("floor", FLOOR, "global_sdr"),
    f"{FLOOR}_si_sdr_db": ("floor", FLOOR, "si_sdr"),
    f"{FLOOR}_museval_sdr_db": ("floor", FLOOR, "SDR"),
    f"{CEILING}_global_sdr_db": ("ceiling", CEILING, "global_sdr"),
    f"{CEILING}_si_sdr_db": ("ceiling", CEILING, "si_sdr"),
    f"{CEILING}_museval_sdr_db": ("ceiling", CEILING, "SDR"),
}
"""Columns of ``scores.csv`` and where in a song's scores they lie; the stem is the last but one."""

SONG_KEYS = tuple(
    "song seconds sample_rate separation_seconds subset warning origin reference metrics scores"
    f" null_depth_db floor ceiling {DESCRIBED}".split()
)


def write_run(run: Path, description: Mapping[str, Any]) -> None:
    """Write ``run.json``.

    Raises:
        EvaluatorError: it cannot be written.
    """
    _write(run / RUN_FILE, _json(description))


def write_song(run: Path, song: str, scores: Scores) -> None:
    """Write a song's ``scores.json``.

    Raises:
        EvaluatorError: it cannot be written.
    """
    _write(run / song / SCORES_FILE, _json(scores))


def read_song(run: Path, song: str) -> dict[str, Any] | None:
    """Read a song's ``scores.json``; None where there is none, or none that is whole and of it."""
    scores = _read_json(run / song / SCORES_FILE)
    return scores if scores is not None and _is_whole(scores, song) else None


def has_museval(run: Path, scores: Scores) -> bool:
    """Tell whether museval's file of a song is there, if there is anything to be in it."""
    values = (scores["scores"][stem][metric] for stem in STEMS for metric in METRICS)
    path = run / MUSEVAL_FOLDER / f"{scores['song']}.json"
    return path.is_file() or all(value is None for value in values)


def write_museval(run: Path, song: str, document: str) -> None:
    """Write museval's file of a song.

    Raises:
        EvaluatorError: it cannot be written.
    """
    _write(run / MUSEVAL_FOLDER / f"{song}.json", document)


def remove_song(run: Path, song: str) -> None:
    """Remove all that is told of a song, because its stems are about to change.

    Raises:
        EvaluatorError: it cannot be removed.
    """
    folder = run / song
    for path in (
        folder / SCORES_FILE,
        run / MUSEVAL_FOLDER / f"{song}.json",
        *folder.glob(BUDGET_RECORDS),
    ):
        _remove(path)


def remove_older_records(run: Path, song: str, stems: Mapping[str, Path]) -> None:
    """Remove what a time budget told of stems that are no more.

    Raises:
        EvaluatorError: it cannot be removed.
    """
    for path in (run / song).glob(BUDGET_RECORDS):
        if is_newer(stems.values(), path):
            _remove(path)


def begin_song(run: Path, song: str, provenance: Mapping[str, Any]) -> None:
    """Put what is known of a song's stems in the place of its scores, until these are there.

    So a run that is stopped in between still knows where they come from.

    Raises:
        EvaluatorError: it cannot be written.
    """
    _remove(run / MUSEVAL_FOLDER / f"{song}.json")
    _write(run / song / SCORES_FILE, _json({"song": song, **provenance}))


def read_provenance(run: Path, song: str, stems: Mapping[str, Path]) -> dict[str, Any]:
    """Read where a song's stems come from and what they took; empty where that is not known.

    Args:
        run: the run's folder.
        song: its name.
        stems: its files; what is known may be about others.
    """
    path = run / song / SCORES_FILE
    found = _read_json(path) or {}
    if not found or not all(file.is_file() for file in stems.values()):
        return {}
    if not is_about(found, path, stems):
        return {}
    origin, seconds = found.get("origin"), found.get("separation_seconds")
    return {
        "origin": origin if isinstance(origin, dict) else None,
        "separation_seconds": seconds if _is_number(seconds) else None,
    }


def remove_tables(run: Path) -> None:
    """Remove the tables of an earlier call, because songs in them are about to change.

    Raises:
        EvaluatorError: they cannot be removed.
    """
    for name in TABLES:
        _remove(run / name)


def write_csv(run: Path, system: str, songs: Sequence[Scores]) -> None:
    """Write ``scores.csv``: a row per song and stem; scores that were not computed are empty.

    Args:
        run: the run's folder.
        system: its name.
        songs: of each song, its scores.

    Raises:
        EvaluatorError: it cannot be written.
    """
    about = ("song", "seconds", "sample_rate", "separation_seconds", "null_depth_db", "reference")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["system", *about, "stem", *COLUMNS, "warning"])
    for song in songs:
        for stem in STEMS:
            values = [_at(song, *path[:-1], stem, path[-1]) for path in COLUMNS.values()]
            first = [system, *(song.get(key) for key in about), stem]
            writer.writerow([*first, *values, song["warning"]])
    _write(run / "scores.csv", file.getvalue())


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises:
        EvaluatorError: it cannot be written.
    """
    _write(path, text)


def _is_whole(scores: Scores, song: str) -> bool:
    """Tell whether a song's scores are as they are written here; disks and people change them."""
    if any(key not in scores for key in SONG_KEYS):
        return False
    known = (scores["subset"], scores["warning"], scores["origin"], scores["separation_seconds"])
    subset, warning, origin, seconds = known
    try:
        in_db = [
            (name, _at(scores, *at, stem, name)) for *at, name in COLUMNS.values() for stem in STEMS
        ]
    except (KeyError, TypeError):
        return False
    return (
        scores["song"] == song
        and isinstance(scores["reference"], str)
        and scores["metrics"] in get_args(Metrics)
        and all(text is None or isinstance(text, str) for text in (subset, warning))
        and (origin is None or isinstance(origin, dict))
        and (seconds is None or _is_number(seconds))
        and all(_is_number(scores[key]) for key in ("seconds", "sample_rate", "null_depth_db"))
        and isinstance(scores[DESCRIBED], dict)
        # museval does not score every song.
        and all(_is_number(value) or (value is None and name in METRICS) for name, value in in_db)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def _at(scores: Scores, *path: str) -> Any:
    value: Any = scores
    for key in path:
        value = value[key]
    return value


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _write(path: Path, text: str) -> None:
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="surrogateescape")


def _remove(path: Path) -> None:
    with _writing(path):
        path.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EvaluatorError(f"{path} cannot be written: {error.strerror}") from error
