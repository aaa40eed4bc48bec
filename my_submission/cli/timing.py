"""`demix timing`: whether songs will be separated in time on this machine."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from my_submission.cli import batch
from my_submission.cli.options import (
    BackendOption,
    DeviceOption,
    ModelsOption,
    NameOption,
    PrecisionOption,
)
from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE

if TYPE_CHECKING:
    from my_submission.budget.ladder import Plan
    from my_submission.budget.messages import Task
    from my_submission.budget.timed_separator import TimedSeparator

MINUTES = range(1, 9)
LONGEST_SONG = 430.0
"""Seconds of the longest song of MUSDB18's test set."""

NO_LIMIT = 1e12
"""Seconds within which anything is done in full."""

LONGEST_FORECAST = 24 * 3600
"""Seconds of a song up to which the longest at full quality is looked for."""


@dataclass(frozen=True)
class Forecast:
    """What songs take.

    Attributes:
        plans: Within the limit, by seconds of song.
        full_seconds: At full quality, likewise.
        longest_at_full_quality: Whole seconds of song that the limit allows.
        set_up_seconds: That loading and measuring took.
    """

    plans: Mapping[float, "Plan"]
    full_seconds: Mapping[float, float]
    longest_at_full_quality: int
    set_up_seconds: float


def timing(
    name: NameOption = "starter",
    limit: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="Time limit per song.")
    ] = 240.0,
    longest: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="The longest song to expect.")
    ] = LONGEST_SONG,
    cores: Annotated[
        int | None,
        typer.Option(min=1, help="Use so many cores, to resemble the grader's machine."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    device: DeviceOption = "auto",
    models: ModelsOption = None,
    precision: PrecisionOption = "auto",
    backend: BackendOption = "auto",
) -> None:
    """Measure a system here, and tell how long songs take and what a time limit leaves out.

    The exit status is 1 if the longest song would not be separated at full quality.
    """
    from my_submission.budget.ladder import STEPS
    from my_submission.budget.messages import Task

    console = batch.error_console()

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    task = Task(name, models, device, precision, backend)
    with only(cores):
        forecast = measure(task, limit, longest, say)
    plans, needed, full = forecast.plans, forecast.full_seconds, forecast.longest_at_full_quality
    if as_json:
        songs = [
            {
                "song_seconds": length,
                "full_seconds": round(needed[length], 2),
                "seconds": round(plan.seconds, 2),
                "step": plan.step,
                "max_overlap": plan.max_overlap,
                "tfc_tdf_seconds": round(plan.tfc_tdf / SAMPLE_RATE, 2),
                "demucs_seconds": round(plan.demucs / SAMPLE_RATE, 2),
            }
            for length, plan in plans.items()
        ]
        result = {
            "system": name,
            "limit_seconds": limit,
            "cores": cores,
            "set_up_seconds": round(forecast.set_up_seconds, 2),
            "songs": songs,
            "longest_seconds": longest,
            "longest_at_full_quality_seconds": full,
        }
        typer.echo(json.dumps(result, indent=2))
    else:
        typer.echo(f"{name}, limit {limit:g} s per song")
        typer.echo("song s    full s   takes s   step")
        for length, plan in plans.items():
            step = f"{STEPS.index(plan.step) + 1} of {len(STEPS)}, {plan.step}"
            mark = "   the longest" if length == longest else ""
            typer.echo(f"{length:6g} {needed[length]:9.1f} {plan.seconds:9.1f}   {step}{mark}")
        typer.echo(f"longest song at full quality: {full} s")
    if plans[longest].step != "full":
        say(f"a song of {longest:g} s would be degraded: take a faster system or device")
        raise typer.Exit(1)


def measure(task: "Task", limit: float, longest: float, say: Callable[[str], None]) -> Forecast:
    """Load a system, measure it, and plan songs within a limit.

    Args:
        task: What to run, and how.
        limit: Seconds for a song.
        longest: Seconds of the longest song to plan, beside those of whole minutes.
        say: Gets a line for everything that the user should know.

    Raises:
        DemixError: It cannot be loaded and measured.
    """
    from my_submission.budget.timed_separator import TimedSeparator

    lengths = sorted({60.0 * minutes for minutes in MINUTES} | {longest})
    with TimedSeparator(task, say=say) as separator:
        separator.set_up()
        if not separator.is_set_up:
            raise DemixError(
                f"{task.system}: not loaded and measured within an hour; try another device"
            )

        def plan(length: float, limit: float) -> "Plan":
            return separator.forecast(int(length * SAMPLE_RATE), limit)

        return Forecast(
            plans={length: plan(length, limit) for length in lengths},
            full_seconds={length: plan(length, NO_LIMIT).seconds for length in lengths},
            longest_at_full_quality=_longest_at_full_quality(separator, limit),
            set_up_seconds=separator.costs.set_up,
        )


@contextmanager
def only(cores: int | None) -> Iterator[None]:
    """Have this process, and those that it starts, use so many cores.

    Raises:
        DemixError: There are fewer, or the system cannot do it.
    """
    if cores is None:
        yield
        return
    if not hasattr(os, "sched_setaffinity"):
        raise DemixError("--cores: this system does not let a process choose its cores")
    before = os.sched_getaffinity(0)
    if cores > len(before):
        raise DemixError(f"--cores {cores}: there are {len(before)} here")
    os.sched_setaffinity(0, sorted(before)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _longest_at_full_quality(separator: "TimedSeparator", limit: float) -> int:
    """Give the length in whole seconds; 0 where even a second is too much."""
    low, high = 0, 1
    while high < LONGEST_FORECAST and _is_full(separator, high, limit):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _is_full(separator, middle, limit):
            low = middle
        else:
            high = middle
    return low


def _is_full(separator: "TimedSeparator", seconds: int, limit: float) -> bool:
    return separator.forecast(seconds * SAMPLE_RATE, limit).step == "full"
