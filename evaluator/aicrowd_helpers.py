"""Events for the grader: sent through the ``aicrowd_api`` package where it is installed.

Locally it is not, and then nothing is sent. Where it is, it sends only while grading.
"""

import os
from functools import cache
from typing import Any

PREFIX = "music_demixing"
"""What the names of the challenge's events begin with."""


def is_grading() -> bool:
    """Whether this run is the grader's: ``AICROWD_IS_GRADING`` is set and not 0 or false."""
    return os.environ.get("AICROWD_IS_GRADING", "").strip().lower() not in ("", "0", "false")


def execution_start() -> None:
    """Report that the evaluation begins."""
    _register("AICROWD_EVENT_INFO", "execution_started")


def execution_running() -> None:
    """Report that the setup is done and the songs begin."""
    execution_progress(0.0)


def execution_progress(progress: float) -> None:
    """Report the share of the songs that is done, 0 to 1."""
    _register("AICROWD_EVENT_INFO", "execution_progress", progress=progress)


def execution_success() -> None:
    """Report that all songs are done and their files are good."""
    _register("AICROWD_EVENT_SUCCESS", "execution_success")


def execution_error(error: str) -> None:
    """Report why the evaluation ended early."""
    _register("AICROWD_EVENT_ERROR", "execution_error", error=error)


def _register(event_type: str, message: str, **details: float | str) -> None:
    events = _events()
    if events is not None:
        events.register_event(
            event_type=getattr(events, event_type),
            message=message,
            payload={"event_type": f"{PREFIX}:{message}", **details},
        )


@cache
def _events() -> Any:
    # One for the process: it holds a connection to the grader.
    try:
        import aicrowd_api
    except ModuleNotFoundError as error:
        # Something that it needs itself is missing: that is a broken installation, not none.
        if error.name != "aicrowd_api":
            raise
        return None
    return aicrowd_api.events.AIcrowdEvents()
