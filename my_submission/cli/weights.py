"""`demix weights`: list, fetch and verify."""

from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from my_submission import weights
from my_submission.cli.batch import error_console, progress_bars
from my_submission.cli.options import ModelsOption
from my_submission.display import shown
from my_submission.errors import DemixError
from my_submission.weights import WeightFile

app = typer.Typer(help="List, fetch and verify weights.", no_args_is_help=True)

SystemArgument = Annotated[str, typer.Argument(metavar="SYSTEM", show_default=False)]
AnySystemArgument = Annotated[str | None, typer.Argument(metavar="SYSTEM", show_default=False)]
COLOURS = {"ok": "green", "missing": "yellow", "wrong": "red"}


@app.command("list")
def list_weights(system: AnySystemArgument = None, models: ModelsOption = None) -> None:
    """List all systems' files, or one's: whether they are there, sources and licences."""
    folder = weights.models_folder(models)
    listed = weights.load_manifest() if system is None else {system: weights.weight_files(system)}
    console = Console(soft_wrap=True, highlight=False)
    for name, files in listed.items():
        console.print(f"{name} in {shown(folder / name)}", style="bold", markup=False)
        for licence, under in groupby(files, key=lambda weight: weight.licence):
            licensed = list(under)
            for source, group in groupby(licensed, key=lambda weight: weight.source):
                same = list(group)
                for weight in same:
                    _list_file(console, weight, folder / name / weight.file)
                which = "" if len(same) == 1 else f"these {len(same)} "
                console.print(f"    {which}from {source}", markup=False)
            if len(licensed) == len(files):
                which = ""
            else:
                which = " of this file" if len(licensed) == 1 else f" of these {len(licensed)}"
            console.print(f"  licence{which}: {licence}", markup=False)


def _list_file(console: Console, weight: WeightFile, path: Path) -> None:
    there = path.is_file()
    line = f"  {weight.file}: {'there' if there else 'missing'}"
    if weight.bytes is not None:
        line += f", {weight.bytes:,} bytes"
    console.print(line, style=COLOURS["ok" if there else "missing"], markup=False)


@app.command()
def fetch(system: SystemArgument, models: ModelsOption = None) -> None:
    """Fetch a system's files, checked by their hashes; goes on where an earlier run stopped.

    What another system has already is linked, not downloaded again.
    DEMIX_WEIGHTS_URL replaces the hosts: BASE/SYSTEM/FILE.
    """
    from my_submission.fetch import fetch as fetch_weights  # late: requests takes its time

    console = error_console()
    with progress_bars(console) as add_bar:
        bars = {}

        def progress(file: str, done: int, total: int | None) -> None:
            if file not in bars:
                bars[file] = add_bar(file)
            if total is not None:
                bars[file](done, total)

        paths = fetch_weights(system, models, progress=progress)
    for path in paths:
        typer.echo(shown(path))


@app.command()
def verify(system: SystemArgument, models: ModelsOption = None) -> None:
    """Check a system's files by their hashes."""
    statuses = weights.verify(system, models)
    console = Console(soft_wrap=True, highlight=False)
    folder = weights.models_folder(models) / system
    console.print(f"{system} in {shown(folder)}", style="bold", markup=False)
    for status in statuses:
        line = f"  {status.state}: {status.weight.file}"
        if status.reason:
            line += f", {shown(status.reason)}"
        console.print(line, style=COLOURS[status.state], markup=False)
    bad = [status.weight for status in statuses if status.state != "ok"]
    if bad:
        raise DemixError(
            f"{system}: {len(bad)} of {len(statuses)} files are missing or wrong; "
            f"{weights.remedy(system, bad, models)}"
        )
