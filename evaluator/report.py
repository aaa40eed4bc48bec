"""Scores as a table to read and as JSON to keep."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.atomic import replacing
from evaluator.baselines import Baselines, score_baselines
from evaluator.errors import EvaluatorError, one_line
from evaluator.scoring import SongScore, mean_score
from evaluator.sound import STEMS

METRIC = "SDR of the Music Demixing Challenge in dB, over whole songs (not museval's)"
SEEN_IN_TRAINING = (
    "leaderboard_b and a part of leaderboard_c were trained on MUSDB18's test songs:"
    " on those, only leaderboard_a's scores mean anything"
)
FLOOR_NAME = "a quarter of the mixture"
CEILING_NAME = "the ideal ratio mask"


def baselines_of(references: Path, names: Sequence[str]) -> Baselines | None:
    """Mean scores of floor and ceiling over songs: what they allow.

    Args:
        references: folder with ``SONG/STEM.wav`` and ``SONG/mixture.wav``.
        names: the songs.

    Returns:
        The means, or None where a song has no mixture that fits its stems (said on standard
        output), because a mean over fewer songs could not be compared with the others in the
        table.
    """
    try:
        found = [score_baselines(references / name) for name in names]
    except EvaluatorError as error:
        print(f"without the rows of {FLOOR_NAME} and {CEILING_NAME}: {error}")
        return None
    songs = [score for score in found if score is not None]
    return mean_baselines(songs) if songs and len(songs) == len(names) else None


def mean_baselines(songs: Sequence[Baselines]) -> Baselines:
    """Mean scores of floor and ceiling over at least one song, named for a table."""
    return Baselines(
        mean_score([song.floor for song in songs], name=FLOOR_NAME),
        mean_score([song.ceiling for song in songs], name=CEILING_NAME),
    )


def score_table(scores: Sequence[SongScore], baselines: Baselines | None = None) -> Table:
    """Lay out scores, one row per song, then their mean, and floor and ceiling.

    Args:
        scores: at least one song.
        baselines: the means of the same songs.
    """
    table = Table()
    table.add_column("song", overflow="fold")
    for heading in (*STEMS, "mean"):
        table.add_column(heading, justify="right", no_wrap=True)
    for score in scores:
        table.add_row(*_cells(score))
    table.add_section()
    table.add_row(*_cells(_mean(scores)), style="bold")
    for baseline in baselines or ():
        table.add_row(*_cells(baseline), style="dim")
    return table


def print_scores(
    scores: Sequence[SongScore],
    baselines: Baselines | None = None,
    *,
    console: Console | None = None,
) -> None:
    """Print the table and what it shows, on standard output where no console is given."""
    console = console or Console()
    table = score_table(scores, baselines)
    console.print(METRIC, table, SEEN_IN_TRAINING, sep="\n", soft_wrap=True)


def write_scores(
    path: Path, scores: Sequence[SongScore], baselines: Baselines | None = None
) -> None:
    """Write scores as JSON, whole or not at all.

    Args:
        path: the file; its folder is made.
        scores: at least one song.
        baselines: the means of the same songs.

    Raises:
        EvaluatorError: the file cannot be written.
    """
    document = {
        "metric": METRIC,
        "note": SEEN_IN_TRAINING,
        "songs": {score.name: score.as_dict() for score in scores},
        "mean": _mean(scores).as_dict(),
        "quarter_of_mixture": None if baselines is None else baselines.floor.as_dict(),
        "ideal_ratio_mask": None if baselines is None else baselines.ceiling.as_dict(),
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
