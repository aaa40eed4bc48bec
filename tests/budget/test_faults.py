"""Each fault is caused: stems are there in time, and the next song is as good as ever."""

import json
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from benchmarks.throttle import SlowMachine
from evaluator.time_limit import TimeLimitError, time_limit
from my_submission import DemixError
from my_submission.audio.output import FLOAT_WAV
from my_submission.budget import timed_separator
from my_submission.budget.finishing import safety
from my_submission.budget.messages import Ready, Task
from my_submission.budget.record import Record
from my_submission.budget.timed_separator import TimedSeparator
from my_submission.costs import Costs
from my_submission.stems import SAMPLE_RATE
from tests.audio.sound_files import file_size_limit, open_descriptors
from tests.budget.workers import (
    require_stems,
    stems_in,
    stuck,
    worker,
)

PLENTY = 600.0


@pytest.fixture(scope="module")
def starter(models: Path) -> Iterator[TimedSeparator]:
    """Give the system of `models`, set up; tests leave it fit for work."""
    with TimedSeparator(Task("starter", models, "cpu"), say=lambda line: None) as separator:
        separator.set_up()
        yield separator


@pytest.fixture(scope="module")
def half_minute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a song that takes the starter seconds, loudest at its end."""
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (30 * SAMPLE_RATE, 2)).astype(np.float32)
    noise[25 * SAMPLE_RATE :] *= 4
    path = tmp_path_factory.mktemp("songs") / "half_minute.wav"
    soundfile.write(path, noise, SAMPLE_RATE, subtype="FLOAT")
    return path


def separate(
    separator: TimedSeparator,
    song: Path,
    folder: Path,
    limit: float,
    progress: Callable[[int, int], None] | None = None,
) -> Record:
    """Separate a song and require that it was in time, and says what it did."""
    began = time.monotonic()
    record = separator.separate_to_files(song, stems_in(folder), limit, progress=progress)
    assert time.monotonic() - began < limit
    assert record.used_seconds < limit
    require_stems(song, folder)
    assert json.loads((folder / f"{song.stem}.budget.json").read_text())["step"] == record.step
    return record


def require_full(separator: TimedSeparator, song: Path, folder: Path) -> None:
    record = separate(separator, song, folder, PLENTY)
    assert (record.step, record.degraded, record.incidents) == ("full", [], [])


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
    usual: float,
    share: float,
    times: float,
    after: float,
) -> None:
    """Twenty times from the start, or five times in mid-song; nothing is left out the next time."""
    limit = share * usual + 2
    slow = machine.separate(half_minute, tmp_path / "slow", limit, times, after * usual)
    assert slow.seconds < limit
    require_stems(half_minute, tmp_path / "slow")
    assert slow.record.step == "split"
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


def test_a_worker_killed_in_mid_song_is_replaced(
    starter: TimedSeparator, half_minute: Path, song: Path, tmp_path: Path
) -> None:
    killed = worker(starter)

    def kill(_done: int, _total: int) -> None:
        with suppress(psutil.NoSuchProcess):
            killed.kill()

    record = separate(starter, half_minute, tmp_path / "killed", PLENTY, kill)
    (incident,) = record.incidents
    assert incident == (
        "the process that runs the networks was killed, probably for want of memory"
    )
    assert record.line().endswith(incident)
    assert record.step == "full"  # there was time to go on
    require_full(starter, song, tmp_path / "next")


def test_a_worker_that_cannot_be_loaded_again_costs_quality_not_the_song(
    half_minute: Path, models: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    with TimedSeparator(Task("starter", folder, "cpu"), say=lambda line: None) as separator:
        separator.set_up()
        shutil.rmtree(folder / "starter")
        os.kill(worker(separator).pid, signal.SIGKILL)
        record = separate(separator, half_minute, tmp_path / "out", PLENTY)
        assert record.step == "split"
        assert any("weights of starter" in incident for incident in record.incidents)


def test_a_worker_that_is_not_ready_is_waited_for_no_longer_than_a_slow_machine_allows(
    models: Path, half_minute: Path, tmp_path: Path
) -> None:
    probes = iter([1.0, *[20.0] * 1000])
    with (
        pytest.MonkeyPatch.context() as patch,
        TimedSeparator(Task("starter", models, "cpu"), say=lambda line: None) as separator,
    ):
        separator.set_up()
        patch.setattr(timed_separator, "probe", lambda: next(probes))
        worker(separator).suspend()
        separator._workers[0].is_running = True  # by the song before
        writing = separator.file_costs(FLOAT_WAV).writing_song(30 * SAMPLE_RATE)
        kept = 20 * safety(20) * writing
        limit = max(6.0, kept)
        record = separate(separator, half_minute, tmp_path / "out", limit)
        assert record.used_seconds < limit - 0.5 * kept
        worker(separator).resume()


def test_a_worker_that_dies_again_and_again_is_given_up(
    starter: TimedSeparator,
    song: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    os.kill(worker(starter).pid, signal.SIGKILL)
    start = starter._start

    def start_in_vain(is_fast: bool) -> None:
        start(is_fast)
        os.kill(worker(starter).pid, signal.SIGKILL)

    monkeypatch.setattr(starter, "_start", start_in_vain)
    monkeypatch.setattr(starter, "_make_ready", lambda: None)
    record = separate(starter, song, tmp_path / "killed", PLENTY)
    assert len(record.incidents) == 2
    assert record.step == "split"
    monkeypatch.undo()
    require_full(starter, song, tmp_path / "next")


def test_a_worker_killed_in_set_up_is_one_line(models: Path) -> None:
    with TimedSeparator(Task("starter", models, "cpu"), say=lambda line: None) as separator:
        start = separator._start

        def start_and_die(is_fast: bool) -> None:
            start(is_fast)
            worker(separator).kill()

        separator._start = start_and_die  # type: ignore[method-assign]
        line = "loads starter was killed, probably for want of memory: it may need more memory"
        with pytest.raises(DemixError, match=line):
            separator.set_up()


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


def test_a_worker_that_gets_no_memory_is_replaced(
    starter: TimedSeparator, half_minute: Path, song: Path, tmp_path: Path
) -> None:
    process = worker(starter)
    size = process.memory_info().vms
    hard = resource.RLIM_INFINITY
    process.rlimit(psutil.RLIMIT_AS, (size, hard))  # every request for more fails
    record = separate(starter, half_minute, tmp_path / "out", PLENTY)
    (incident,) = record.incidents
    assert incident.startswith("the process that runs the networks was ")
    assert record.step == "full"
    require_full(starter, song, tmp_path / "next")


def test_a_long_song_has_its_stems_within_a_second(
    starter: TimedSeparator, song: Path, tmp_path: Path
) -> None:
    path = tmp_path / "long.wav"
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (60 * SAMPLE_RATE, 2)).astype(np.float32)
    soundfile.write(path, noise, SAMPLE_RATE, subtype="FLOAT")
    record = separate(starter, path, tmp_path / "second", 1.0)
    assert record.step == "split"
    require_full(starter, song, tmp_path / "next")


def test_changing_over_to_low_precision_in_mid_song(
    starter: TimedSeparator,
    song: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fast_costs(ready: Ready) -> Costs | None:
        return None if starter._is_fast else replace(ready.costs.scaled(1e-6), set_up=0.0)

    monkeypatch.setattr(starter, "_fast_costs", fast_costs)
    known = starter._known[False]
    slow = replace(known, costs=known.costs.scaled(1e7))  # as if there were no time for it as it is
    monkeypatch.setitem(starter._known, False, slow)
    exact = worker(starter)
    record = separate(starter, song, tmp_path / "fast", PLENTY)
    assert (record.step, [part.detail for part in record.degraded]) == ("fast", ["low precision"])
    assert not exact.is_running()
    monkeypatch.undo()
    require_full(starter, song, tmp_path / "next")


def test_a_worker_is_the_first_to_go_where_memory_is_short(starter: TimedSeparator) -> None:
    assert starter._workers
    assert Path(f"/proc/{worker(starter).pid}/oom_score_adj").read_text().strip() == "1000"
