"""Scores as a table to read and as JSON to keep."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.atomic import replacing
from evaluator.errors import EvaluatorError, one_line
from evaluator.scoring import SongScore, mean_score, score_quarter_mixture
from evaluator.sound import STEMS

METRIC = "SDR of the Music Demixing Challenge in dB, over whole songs (not museval's)"
SEEN_IN_TRAINING = (
    "leaderboard_b and a part of leaderboard_c were trained on MUSDB18's test songs:"
    " on those, only leaderboard_a's scores mean anything"
)
QUARTER_NAME = "a quarter of the mixture"


def quarter_of_mixture(references: Path, names: Sequence[str]) -> SongScore | None:
    """Mean score of a quarter of the mixture over songs: what no separation at all gives.

    Args:
        references: folder with ``SONG/STEM.wav`` and ``SONG/mixture.wav``.
        names: the songs.

    Returns:
        The mean, or None where a song has no mixture that fits its stems (said on standard
        output), because a mean over fewer songs could not be compared with the others in the
        table.
    """
    try:
        found = [score_quarter_mixture(references / name) for name in names]
    except EvaluatorError as error:
        print(f"without the row of {QUARTER_NAME}: {error}")
        return None
    songs = [score for score in found if score is not None]
    return mean_score(songs, name=QUARTER_NAME) if songs and len(songs) == len(names) else None


def score_table(scores: Sequence[SongScore], quarter: SongScore | None = None) -> Table:
    """Lay out scores, one row per song, then their mean and what no separation would give.

    Args:
        scores: at least one song.
        quarter: the row of ``quarter_of_mixture``.
    """
    table = Table()
    table.add_column("song", overflow="fold")
    for heading in (*STEMS, "mean"):
        table.add_column(heading, justify="right", no_wrap=True)
    for score in scores:
        table.add_row(*_cells(score))
    table.add_section()
    table.add_row(*_cells(_mean(scores)), style="bold")
    if quarter is not None:
        table.add_row(*_cells(quarter), style="dim")
    return table


def print_scores(
    scores: Sequence[SongScore],
    quarter: SongScore | None = None,
    *,
    console: Console | None = None,
) -> None:
    """Print the table and what it shows, on standard output where no console is given."""
    console = console or Console()
    console.print(METRIC, score_table(scores, quarter), SEEN_IN_TRAINING, sep="\n", soft_wrap=True)


def write_scores(path: Path, scores: Sequence[SongScore], quarter: SongScore | None = None) -> None:
    """Write scores as JSON, whole or not at all.

    Args:
        path: the file; its folder is made.
        scores: at least one song.
        quarter: the row of ``quarter_of_mixture``.

    Raises:
        EvaluatorError: the file cannot be written.
    """
    document = {
        "metric": METRIC,
        "note": SEEN_IN_TRAINING,
        "songs": {score.name: score.as_dict() for score in scores},
        "mean": _mean(scores).as_dict(),
        "quarter_of_mixture": None if quarter is None else quarter.as_dict(),
    }
    text = json.dumps(document, indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EvaluatorError(f"{path} cannot be written: {error.strerror}") from error


def _mean(scores: Sequence[SongScore]) -> SongScore:
    count = f"{len(scores)} song" if len(scores) == 1 else f"{len(scores)} songs"
    return mean_score(scores, name=f"mean of {count}")


def _cells(score: SongScore) -> list[Text]:
    # Text, not str: a song named "[live]" is no markup.
    values = (*(score.stems[stem] for stem in STEMS), score.song)
    return [Text(one_line(score.name)), *(Text(f"{value:.3f}") for value in values)]
