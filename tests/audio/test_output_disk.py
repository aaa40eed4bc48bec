"""Full disks, and folders and paths that cannot be written."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from my_submission.audio.output import OutputFormat, StemWriter
from my_submission.errors import DemixError
from my_submission.stems import Audio
from tests.audio.sound_files import file_size_limit, int16_noise
from tests.audio.test_output import FORMATS, NAMES, format_id
from tests.audio.test_output_faults import refusal, write_all


@pytest.fixture
def sound(rng: np.random.Generator) -> Audio:
    return int16_noise(rng, 30_000)


# Limits on the size of a file act as a full disk does, at any byte, without any privilege.
@pytest.mark.parametrize("share", [0.0001, 0.02, 0.5, 0.97, 0.9999])
@pytest.mark.parametrize("fmt", FORMATS, ids=format_id)
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, sound: Audio, fmt: OutputFormat, share: float
) -> None:
    write_all(tmp_path / "whole", sound, fmt)
    size = max(path.stat().st_size for path in (tmp_path / "whole").iterdir())
    with file_size_limit(max(1, int(size * share))):
        line = refusal(tmp_path / "out", sound, fmt)
    assert "no space left" in line
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


@contextmanager
def tiny_disk(folder: Path, kibibytes: int) -> Iterator[Path]:
    """Mount a real file system that is soon full; needs the right to mount."""
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a tiny disk; limits on file sizes are tested without")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("fmt", FORMATS, ids=format_id)
def test_a_really_full_disk_leaves_nothing(tmp_path: Path, sound: Audio, fmt: OutputFormat) -> None:
    with tiny_disk(tmp_path / "disk", 64) as disk:
        assert "No space left on device" in refusal(disk / "out", sound, fmt)
        assert list(disk.iterdir()) == []


def test_a_full_scratch_disk_is_told_apart(
    tmp_path: Path, sound: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tiny_disk(tmp_path / "disk", 64) as disk:
        # Named, because this disk lies in memory, where scratch files are not put by themselves.
        monkeypatch.setenv("TMPDIR", str(disk))
        line = refusal(tmp_path / "out", sound)
        assert "scratch" in line
        assert "TMPDIR" in line
        assert list(disk.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["disk"]


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path, sound: Audio) -> None:
    (tmp_path / "out").write_text("mine")
    assert "is a file, not a folder" in refusal(tmp_path / "out", sound)
    assert "is a file, not a folder" in refusal(tmp_path / "out" / "song", sound)
    assert (tmp_path / "out").read_text() == "mine"


def test_a_folder_in_the_files_place_is_refused(tmp_path: Path, sound: Audio) -> None:
    (tmp_path / "vocals.wav").mkdir()
    assert "vocals.wav: is a folder" in refusal(tmp_path, sound)
    assert [path.name for path in tmp_path.iterdir()] == ["vocals.wav"]


def test_devices_are_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    writer = StemWriter({"a": tmp_path / "pipe.wav"}, 1, OutputFormat(), say=pytest.fail)
    with pytest.raises(DemixError, match="not a plain file"), writer:
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["pipe.wav"]


@contextmanager
def folder_without_rights() -> Iterator[Path]:
    """Give a folder that this process cannot write, root or not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65_534)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_an_unwritable_folder_is_refused_at_once() -> None:
    with folder_without_rights() as folder:
        for target in (folder, folder / "new"):
            paths = {name: target / f"{name}.wav" for name in NAMES}
            writer = StemWriter(paths, 1, OutputFormat("wav", "float32"), say=pytest.fail)
            with pytest.raises(DemixError, match="Permission denied"), writer:
                pytest.fail("the separation must not begin")
        assert list(folder.iterdir()) == []


def test_a_name_that_is_too_long_is_refused_at_once(tmp_path: Path) -> None:
    writer = StemWriter({"a": tmp_path / ("x" * 300)}, 1, OutputFormat(), say=pytest.fail)
    with pytest.raises(DemixError, match="name too long"), writer:
        pass
    longest = tmp_path / ("♥" * 83 + ".wav")
    with StemWriter({"a": longest}, 0, OutputFormat(), say=pytest.fail):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [longest.name]
