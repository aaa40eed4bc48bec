"""The scores of a data set as a Markdown table: two groups of columns that are never mixed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import Any

from evaluator.bss_eval import METRICS
from evaluator.errors import one_line
from evaluator.results import CEILING, FLOOR, Scores
from evaluator.sound import STEMS

Value = float | None
Row = Sequence[str]

EXPLANATION = (
    "Global SDR: the Music Demixing Challenge's, over whole songs; mean of songs. SI-SDR: over"
    " whole songs; mean of songs. museval: BSSEval v4, median of 1-s frames, median of songs. The"
    " two SDRs must not be compared. Floor: a quarter of the mixture as each stem. Ceiling: the"
    " ideal ratio mask. All in dB."
)


def summary(run: Mapping[str, Any], songs: Sequence[Scores]) -> str:
    """Give the text of ``scores.md``.

    Args:
        run: the contents of ``run.json``.
        songs: at least one song's scores.
    """
    data = {"folder": "plain folder", "musdb18": "MUSDB18", "musdb18-hq": "MUSDB18-HQ"}
    what = " ".join(filter(None, (data[run["data_kind"]], run["subset"], run["split"])))
    count = f"{len(songs)} song" + ("s" if len(songs) > 1 else "")
    depth = fmean(song["null_depth_db"] for song in songs)
    lines = [
        f"# {run['system']} on {count}",
        "",
        f"Data: {_cell(run['data'])} ({what}). {EXPLANATION}",
        "",
        score_table(run, songs),
        "",
        f"Null depth (the mixture over what the stems' sum misses of it; mean of songs):"
        f" {depth:.2f} dB.",
        "",
        "## Songs",
        "",
        "Global SDR in dB; museval's lie in `scores.csv` and `museval/`.",
        "",
        _table(*_song_rows(songs), run["warning"]),
        "",
    ]
    return "\n".join(lines)


def score_table(run: Mapping[str, Any], songs: Sequence[Scores]) -> str:
    """Give the data set's scores by stem as a Markdown table; arguments as for `summary`."""
    return _table(*_score_rows(songs), run["warning"])


def _score_rows(songs: Sequence[Scores]) -> tuple[Row, list[Row]]:
    columns: dict[str, Callable[[Scores, str], Value]] = {
        "global SDR": lambda song, stem: song["scores"][stem]["global_sdr"],
        "floor (global SDR)": lambda song, stem: song["floor"][FLOOR][stem]["global_sdr"],
        "ceiling (global SDR)": lambda song, stem: song["ceiling"][CEILING][stem]["global_sdr"],
        "SI-SDR": lambda song, stem: song["scores"][stem]["si_sdr"],
    }
    means = [[_mean(_values(get, songs, stem)) for stem in STEMS] for get in columns.values()]
    heading = list(columns)
    if any(song["scores"][stem]["SDR"] is not None for song in songs for stem in STEMS):
        of_museval = {
            "museval SDR": lambda song, stem: song["scores"][stem]["SDR"],
            "floor (museval SDR)": lambda song, stem: song["floor"][FLOOR][stem]["SDR"],
            "ceiling (museval SDR)": lambda song, stem: song["ceiling"][CEILING][stem]["SDR"],
            **{f"museval {name}": _metric(name) for name in METRICS if name != "SDR"},
        }
        heading += of_museval
        means += [
            [_median(_values(get, songs, stem)) for stem in STEMS] for get in of_museval.values()
        ]
    rows: list[Row] = [
        [stem, *(_number(column[index]) for column in means)] for index, stem in enumerate(STEMS)
    ]
    rows.append(["**mean of stems**", *(_number(_mean(column)) for column in means)])
    return ["stem", *heading], rows


def _song_rows(songs: Sequence[Scores]) -> tuple[Row, list[Row]]:
    rows: list[Row] = []
    for song in songs:
        sdrs = [song["scores"][stem]["global_sdr"] for stem in STEMS]
        limits = (song["floor"][FLOOR], song["ceiling"][CEILING])
        means = [fmean(limit[stem]["global_sdr"] for stem in STEMS) for limit in limits]
        rows.append([_cell(song["song"]), *map(_number, (*sdrs, fmean(sdrs), *means))])
    return ["song", *STEMS, "mean", "floor", "ceiling"], rows


def _metric(name: str) -> Callable[[Scores, str], Value]:
    def get(song: Scores, stem: str) -> Value:
        value: Value = song["scores"][stem][name]
        return value

    return get


def _values(get: Callable[[Scores, str], Value], songs: Iterable[Scores], stem: str) -> list[Value]:
    return [get(song, stem) for song in songs]


def _mean(values: Iterable[Value]) -> Value:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _median(values: Iterable[Value]) -> Value:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _number(value: Value) -> str:
    return "" if value is None else f"{value:.3f}"


def _cell(text: str) -> str:
    return one_line(text).replace("\\", "\\\\").replace("|", "\\|")


def _table(heading: Row, rows: Iterable[Row], warning: str | None) -> str:
    """Lay a table out; a warning is its last row, so that who copies the table takes it along."""
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    if warning is not None:
        lines.append([f"**{_cell(warning)}**", *[""] * (len(heading) - 1)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
