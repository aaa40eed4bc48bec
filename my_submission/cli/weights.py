"""`demix weights`: list, fetch and verify."""

from typing import Annotated

import typer
from rich.console import Console

from my_submission import weights
from my_submission.cli.batch import error_console, progress_bars
from my_submission.cli.options import ModelsOption
from my_submission.display import shown
from my_submission.errors import DemixError

app = typer.Typer(help="List, fetch and verify weights.", no_args_is_help=True)

SystemArgument = Annotated[str, typer.Argument(metavar="SYSTEM", show_default=False)]
COLOURS = {"ok": "green", "missing": "yellow", "wrong": "red"}


@app.command("list")
def list_weights(models: ModelsOption = None) -> None:
    """List every system's files, whether they are there, and where they come from."""
    folder = weights.models_folder(models)
    console = Console(soft_wrap=True, highlight=False)
    for system, files in weights.load_manifest().items():
        console.print(f"{system} in {shown(folder / system)}", style="bold", markup=False)
        for weight in files:
            state = "there" if (folder / system / weight.file).is_file() else "missing"
            size = f"{weight.bytes:,} bytes" if weight.bytes else "size not published"
            style = COLOURS["ok" if state == "there" else state]
            console.print(f"  {weight.file}: {state}, {size}", style=style, markup=False)
            console.print(f"    from {weight.source}", markup=False)
            console.print(f"    licence: {weight.licence}", markup=False)


@app.command()
def fetch(system: SystemArgument, models: ModelsOption = None) -> None:
    """Fetch a system's files, checked by their hashes; goes on where an earlier run stopped.

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
    console = Console(soft_wrap=True)
    for status in statuses:
        line = f"{status.state}: {shown(status.path)}"
        if status.reason:
            line += f" ({shown(status.reason)})"
        console.print(line, style=COLOURS[status.state], markup=False, highlight=False)
    bad = sum(status.state != "ok" for status in statuses)
    if bad:
        raise DemixError(
            f"{system}: {bad} of {len(statuses)} files are not as published; "
            f"run: {weights.fetch_command(system, models)}"
        )
