"""The `demix` commands on runs that `evaluate` has made: `compare` and `report`."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.aggregation import counted, kind_of_average
from evaluator.bss_eval import METRICS as MUSEVAL_METRICS
from evaluator.command_errors import as_demix_errors
from evaluator.comparison import Comparison, Difference, compare
from evaluator.contamination import union
from evaluator.errors import EvaluatorError, one_line
from evaluator.results import write_text
from evaluator.run_reading import read_run
from evaluator.runs import METRICS, Run, places
from evaluator.sound import STEMS, name_some, split_names
from my_submission.audio.scratch_space import scratch_folder
from my_submission.cli.batch import error_console
from my_submission.errors import DemixError

DEFAULT_METRICS = ("global_sdr", "SDR")

NAMES = {
    "global_sdr": "global_sdr",
    "si_sdr": "si_sdr",
    **{f"museval_{metric.lower()}": metric for metric in MUSEVAL_METRICS},
}
"""The metrics as a user names them: each name says whose it is, as in ``scores.csv``."""

FEW_SONGS = 10
"""Below this many a bootstrap's interval is too narrow to be taken at its word."""


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    app.command("compare")(compare_runs)
    app.command()(report)


def compare_runs(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN_A RUN_B...", help="Folders that demix evaluate has written."),
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC",
            help=f"{', '.join(NAMES)}; may be given several times; the first ranks the songs.",
            show_default="global_sdr, and museval_sdr where it is known",
        ),
    ] = None,
    songs: Annotated[
        int, typer.Option(min=0, help="How many of the best and of the worst songs to name.")
    ] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap's draws.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Keep the comparison in a file.")
    ] = None,
) -> None:
    """Compare runs song by song: each one with the first.

    Differences in dB, positive where the later run is better, with a 95 % bootstrap confidence
    interval over the songs that both have; a star where it leaves out zero.
    """
    if len(runs) < 2:
        raise DemixError("compare needs at least two runs: demix compare RUN_A RUN_B")
    unknown = [name for name in metric or [] if name not in NAMES]
    if unknown:
        raise DemixError(f"--metric {unknown[0]}: there are {', '.join(NAMES)}")
    wanted = [NAMES[name] for name in metric or []]
    console = Console(soft_wrap=True)
    with as_demix_errors():
        first, *others = [read_run(folder) for folder in runs]
        for run in (first, *others):
            if run.stale and not run.scores:
                raise EvaluatorError(f"{run.folder}: {run.stale[0]}")
        names = _names([first, *others])
        documents = []
        for name, other in zip(names[1:], others, strict=True):
            metrics = wanted or [m for m in DEFAULT_METRICS if _has(first, m) and _has(other, m)]
            result = compare(
                first.scores, other.scores, metrics=metrics or DEFAULT_METRICS, seed=seed
            )
            _print(console, (names[0], first), (name, other), result, songs)
            warnings = {
                "first": _warnings(first, result.paired),
                "other": _warnings(other, result.paired),
            }
            documents.append(
                {"first": names[0], "other": name, "warnings": warnings, **asdict(result)}
            )
        if json_file is not None:
            averages = {metric: kind_of_average(metric) for metric in METRICS}
            about = {"metrics": METRICS, "averages": averages, "seed": seed}
            document = {**about, "comparisons": documents}
            write_text(json_file, json.dumps(document, indent=2) + "\n")


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder that demix evaluate has written.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The report's folder.", show_default="RUN/report"),
    ] = None,
    references: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA",
            help="Folder with SONG/mixture.wav and SONG/STEM.wav (or .flac), or MUSDB18 or "
            "MUSDB18-HQ: the folder with train and test.",
            show_default="where they were when the run was scored",
        ),
    ] = None,
    songs: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Only these songs.", show_default="all"),
    ] = None,
) -> None:
    """Write a run as web pages: scores, pictures, and a player of estimates and references.

    They open from disk, without a network. An earlier report in the folder is replaced.

    They take about 0.2 MB per second of song: 2 to 3 GB for 50 songs of four minutes.
    """
    console = error_console()
    try:
        # Late: matplotlib takes long to import.
        from evaluator.report_page.build import write_report
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise DemixError("report needs matplotlib: pip install 'demix[score]'") from error
    with as_demix_errors(), console.status("") as status:
        page = write_report(
            run,
            out or run / "report",
            references=references,
            names=split_names(songs),
            scratch=scratch_folder(),
            progress=lambda title: status.update(Text(title)),
        )
    Console(soft_wrap=True).print(
        one_line(f"report: {page.resolve()}"), markup=False, highlight=False
    )


