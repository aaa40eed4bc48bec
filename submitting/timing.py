"""Whether songs are in time, as `demix timing` tells it on this machine."""

from collections.abc import Callable
from dataclasses import dataclass

from my_submission.cli.timing import LONGEST_SONG, Forecast, measure
from submitting.checks import Check, ok, to_do, warning
from submitting.hardware import cores_of_the_grader, device_option, machine
from submitting.submission import Submission

NAME = "timing"

USUAL_SONG = 240.0
"""Seconds of a song as most are."""


@dataclass(frozen=True)
class Timing:
    """What was measured.

    Attributes:
        check: What it means for the submission.
        summary: One line for the tag; empty where nothing was measured.
    """

    check: Check
    summary: str


def timing(submission: Submission, say: Callable[[str], None]) -> Timing:
    """Measure the system, and see whether the longest song to expect is in time.

    It is measured on what the grader has too. The challenge of 2021 gets stems in time whatever
    happens, of less quality where time is short: that is a warning, unless there is no time for
    the networks. In that of 2023 a song that is late has failed.

    Raises:
        DemixError: The system cannot be loaded.
    """
    from my_submission.budget.messages import Task
    from my_submission.devices import resolve_device

    challenge = submission.challenge
    limit = challenge.song_limit(LONGEST_SONG)
    device = resolve_device(device_option(submission))
    task = Task(submission.system, submission.models, device)
    with cores_of_the_grader(submission):
        forecast = measure(task, limit, LONGEST_SONG, say)
        on = machine(device)
    seconds = forecast.full_seconds[LONGEST_SONG]
    summary = f"{LONGEST_SONG:g} s of song in {seconds:.1f} s of {limit:g} s, on {on}"
    if challenge.song_seconds is None:
        check = _must_be_in_time(submission, forecast, device, summary)
    else:
        check = _may_be_degraded(submission, forecast, device, summary)
    return Timing(check, summary)


def _may_be_degraded(
    submission: Submission, forecast: Forecast, device: str, summary: str
) -> Check:
    set_up_limit = submission.challenge.set_up_seconds
    without = [
        length for length in (USUAL_SONG, LONGEST_SONG) if forecast.plans[length].step == "split"
    ]
    reason = ""
    if forecast.set_up_seconds > set_up_limit:
        reason = f"the set-up took {forecast.set_up_seconds:.0f} s of {set_up_limit:g} s"
    elif without:
        reason = f"a song of {without[0]:g} s would have no time for all networks (step split)"
    if reason:
        return _refused_unless_a_gpu_is_lacking(submission, device, f"{summary}: {reason}")
    step = forecast.plans[LONGEST_SONG].step
    if step == "full":
        return ok(NAME, summary)
    return warning(
        NAME,
        f"{summary}: on a machine like this, songs above {forecast.longest_at_full_quality} s "
        f"would lose quality (step {step}); demix timing tells more",
    )


def _must_be_in_time(
    submission: Submission, forecast: Forecast, device: str, summary: str
) -> Check:
    """Compare each length with its own limit, which short songs may miss where long ones do not."""
    late = [
        length
        for length, seconds in forecast.full_seconds.items()
        if seconds > submission.challenge.song_limit(length)
    ]
    if not late:
        return ok(NAME, summary)
    text = f"{summary}: a song of {late[0]:g} s would be late"
    return _refused_unless_a_gpu_is_lacking(submission, device, text)


def _refused_unless_a_gpu_is_lacking(submission: Submission, device: str, text: str) -> Check:
    if submission.wants_gpu and device == "cpu":
        return warning(NAME, f'{text} here, without the GPU that "gpu" asks for')
    gpu = ', or "gpu": true in aicrowd.json' if "gpu" in submission.challenge.switches else ""
    return to_do(NAME, f"{text}; take a faster system{gpu}")
