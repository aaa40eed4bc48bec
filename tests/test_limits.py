"""What a process may use: the machine's, or less where control groups say so."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from evaluator import limits, score_memory

GB = 10**9


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the place of control groups, on a machine of 64 GB and 16 cores without any."""
    monkeypatch.setattr(limits, "CGROUPS", tmp_path)
    monkeypatch.setattr(limits, "OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(limits, "OWN_STATUS", tmp_path / "status")
    free = SimpleNamespace(available=64 * GB)
    monkeypatch.setattr("psutil.virtual_memory", lambda: free)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    return tmp_path


def write(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


def test_without_control_groups_there_is_what_the_machine_has(groups: Path) -> None:
    assert (limits.available_cores(), limits.available_memory()) == (16, 64 * GB)
    assert limits.memory_to_grow_back() == 0
    write(groups / "mine", memory__max="max", memory__current=GB, cpu__max="max 100000")
    write(groups, own="0::/mine")
    assert (limits.available_cores(), limits.available_memory()) == (16, 64 * GB)


def test_version_2(groups: Path) -> None:
    write(groups, own="0::/outer/mine")
    write(groups / "outer", memory__max=10 * GB, memory__current=4 * GB, cpu__max="800000 100000")
    write(groups / "outer" / "mine", memory__max="max", cpu__max="250000 100000")
    write(groups / "outer", memory__stat=f"anon 5\ninactive_file {GB}")
    assert (limits.available_cores(), limits.available_memory()) == (3, 7 * GB)


def test_version_1_as_a_container_sees_it(groups: Path) -> None:
    write(groups, own="4:memory:/docker/0123\n2:cpu,cpuacct:/docker/0123\n1:name=systemd:/")
    memory = {"memory__limit_in_bytes": 2 * GB, "memory__usage_in_bytes": 3 * GB}
    write(groups / "memory", **memory, memory__stat=f"inactive_file 7\ntotal_inactive_file {GB}")
    write(groups / "cpu", cpu__cfs_quota_us=50_000, cpu__cfs_period_us=100_000)
    assert (limits.available_cores(), limits.available_memory()) == (1, 0)
    write(groups / "cpu", cpu__cfs_quota_us=-1)
    assert limits.available_cores() == 16


def test_scoring_leaves_the_separation_what_it_has_once_taken(groups: Path) -> None:
    write(groups, status="VmHWM:\t 40000000 kB\nVmRSS:\t 10000000 kB")
    free = 64 * GB - 30 * 10**6 * 1024
    assert score_memory.memory_for_scoring() == pytest.approx(0.7 * free)
    write(groups, status="VmHWM:\t 99000000 kB\nVmRSS:\t 10000000 kB")
    assert score_memory.memory_for_scoring() == 0


def test_this_process_has_both() -> None:
    assert limits.available_cores() >= 1
    assert limits.available_memory() > 0
    assert limits.memory_to_grow_back() >= 0