def _names(runs: Sequence[Run]) -> list[str]:
    systems = [run.system for run in runs]
    # Two runs of one system are told apart by their folders.
    is_clear = len(set(systems)) == len(systems)
    return systems if is_clear else [one_line(str(run.folder)) for run in runs]


def _has(run: Run, metric: str) -> bool:
    return any(metric in values for song in run.songs for values in song.scores.values())


def _print(
    console: Console,
    first: tuple[str, Run],
    other: tuple[str, Run],
    result: Comparison,
    num_songs: int,
) -> None:
    def say(line: str = "") -> None:
        console.print(line, markup=False, highlight=False)

    (first_name, first_run), (other_name, other_run) = first, other
    count = len(result.paired)
    say(f"{other_name} against {first_name}: {counted(count, count)} in both")
    for name, only in ((first_name, result.only_first), (other_name, result.only_other)):
        if only:
            say(f"left out, for they are in {name} only: {name_some(only)}")
    for what, a, b in _data_differences(first_run, other_run, result.paired):
        say(one_line(f"note: the runs differ in {what}: {a} and {b}"))
    warnings = [
        one_line(f"{name}: {warning}")
        for name, run in (first, other)
        for warning in _warnings(run, result.paired)
    ]
    for name in dict.fromkeys(row.metric for row in result.differences):
        console.print(_table(name, first_name, other_name, result, warnings))
    if count == 1:
        say("one song gives no interval")
    elif count < FEW_SONGS:
        say(f"{count} songs are few: the intervals are too narrow")
    ranked = result.ranking
    for title, some in (
        (f"{other_name} gains most", [song for song in reversed(ranked) if song[1] > 0]),
        (f"{other_name} loses most", [song for song in ranked if song[1] < 0]),
    ):
        if some and num_songs:
            told = ", ".join(f"{one_line(song)} {_signed(gain)}" for song, gain in some[:num_songs])
            say(f"{title}: {told}")
    say()


def _warnings(run: Run, paired: Sequence[str]) -> list[str]:
    """Say why scores that were compared mean little, and which could not be compared."""
    return [*union([song.warning for song in run.songs if song.name in paired]), *run.stale]


def _data_differences(
    first: Run, other: Run, paired: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """Say in what the songs that were compared were not scored on the same data, where known."""
    songs = [[song for song in run.songs if song.name in paired] for run in (first, other)]
    for what, found in (
        ("data", [places(some) for some in songs]),
        ("subset", [Counter(song.subset for song in some if song.subset) for some in songs]),
    ):
        a, b = (", ".join(sorted(values)) for values in found)
        if a and b and a != b:
            yield what, a, b


def _table(
    metric: str, first: str, other: str, result: Comparison, warnings: Sequence[str]
) -> Table:
    table = Table(
        title=f"{METRICS[metric]} in dB, {kind_of_average(metric)} of songs",
        title_justify="left",
        # In the table, so that it goes where the scores go.
        caption=Text("\n".join(warnings)) if warnings else None,
        caption_justify="left",
    )
    table.add_column("stem")
    for heading in ("songs", Text(first), Text(other), "difference"):
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("95 % interval", no_wrap=True)
    for row in result.differences:
        if row.metric != metric:
            continue
        table.add_row(
            row.stem,
            _some(row.songs, len(result.paired)),
            f"{row.first_db:.2f}",
            f"{row.other_db:.2f}",
            _signed(row.difference_db),
            _interval(row),
            style="bold" if row.is_clear else None,
            end_section=row.stem == STEMS[-1],
        )
    return table


def _some(count: int, of_songs: int) -> str:
    return str(count) if count == of_songs else f"{count} of {of_songs}"


def _interval(row: Difference) -> str:
    if row.interval_db is None:
        return "–"
    low, high = row.interval_db
    return f"{_signed(low)} to {_signed(high)}{' *' if row.is_clear else ''}"


def _signed(value: float) -> str:
    return f"{value:+.2f}"
