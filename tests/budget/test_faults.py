"""Each fault is caused: stems are there in time, and the next song is as good as ever."""

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from benchmarks.throttle import SlowMachine
from evaluator.time_limit import TimeLimitError, time_limit
from my_submission import DemixError
from my_submission.budget.messages import Task
from my_submission.budget.timed_separator import TimedSeparator
from my_submission.stems import SAMPLE_RATE
from tests.audio.sound_files import file_size_limit, open_descriptors
from tests.budget.workers import (
    PLENTY,
    require_full,
    require_stems,
    separate,
    stems_in,
    stuck,
    worker,
)


@pytest.fixture(scope="module")
def usual(
    starter: TimedSeparator, half_minute: Path, tmp_path_factory: pytest.TempPathFactory
) -> float:
    """Give the seconds that `half_minute` takes where nothing is wrong."""
    folder = tmp_path_factory.mktemp("usual")
    return separate(starter, half_minute, folder, PLENTY).used_seconds


@pytest.fixture(scope="module")
def machine(models: Path) -> Iterator[SlowMachine]:
    """Give a process with the system of `models` that can be slowed down as a whole."""
    with SlowMachine(Task("starter", models, "cpu")) as machine:
        yield machine


@pytest.mark.parametrize(("share", "times", "after"), [(3.0, 20.0, 0.0), (1.8, 5.0, 0.3)])
def test_a_machine_that_is_slower_as_a_whole(
    machine: SlowMachine,
    half_minute: Path,
    song: Path,
    tmp_path: Path,
    share: float,
    times: float,
    after: float,
) -> None:
    """Twenty times from the start, or five times in mid-song; nothing is left out the next time."""
    # Measured right before: what else the machine does differs from minute to minute.
    usual = min(
        machine.separate(half_minute, tmp_path / "usual", PLENTY, 1.0).seconds for _ in range(2)
    )
    limit = share * usual + 2
    slow = machine.separate(half_minute, tmp_path / "slow", limit, times, after * usual)
    assert slow.seconds < limit
    require_stems(half_minute, tmp_path / "slow")
    assert slow.record.step == "split"
    # Most is used but for the time that is kept for the end, of which a busy machine needs more.
    assert slow.seconds > limit / 4
    next_one = machine.separate(song, tmp_path / "next", PLENTY, 1.0)
    assert (next_one.record.step, next_one.record.incidents) == ("full", [])


def test_a_second_is_enough_where_nothing_can_be_run(
    starter: TimedSeparator, song: Path, tmp_path: Path
) -> None:
    with stuck(starter):  # no pass ends within the limit
        record = separate(starter, song, tmp_path / "second", 1.0)
    assert record.step == "split"
    assert [(part.start, part.stop) for part in record.degraded if part.step == "split"][-1] == (
        0,
        0.5,
    )
    stems = [
        soundfile.read(path, dtype="float32")[0] for path in stems_in(tmp_path / "second").values()
    ]
    np.testing.assert_allclose(sum(stems), soundfile.read(song, dtype="float32")[0], atol=1e-5)
    require_full(starter, song, tmp_path / "next")


def test_the_harness_s_alarm_leaves_nothing_and_the_next_song_works(
    starter: TimedSeparator, half_minute: Path, song: Path, tmp_path: Path
) -> None:
    before = open_descriptors()

    def be_over_soon(done: int, _total: int) -> None:
        if done < 6 * SAMPLE_RATE:  # the first chunk is done
            signal.setitimer(signal.ITIMER_REAL, 0.01)

    with pytest.raises(TimeLimitError), time_limit(PLENTY, "too long"):
        starter.separate_to_files(
            half_minute, stems_in(tmp_path / "out"), PLENTY, progress=be_over_soon
        )
    assert not (tmp_path / "out").exists()
    assert open_descriptors() <= before
    require_full(starter, song, tmp_path / "next")


def test_scratch_space_that_runs_out_is_one_line_or_an_incident(
    starter: TimedSeparator, half_minute: Path, song: Path, tmp_path: Path
) -> None:
    with (
        file_size_limit(1_000_000),  # of the song itself
        pytest.raises(DemixError, match="no space left for scratch files"),
    ):
        starter.separate_to_files(half_minute, stems_in(tmp_path / "out"), PLENTY)
    require_full(starter, song, tmp_path / "next")
    worker(starter).rlimit(
        psutil.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY)
    )  # of the estimates
    record = starter.separate_to_files(half_minute, stems_in(tmp_path / "out"), PLENTY)
    assert "no space left for scratch files" in record.incidents[0]
    require_stems(half_minute, tmp_path / "out")
    require_full(starter, song, tmp_path / "again")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_one_core_instead_of_two_from_now_on(
    starter: TimedSeparator, half_minute: Path, song: Path, tmp_path: Path, usual: float
) -> None:
    # What was measured on all cores comes to take longer, in both processes.
    threads = [int(task.name) for task in Path(f"/proc/{worker(starter).pid}/task").iterdir()]
    before = os.sched_getaffinity(0)
    try:
        for thread in (0, *threads):
            os.sched_setaffinity(thread, {min(before)})
        separate(starter, half_minute, tmp_path / "tight", max(1.0, 0.9 * usual))
        require_full(starter, song, tmp_path / "out")
    finally:
        for thread in (0, *threads):
            os.sched_setaffinity(thread, before)


def test_a_long_song_has_its_stems_within_a_second(
    starter: TimedSeparator, song: Path, tmp_path: Path
) -> None:
    path = tmp_path / "long.wav"
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (60 * SAMPLE_RATE, 2)).astype(np.float32)
    soundfile.write(path, noise, SAMPLE_RATE, subtype="FLOAT")
    record = separate(starter, path, tmp_path / "second", 1.0)
    assert record.step == "split"
    require_full(starter, song, tmp_path / "next")
