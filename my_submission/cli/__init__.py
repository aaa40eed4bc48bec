"""The `demix` command."""

import signal
import sys
from importlib.metadata import entry_points, version
from types import FrameType
from typing import Annotated

import typer

from my_submission.cli import weights
from my_submission.cli.info import info
from my_submission.cli.separate import separate
from my_submission.errors import DemixError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(separate)
app.add_typer(weights.app, name="weights")
app.command()(info)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"demix {version('demix')}")
        raise typer.Exit


@app.callback()
def demix(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Separate songs into bass, drums, other and vocals."""


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    # As an exception, so that half-written stems are removed on the way out.
    raise SystemExit(128 + signal.SIGTERM)


def main() -> None:
    """Run the command line; a `DemixError` becomes one line and exit status 1."""
    signal.signal(signal.SIGTERM, _terminate)
    for entry_point in entry_points(group="demix.commands"):
        entry_point.load()(app)
    try:
        app()
    except DemixError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
