"""Where scratch files lie: on a disk where there is one, or where the user says."""

import os
import shutil
import tempfile
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from my_submission.audio import scratch_space
from my_submission.audio.scratch import ScratchSignal
from my_submission.audio.scratch_space import (
    lies_in_memory,
    require_scratch_space,
    scratch_folder,
)
from my_submission.errors import DemixError
from tests.audio.sound_files import file_size_limit

Mount = namedtuple("Mount", "mountpoint fstype")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Give a default folder that lies in memory, and one for large files that does not."""
    memory, disk = tmp_path / "memory", tmp_path / "disk"
    for folder in (memory, disk):
        folder.mkdir()
    mounts = [Mount("/", "ext4"), Mount(str(memory), "ext4"), Mount(str(memory), "tmpfs")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts)
    monkeypatch.setattr(scratch_space, "DISK_FOR_TEMPORARY_FILES", str(disk))
    monkeypatch.setattr(tempfile, "tempdir", str(memory))
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    return memory, disk


def test_a_folder_in_memory_is_known(places: tuple[Path, Path]) -> None:
    memory, disk = places
    (memory / "inside").mkdir()
    assert lies_in_memory(str(memory))
    assert lies_in_memory(str(memory / "inside"))
    assert not lies_in_memory(str(disk))


def test_scratch_files_go_to_a_disk(places: tuple[Path, Path]) -> None:
    _, disk = places
    assert scratch_folder() == disk
    with ScratchSignal() as scratch:
        assert os.fstat(scratch._file.fileno()).st_dev == disk.stat().st_dev
        # The file has lost its name; Linux still tells where it was.
        assert str(disk) in str(Path(f"/proc/self/fd/{scratch._file.fileno()}").readlink())


def test_the_user_s_choice_is_kept(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, _ = places
    monkeypatch.setenv("TMPDIR", str(memory))
    assert scratch_folder() == memory


def test_without_a_disk_memory_will_do(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, _ = places
    monkeypatch.setattr(scratch_space, "DISK_FOR_TEMPORARY_FILES", str(memory / "none"))
    assert scratch_folder() == memory


def test_the_space_is_measured_where_the_files_will_lie(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, disk = places
    Usage = namedtuple("Usage", "free")
    monkeypatch.setattr(
        shutil, "disk_usage", lambda folder: Usage(3_000_000_000 if folder == disk else 0)
    )
    require_scratch_space(3_000_000_000)
    with pytest.raises(DemixError, match=r"disk: 3\.1 GB are needed .* 3\.0 GB are free"):
        require_scratch_space(3_100_000_000)


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_chosen_folder_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TMPDIR", str(tmp_path / name))
    with pytest.raises(DemixError, match=f"TMPDIR is .*{name}: name a folder"):
        require_scratch_space(1)
    with pytest.raises(DemixError, match=f"TMPDIR is .*{name}: name a folder"):
        ScratchSignal()


def test_a_folder_that_went_away_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(DemixError, match="set TMPDIR to one that can be written"):
        require_scratch_space(1)


def test_reserved_space_is_taken_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with ScratchSignal(reserved=100_000) as scratch:
        assert os.fstat(scratch._file.fileno()).st_blocks * 512 >= 800_000
        assert scratch.num_samples == 0
    with (
        file_size_limit(10_000),
        pytest.raises(DemixError, match=r"no space left for scratch files"),
    ):
        ScratchSignal(reserved=100_000)
