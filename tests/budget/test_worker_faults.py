"""The networks' process dies, in every way: the song goes on with another, or what there is."""

import os
import resource
import shutil
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from my_submission import DemixError
from my_submission.audio.output import FLOAT_WAV
from my_submission.budget import networks
from my_submission.budget.finishing import safety
from my_submission.budget.messages import Ready, Task
from my_submission.budget.timed_separator import TimedSeparator
from my_submission.costs import Costs
from my_submission.stems import SAMPLE_RATE
from tests.budget.workers import (
    PLENTY,
    require_full,
    separate,
    worker,
)


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
        patch.setattr(networks, "probe", lambda: next(probes))
        worker(separator).suspend()
        separator._networks.workers[0].is_running = True  # by the song before
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
    start = starter._networks.start

    def start_in_vain(is_fast: bool) -> None:
        start(is_fast)
        os.kill(worker(starter).pid, signal.SIGKILL)

    monkeypatch.setattr(starter._networks, "start", start_in_vain)
    monkeypatch.setattr(starter._networks, "make_ready", lambda: None)
    record = separate(starter, song, tmp_path / "killed", PLENTY)
    assert len(record.incidents) == 2
    assert record.step == "split"
    monkeypatch.undo()
    require_full(starter, song, tmp_path / "next")


def test_a_worker_killed_in_set_up_is_one_line(models: Path) -> None:
    with TimedSeparator(Task("starter", models, "cpu"), say=lambda line: None) as separator:
        start = separator._networks.start

        def start_and_die(is_fast: bool) -> None:
            start(is_fast)
            worker(separator).kill()

        separator._networks.start = start_and_die  # type: ignore[method-assign]
        line = "loads starter was killed, probably for want of memory: it may need more memory"
        with pytest.raises(DemixError, match=line):
            separator.set_up()


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


def test_changing_over_to_low_precision_in_mid_song(
    starter: TimedSeparator,
    song: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fast_costs(ready: Ready) -> Costs | None:
        return None if starter._networks.is_fast else replace(ready.costs.scaled(1e-6), set_up=0.0)

    monkeypatch.setattr(starter._networks, "fast_costs", fast_costs)
    known = starter._networks.known[False]
    slow = replace(known, costs=known.costs.scaled(1e7))  # as if there were no time for it as it is
    monkeypatch.setitem(starter._networks.known, False, slow)
    exact = worker(starter)
    record = separate(starter, song, tmp_path / "fast", PLENTY)
    assert (record.step, [part.detail for part in record.degraded]) == ("fast", ["low precision"])
    assert not exact.is_running()
    monkeypatch.undo()
    require_full(starter, song, tmp_path / "next")


def test_a_worker_is_the_first_to_go_where_memory_is_short(starter: TimedSeparator) -> None:
    assert starter._networks.workers
    assert Path(f"/proc/{worker(starter).pid}/oom_score_adj").read_text().strip() == "1000"
