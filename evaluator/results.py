"""The files of a run: what `demix evaluate` writes and others read.

Below the run's folder, ``OUT/SYSTEM``:

- ``run.json``: the system, the data, the machine and all that the scores depend on.
- ``SONG/scores.json``: a song's scores by stem, in dB, with floor and ceiling.
- ``museval/SONG.json``: museval's own file, frame by frame.
- ``scores.csv``: a row per song and stem. ``scores.md``: the data set's scores, see `summary`.
- ``scores.json``: the challenge's SDR alone, see `report`.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from evaluator.atomic import replacing
from evaluator.bss_eval import METRICS
from evaluator.errors import EvaluatorError
from evaluator.sound import STEMS

Metrics = Literal["all", "global"]
"""``global`` is without museval: what can be computed as a stream."""

RUN_FILE, SCORES_FILE = "run.json", "scores.json"
MUSEVAL_FOLDER = "museval"

FLOOR, CEILING = "quarter_mixture", "ideal_ratio_mask"

Scores = Mapping[str, Any]
"""The contents of a song's ``scores.json``."""

COLUMNS = {
    "global_sdr_db": ("scores", "global_sdr"),
    "si_sdr_db": ("scores", "si_sdr"),
    **{f"museval_{metric.lower()}_db": ("scores", metric) for metric in METRICS},
    f"{FLOOR}_global_sdr_db": ("floor", FLOOR, "global_sdr"),
    f"{FLOOR}_museval_sdr_db": ("floor", FLOOR, "SDR"),
    f"{CEILING}_global_sdr_db": ("ceiling", CEILING, "global_sdr"),
    f"{CEILING}_museval_sdr_db": ("ceiling", CEILING, "SDR"),
}
"""Columns of ``scores.csv`` and where in a song's scores they lie; the stem is the last but one."""

SONG_KEYS = tuple(
    "song seconds sample_rate separation_seconds reference metrics scores null_depth_db floor"
    " ceiling".split()
)


def write_run(run: Path, description: Mapping[str, Any]) -> None:
    """Write ``run.json``.

    Raises:
        EvaluatorError: it cannot be written.
    """
    _write(run / RUN_FILE, _json(description))


def read_run(run: Path) -> dict[str, Any] | None:
    """Read ``run.json``; None where there is none that can be read."""
    return _read_json(run / RUN_FILE)


def write_song(run: Path, song: str, scores: Scores) -> None:
    """Write a song's ``scores.json``.

    Raises:
        EvaluatorError: it cannot be written.
    """
    _write(run / song / SCORES_FILE, _json(scores))


def read_song(run: Path, song: str) -> dict[str, Any] | None:
    """Read a song's ``scores.json``; None where there is none that is whole."""
    scores = _read_json(run / song / SCORES_FILE)
    if scores is None or any(key not in scores for key in SONG_KEYS):
        return None
    return scores


def write_museval(run: Path, song: str, document: str) -> None:
    """Write museval's file of a song.

    Raises:
        EvaluatorError: it cannot be written.
    """
    _write(run / MUSEVAL_FOLDER / f"{song}.json", document)


def remove_song(run: Path, song: str) -> None:
    """Remove a song's scores, because its stems are about to change.

    Raises:
        EvaluatorError: they cannot be removed.
    """
    for path in (run / song / SCORES_FILE, run / MUSEVAL_FOLDER / f"{song}.json"):
        with _writing(path):
            path.unlink(missing_ok=True)


def write_csv(run: Path, description: Mapping[str, Any], songs: Sequence[Scores]) -> None:
    """Write ``scores.csv``: a row per song and stem; scores that were not computed are empty.

    Args:
        run: the run's folder.
        description: the contents of ``run.json``.
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
            first = [description["system"], *(song.get(key) for key in about), stem]
            writer.writerow([*first, *values, description["warning"]])
    _write(run / "scores.csv", file.getvalue())


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises:
        EvaluatorError: it cannot be written.
    """
    _write(path, text)


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


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EvaluatorError(f"{path} cannot be written: {error.strerror}") from error
