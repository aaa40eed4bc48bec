"""Programs that are run with a time limit, and that leave nothing running."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TO_CLEAN_UP = 10.0
"""Seconds that a program gets to end by itself."""


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes:
        status: Its exit status; None where its time was over.
        seconds: That it took.
        lines: What it printed last.
    """

    status: int | None
    seconds: float
    lines: list[str]


def run_limited(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    limit: float,
    log: Path,
    num_lines: int = 15,
) -> Ended:
    """Run a program and all that it starts, for so long and no longer.

    Args:
        command: The program and its arguments.
        folder: Where it runs.
        environment: All of its variables.
        limit: Seconds.
        log: File for what it prints.
        num_lines: How many of its last lines to give.

    Raises:
        OSError: It cannot be started.
    """
    began = time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group, to be ended as one
        )
        status: int | None = None
        try:
            with suppress(subprocess.TimeoutExpired):
                status = process.wait(limit)
        finally:
            _end(process)
    seconds = time.monotonic() - began
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return Ended(status, seconds, lines[-num_lines:])


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End what is left of a program's group, politely first."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(TO_CLEAN_UP)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
