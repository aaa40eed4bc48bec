"""Programs that a command runs: they end with it when it is asked to end."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType, TracebackType
from typing import Any, Self

from my_submission.errors import DemixError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StoppedError(DemixError):
    """Work that was asked to end, and can be gone on with.

    Attributes:
        status: The exit status, 128 more than the signal's number.
    """

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.status = 128 + signum


class Children:
    """Runs programs, several at a time from as many threads; for the main thread's `with`.

    When this process is asked to end, by Ctrl-C, SIGTERM or its terminal's end, each of them gets
    SIGTERM, for each signal one; and no further one begins. Whoever runs one waits for its end.
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._running: list[subprocess.Popen[bytes]] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Take over the signals, but those that are ignored, as under nohup."""
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def run(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
        """Run a program to its end; give its exit status.

        Args:
            command: The program and its arguments.
            environment: Its variables; None for those of this process.

        Raises:
            StoppedError: This process was asked to end, before or meanwhile.
        """
        self.raise_if_stopped()
        # A group of its own: from a terminal's Ctrl-C it would get a second signal, and a run of
        # phase 1 does not save on a second one. Out of the terminal's group, it could not read.
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, process_group=0
        ) as child:
            self._running.append(child)
            if self._received is not None:  # while it was started
                child.terminate()
            status = child.wait()
            self._running.remove(child)
        self.raise_if_stopped()
        return status

    def raise_if_stopped(self) -> None:
        """Raise `StoppedError` where this process was asked to end."""
        if self._received is not None:
            raise StoppedError("stopped; the same command goes on with it", self._received)

    def _receive(self, signum: int, _frame: FrameType | None) -> None:
        self._received = signum
        for child in list(self._running):
            child.terminate()
