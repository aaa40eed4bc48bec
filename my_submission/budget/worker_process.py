"""The worker as the process that has the budget sees it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from pathlib import Path

from my_submission.budget.messages import Ended, Event, Failed, Ready, Run, Said, Stop, Task
from my_submission.budget.shared import SharedSound
from my_submission.errors import DemixError

ROOT = Path(__file__).parents[2]
COMMAND = (
    # Ctrl-C is the other process's to take, from the first moment on.
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "sys.path.insert(0, sys.argv[1]); "
    "from my_submission.budget.worker import main; main(int(sys.argv[2]), int(sys.argv[3]))"
)


PARTING = 1.0
"""Seconds within which a process that has closed its connection ends."""


class WorkerDiedError(Exception):
    """The worker's process has ended."""


class WorkerProcess:
    """Starts a worker and talks to it. Nothing here waits longer than it is told to.

    Args:
        task: What it loads.
        say: Gets the lines that it says.

    Raises:
        WorkerDiedError: It cannot be started.
    """

    def __init__(self, task: Task, say: Callable[[str], None]) -> None:
        self.task = task
        self.ready: Ready | None = None
        self.is_running = self._has_gone = False
        self.started = time.monotonic()
        self._say = say
        here, there = socket.socketpair()
        lifeline, self._life = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, str(ROOT), str(there.fileno()), str(lifeline)],
                pass_fds=(there.fileno(), lifeline),
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is this process's to take
                # What is printed is the songs' list or JSON; a worker has nothing to add.
                stdout=sys.stderr.fileno() if _has_descriptor(sys.stderr) else None,
            )
        except OSError as error:  # no memory or no number for another process
            here.close()
            os.close(self._life)
            raise WorkerDiedError(f"not started: {error.strerror}") from error
        finally:
            there.close()
            os.close(lifeline)
        self._connection = Connection(here.detach())
        try:
            self._send(task)
        except WorkerDiedError:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def start(self, run: Run, song: SharedSound, estimate: SharedSound) -> None:
        """Begin a run.

        Raises:
            WorkerDiedError: The process has ended.
        """
        self._send(run)
        try:
            for sound in (song, estimate):
                send_handle(self._connection, sound.descriptor, self.pid)
        except OSError as error:
            raise WorkerDiedError from error
        self.is_running = True

    def stop(self) -> None:
        """Ask it to end the run after the pass that is under way."""
        self._send(Stop())

    def event(self, seconds: float) -> Event | None:
        """Give what it says next, or None if that takes longer.

        Raises:
            WorkerDiedError: The process has ended.
            DemixError: The networks could not be loaded, or the separation failed.
        """
        give_up = time.monotonic() + seconds
        while True:
            try:
                if not self._connection.poll(max(0.0, give_up - time.monotonic())):
                    return None
                event: Event = self._connection.recv()
            except (EOFError, OSError) as error:
                self._has_gone = True
                raise WorkerDiedError from error
            if isinstance(event, Said):
                self._say(event.line)
                continue
            if isinstance(event, Failed) and self.ready is None:
                raise DemixError(event.reason)
            if isinstance(event, Failed):  # in a song, which is not to be lost by it
                raise WorkerDiedError(f"of no use: {event.reason}")
            if isinstance(event, Ready):
                self.ready = event
            if isinstance(event, Ended):
                self.is_running = False
            return event

    def pause(self) -> None:
        """Leave the processor to others."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        self._signal(signal.SIGCONT)

    def end(self) -> str:
        """End the process, whatever it does; say how it had ended if it had."""
        if self._has_gone:
            # Its connection closes a moment before it can be asked how it ended.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(PARTING)
        died = self._process.poll()
        self._process.kill()
        self._process.wait()
        self._connection.close()
        if self._life >= 0:
            os.close(self._life)
            self._life = -1
        return _how(died)

    def _send(self, message: object) -> None:
        try:
            self._connection.send(message)
        except OSError as error:
            self._has_gone = True
            raise WorkerDiedError from error

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)


def _how(status: int | None) -> str:
    if status is None:
        return "ended"
    if status == -signal.SIGKILL:
        return "killed, probably for want of memory"
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _has_descriptor(stream: object) -> bool:
    try:
        return bool(stream.fileno() >= 0)  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
