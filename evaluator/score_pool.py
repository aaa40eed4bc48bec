"""Scores songs in processes of their own, while the next ones are separated.

One thread per process: a process that dies, as the system ends those that take too much memory,
takes the song it was scoring with it and no other. That song gets a second try in a fresh process
while no other one runs.
"""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from queue import LifoQueue
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from evaluator.errors import EvaluatorError
from evaluator.limits import available_cores
from evaluator.score_memory import Memory, memory_for_scoring

Job = TypeVar("Job")
Result = TypeVar("Result")

ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # Blocks of a song take a megabyte or so. By default glibc gives such memory back at once and
    # has it cleared by the system again: a fifth of the time of scoring.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 25),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 26),
}
"""What libraries read when they are loaded, so that a process has to find it when it starts."""

LOWER_PRIORITY = 10
"""Of scoring beside separation, of the 19 steps that there are."""

_starting = threading.Lock()


class ScoringFaultError(Exception):
    """A fault of the program's in a scoring process; its traceback is a note of the exception."""


class _DiedError(Exception):
    """A scoring process has ended in the middle of a song."""


class ScorePool(Generic[Job, Result]):
    """Runs a function on jobs in other processes; a context manager.

    Left by an exception, it ends the processes at once; otherwise when all jobs are done.

    Args:
        function: of the top level of a module.
        processes: how many at a time; by default one per processor core.
        memory: gives the bytes that all jobs together may need; asked whenever none runs. By
            default a share of what is free then. One job runs however much it needs.
    """

    def __init__(
        self,
        function: Callable[[Job], Result],
        *,
        processes: int | None = None,
        memory: Callable[[], float] = memory_for_scoring,
    ) -> None:
        self._function = function
        self.num_processes = processes or available_cores()
        self._memory = Memory(memory)
        self._threads = ThreadPoolExecutor(self.num_processes, thread_name_prefix="scoring")
        self._idle: LifoQueue[_Process] = LifoQueue()
        self._all: list[_Process] = []
        self._ended = False
        for _ in range(self.num_processes):
            self._idle.put(self._new_process())

    def submit(self, job: Job, bytes_needed: float = 0) -> "Future[Result]":
        """Run the function on a job when a process and memory are free.

        The future raises an EvaluatorError where the function did, or where the process died
        twice, and a ScoringFaultError for any other exception; CancelledError where the pool ends.

        Args:
            job: picklable.
            bytes_needed: the memory that it takes, roughly.
        """
        return self._threads.submit(self._run, job, bytes_needed)

    def _run(self, job: Job, bytes_needed: float) -> Result:
        process = self._idle.get()
        try:
            try:
                with self._memory.taken(bytes_needed):
                    return self._result(process, job)
            except _DiedError:
                if self._ended:
                    raise
                process = self._new_process()
                with self._memory.taken_alone():
                    return self._result(process, job)
        except _DiedError as error:
            if self._ended:
                raise CancelledError from error
            process = self._new_process()
            raise EvaluatorError(
                f"the scoring process was ended twice ({error}), as the system does where memory"
                " is short: free some, or give --metrics global"
            ) from error
        finally:
            self._idle.put(process)

    def _result(self, process: "_Process", job: Job) -> Result:
        kind, value = process.call(self._function, job)
        if kind == "done":
            result: Result = value
            return result
        if kind == "refused":
            raise EvaluatorError(value)
        message, told = value
        error = ScoringFaultError(message)
        error.add_note(told)
        raise error

    def _new_process(self) -> "_Process":
        process = _Process()
        self._all.append(process)
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._ended = True
            for process in self._all:
                process.kill()
        self._threads.shutdown(cancel_futures=kind is not None)
        for process in self._all:
            process.close()


class _Process:
    """A process that runs one job after the other; it starts with the first one."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection[Any, Any] | None = None
        self._lock = threading.Lock()
        self._killed = False

    def call(self, function: Callable[[Any], Any], job: Any) -> tuple[str, Any]:
        """Run a job.

        Raises:
            _DiedError: the process has ended before it was done.
        """
        self._start()
        assert self._process is not None
        assert self._connection is not None
        try:
            self._connection.send((function, job))
            answer: tuple[str, Any] = self._connection.recv()
        except (EOFError, OSError) as error:
            self._process.join()
            raise _DiedError(f"exit status {self._process.exitcode}") from error
        return answer

    def _start(self) -> None:
        with self._lock:
            if self._killed:
                raise _DiedError("the run ends")
            if self._process is not None:
                return
            # A forked process would have the locks of threads that it has not.
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
            with _environment():
                self._process.start()
            theirs.close()

    def kill(self) -> None:
        """End it at once, and let it not start again."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """Let it end, and wait for that."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.join()


@contextmanager
def _environment() -> Iterator[None]:
    """Let what is started here find `ENVIRONMENT`; one thread, as there is a process per core."""
    with _starting:
        before = {name: os.environ.get(name) for name in ENVIRONMENT}
        os.environ.update(ENVIRONMENT)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _serve(connection: "Connection[Any, Any]") -> None:
    """Run jobs until the other end of the connection is closed."""
    # Ctrl-C goes to all processes of a terminal; the first one ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The separation waits at the end of every step for the slowest of its threads: what stands in
    # one's way costs it all cores. Scoring takes what it leaves, and all of it in the end.
    if sys.platform != "win32":  # which has no such steps
        os.nice(LOWER_PRIORITY)
    while True:
        try:
            function, job = connection.recv()
        except EOFError:
            return
        answer: tuple[str, Any]
        try:
            answer = ("done", function(job))
        except EvaluatorError as error:
            answer = ("refused", str(error))
        except Exception as error:  # nothing is hidden: the first process tells it
            message = "".join(traceback.format_exception_only(error)).strip()
            answer = ("fault", (message, traceback.format_exc()))
        try:
            connection.send(answer)
        except OSError:  # the first process is gone
            return
