"""The scores of a data set as a Markdown table: two groups of columns that are never mixed."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from evaluator.aggregation import SongValues, average, counted
from evaluator.bss_eval import METRICS
from evaluator.contamination import union
from evaluator.data_sets import DataSet
from evaluator.errors import one_line
from evaluator.origins import remarks
from evaluator.results import CEILING, FLOOR, Scores
from evaluator.sound import STEMS

Row = Sequence[str]

EXPLANATION = (
    "Global SDR: the Music Demixing Challenge's, over whole songs; mean of songs. SI-SDR: over"
    " whole songs; mean of songs. museval: BSSEval v4, median of 1-s frames, median of songs. The"
    " two SDRs must not be compared. Floor: a quarter of the mixture as each stem. Ceiling: the"
    " ideal ratio mask. All in dB. museval scores no song with a silent stem: where songs lack a"
    " score, the column says how many have it, and its floor and ceiling are of these songs."
)


DATA_KINDS = {"folder": "plain folder", "musdb18": "MUSDB18", "musdb18-hq": "MUSDB18-HQ"}

HEARD = " (heard in training)"
"""Follows the name of a song whose scores mean little, where that is not so of all songs."""


def summary(system: str, data: DataSet, songs: Sequence[Scores]) -> str:
    """Give the text of ``scores.md``.

    Args:
        system: its name.
        data: what the songs are of.
        songs: at least one song's scores.
    """
    what = " ".join(filter(None, (DATA_KINDS[data.kind], data.subset, data.split)))
    depth = fmean(song["null_depth_db"] for song in songs)
    lines = [
        f"# {system} on {counted(len(songs), len(songs))}",
        "",
        f"Data: {_cell(str(data.root))} ({what}). {EXPLANATION}",
        "",
        score_table(songs),
        "",
        *(f"- {_cell(remark)}" for remark in remarks([song["origin"] for song in songs])),
        f"- Null depth (the mixture over what the stems' sum misses of it; mean of songs):"
        f" {depth:.2f} dB.",
        "",
        "## Songs",
        "",
        "Global SDR in dB; museval's lie in `scores.csv` and `museval/`.",
        "",
        _table(*_song_rows(songs), _warnings(songs)),
        "",
    ]
    return "\n".join(lines)


def score_table(songs: Sequence[Scores]) -> str:
    """Give the data set's scores by stem as a Markdown table."""
    return _table(*_score_rows(songs), _warnings(songs))


def _warnings(songs: Sequence[Scores]) -> list[str]:
    return union([song["warning"] for song in songs])


def _score_rows(songs: Sequence[Scores]) -> tuple[Row, list[Row]]:
    values = [
        SongValues(song["scores"], song["floor"][FLOOR], song["ceiling"][CEILING]) for song in songs
    ]
    columns: dict[str, Mapping[str, float]] = {}
    for metric, name in (
        ("global_sdr", "global SDR"),
        ("si_sdr", "SI-SDR"),
        *((name, f"museval {name}") for name in METRICS),
    ):
        found = average(metric, values)
        if found is None:
            continue
        count = "" if found.is_of_all else f" of {found.count}"
        columns[name + count] = found.scores
        for kind, limit in (("floor", found.floor), ("ceiling", found.ceiling)):
            if limit:
                columns[f"{kind} ({name}){count}"] = limit
    rows: list[Row] = [
        [stem, *(_number(scores.get(stem)) for scores in columns.values())] for stem in STEMS
    ]
    # Of fewer stems it could not be compared.
    means = [
        fmean(scores.values()) if len(scores) == len(STEMS) else None for scores in columns.values()
    ]
    rows.append(["**mean of stems**", *map(_number, means)])
    return ["stem", *columns], rows


def _song_rows(songs: Sequence[Scores]) -> tuple[Row, list[Row]]:
    rows: list[Row] = []
    only_some = not all(song["warning"] for song in songs)
    for song in songs:
        sdrs = [song["scores"][stem]["global_sdr"] for stem in STEMS]
        limits = (song["floor"][FLOOR], song["ceiling"][CEILING])
        means = [fmean(limit[stem]["global_sdr"] for stem in STEMS) for limit in limits]
        name = _cell(song["song"]) + (HEARD if song["warning"] and only_some else "")
        rows.append([name, *map(_number, (*sdrs, fmean(sdrs), *means))])
    return ["song", *STEMS, "mean", "floor", "ceiling"], rows


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _cell(text: str) -> str:
    return one_line(text).replace("\\", "\\\\").replace("|", "\\|")


def _table(heading: Row, rows: Iterable[Row], warnings: Iterable[str]) -> str:
    """Lay a table out; warnings are its last rows, so that who copies it takes them along."""
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    lines += [[f"**{_cell(warning)}**", *[""] * (len(heading) - 1)] for warning in warnings]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
