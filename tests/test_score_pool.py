"""Scoring processes: beside each other, within memory, and none taking others down."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.errors import EvaluatorError
from evaluator.score_pool import LOWER_PRIORITY, ScorePool, ScoringFaultError


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def work(job: tuple[str, Path]) -> tuple[str, int]:
    """Do what the job's name says, in another process; leave a mark of it in a folder."""
    name, folder = job
    (folder / f"{name} {os.getpid()}").touch()
    if name == "refuse":
        raise EvaluatorError("no\nsuch")
    if name == "fault":
        raise ZeroDivisionError("a fault of ours")
    is_second = len(list(folder.glob(f"{name} *"))) > 1
    if name == "die" or (name == "die once" and not is_second):
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("together"):
        wait_until(lambda: len(list(folder.glob("together*"))) == 2)
    if name.startswith("alone"):
        (folder / f"running {name}").touch()
        assert len(list(folder.glob("running *"))) == 1
        time.sleep(0.05)
        (folder / f"running {name}").unlink()
    if name == "long":
        time.sleep(60)
    return name, os.getpid()


def test_songs_are_scored_side_by_side_in_other_processes(tmp_path: Path) -> None:
    with ScorePool(work, processes=2) as pool:
        futures = [pool.submit((f"together {number}", tmp_path)) for number in range(2)]
        processes = {future.result()[1] for future in futures}
    assert len(processes) == 2
    assert os.getpid() not in processes


def niceness(_: None) -> int:
    return os.nice(0)


def test_scoring_gives_way_to_separation() -> None:
    with ScorePool(niceness, processes=1) as pool:
        assert pool.submit(None).result() == min(19, os.nice(0) + LOWER_PRIORITY)


def test_a_process_is_used_again(tmp_path: Path) -> None:
    with ScorePool(work, processes=1) as pool:
        results = [pool.submit((str(number), tmp_path)).result() for number in range(3)]
    assert [name for name, _ in results] == ["0", "1", "2"]
    assert len({process for _, process in results}) == 1


def test_errors_come_back(tmp_path: Path) -> None:
    with ScorePool(work, processes=1) as pool:
        refused, fault = pool.submit(("refuse", tmp_path)), pool.submit(("fault", tmp_path))
        good = pool.submit(("good", tmp_path))
        with pytest.raises(EvaluatorError, match=r"no\\nsuch"):
            refused.result()
        with pytest.raises(ScoringFaultError, match="ZeroDivisionError: a fault") as error:
            fault.result()
        assert good.result()[0] == "good"
    assert "in work" in error.value.__notes__[0]


def test_a_song_whose_process_dies_gets_a_second_try_and_takes_no_other_down(
    tmp_path: Path,
) -> None:
    with ScorePool(work, processes=2) as pool:
        names = ["a", "die", "b", "die once", "c"]
        futures = {name: pool.submit((name, tmp_path)) for name in names}
        for name in ("a", "b", "c", "die once"):
            assert futures[name].result()[0] == name
        with pytest.raises(EvaluatorError, match=r"ended twice \(exit status -9\).*memory"):
            futures["die"].result()
    assert len(list(tmp_path.glob("die [0-9]*"))) == 2
    assert len(list(tmp_path.glob("die once *"))) == 2


def test_jobs_that_need_more_memory_than_there_is_run_one_by_one(tmp_path: Path) -> None:
    with ScorePool(work, processes=3, memory=lambda: 10) as pool:
        futures = [pool.submit((f"alone {number}", tmp_path), 6 + number) for number in range(6)]
        assert [future.result()[0] for future in futures] == [f"alone {n}" for n in range(6)]


def test_memory_is_measured_anew_whenever_nothing_runs(tmp_path: Path) -> None:
    asked: list[str] = []

    def free() -> float:
        asked.append("")
        return 10

    with ScorePool(work, processes=2, memory=free) as pool:
        assert asked == []  # what separates is not even loaded
        for name in ("first", "second"):
            pool.submit((name, tmp_path), 6).result()
    assert len(asked) == 2


def test_an_exception_ends_the_processes_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), ScorePool(work, processes=1) as pool:
        futures = [pool.submit(("long", tmp_path)) for _ in range(2)]
        wait_until(lambda: any(tmp_path.glob("long *")))
        raise KeyboardInterrupt
    assert time.monotonic() - began < 30
    assert all(future.done() for future in futures)
    (mark,) = tmp_path.glob("long *")
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.name.split()[1]), 0)


def test_numeric_libraries_get_one_thread_there_and_nothing_changes_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with ScorePool(os.getenv, processes=1) as pool:
        for name in ("MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            assert pool.submit(name).result() == "1"
    assert os.environ["MKL_NUM_THREADS"] == "7"
    assert "OPENBLAS_NUM_THREADS" not in os.environ
