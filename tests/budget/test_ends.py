"""However the process with the budget ends, nothing half-written and no other process is left."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from my_submission.stems import SAMPLE_RATE
from tests.budget.workers import wait_until, workers

CODE = """
import time
from pathlib import Path
from my_submission.budget.messages import Task
from my_submission.budget.timed_separator import TimedSeparator
separator = TimedSeparator(Task("starter"), say=print)
separator._networks.start(is_fast=False)
(worker,) = separator._networks.workers
while worker.event(60) is None or worker.ready is None:
    pass
{then}
time.sleep(600)
"""


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Give a list of processes that are ended, and their workers, whatever a test finds."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        family = []
        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        for child in family:
            with suppress(psutil.NoSuchProcess):
                child.kill()


def begin(
    started: list[subprocess.Popen[str]],
    models: Path,
    command: list[str],
    folder: Path,
    *,
    process_group: int | None = None,
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "DEMIX_MODELS": str(models)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=process_group,
    )
    started.append(process)
    return process


def worker_of(process: subprocess.Popen[str]) -> psutil.Process:
    wait_until(lambda: process.poll() is not None or bool(workers(process.pid)))
    (only,) = workers(process.pid)
    return only


@pytest.mark.parametrize("state", ["waits", "is paused"])
def test_the_worker_ends_where_its_parent_is_killed(
    started: list[subprocess.Popen[str]], models: Path, tmp_path: Path, state: str
) -> None:
    then = "worker.pause()" if state == "is paused" else ""
    code = CODE.format(then=f"{then}\nprint('now', flush=True)")
    process = begin(started, models, ["-c", code], tmp_path)
    assert process.stdout is not None
    while process.stdout.readline() != "now\n":
        assert process.poll() is None
    child = worker_of(process)
    if state == "is paused":
        wait_until(lambda: child.status() == psutil.STATUS_STOPPED)
    process.kill()
    process.wait()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 10)


@pytest.mark.parametrize("when", ["loading", "separating"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_nothing(
    started: list[subprocess.Popen[str]],
    models: Path,
    tmp_path: Path,
    number: int,
    status: int,
    when: str,
) -> None:
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.1, 0.1, (240 * SAMPLE_RATE, 2)).astype(np.float32)
    soundfile.write(tmp_path / "song.wav", noise, SAMPLE_RATE, subtype="FLOAT")
    command = ["-m", "my_submission", "separate", "song.wav", "--deadline", "600"]
    process = begin(started, models, command, tmp_path, process_group=0)
    child = worker_of(process)
    if when == "separating":
        # It has the song and a file for the estimate besides what it began with.
        wait_until(lambda: _num_scratch_files(child) == 2)
    # Ctrl-C reaches both processes.
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == status
    lines = [line for line in errors.splitlines() if " runs on " not in line]
    assert (out, lines) == ("", ["error: interrupted"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["song.wav"]
    wait_until(lambda: not child.is_running(), 10)


def _num_scratch_files(process: psutil.Process) -> int:
    found = 0
    for entry in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found += "(deleted)" in str(entry.readlink())
    return found
