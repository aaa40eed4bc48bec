"""Work on all cores ends as a whole, however it ends."""

import signal
import threading
import time

import pytest
import torch

from my_submission.networks.cores import on_all_cores, workers


class StoppedError(Exception):
    """What ends the work."""


def test_every_piece_is_done_once() -> None:
    done: list[int] = []
    on_all_cores(range(100), done.append)
    assert sorted(done) == list(range(100))


def test_after_a_failure_nothing_goes_on() -> None:
    begun: list[int] = []

    def work(start: int) -> None:
        begun.append(start)
        time.sleep(0.01)
        if start == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        on_all_cores(range(1000), work)
    number = len(begun)
    time.sleep(0.1)
    assert len(begun) == number < 1000


def test_after_an_alarm_nothing_goes_on() -> None:
    begun: list[int] = []
    first = threading.Event()

    def work(start: int) -> None:
        begun.append(start)
        first.set()
        time.sleep(0.01)

    def ring(*_: object) -> None:
        raise StoppedError

    previous = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(StoppedError):
            on_all_cores(range(1000), work)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert first.is_set()
    number = len(begun)
    time.sleep(0.1)
    assert len(begun) == number < 1000


def test_torch_keeps_to_a_thread_s_share_of_the_cores() -> None:
    usual = torch.get_num_threads()

    def number_after_work() -> int:
        torch.ones(1 << 20).exp()  # in parallel where it may
        return torch.get_num_threads()

    for threads_each in (1, 2):
        pool = workers(3, threads_each)
        found = [pool.submit(number_after_work) for _ in range(30)]
        assert {future.result() for future in found} == {threads_each}
    assert torch.get_num_threads() == usual
