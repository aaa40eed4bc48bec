"""What of this machine the grader's has too: neither a GPU nor cores that it lacks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from evaluator.limits import available_cores
from my_submission.cli.timing import only
from submitting.submission import Submission


def device_option(submission: Submission) -> str:
    """Give the device to ask for: a GPU only counts where the challenge gives one too."""
    return "auto" if submission.wants_gpu else "cpu"


@contextmanager
def cores_of_the_grader(submission: Submission) -> Iterator[None]:
    """Have this process, and those that it starts, use no more cores than the grader has."""
    cores = submission.challenge.cores
    can_choose = hasattr(os, "sched_setaffinity")
    with only(cores if cores and can_choose and len(os.sched_getaffinity(0)) > cores else None):
        yield


def machine(device: str) -> str:
    """Say on what something is measured."""
    from my_submission.cli.info import processor

    return f"{device}, {available_cores()} cores of {processor()}"
