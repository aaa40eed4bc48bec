"""The scratch file: written in order, read by position, and honest about a full disk."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from my_submission.audio.scratch import ScratchSignal
from my_submission.errors import DemixError
from tests.audio.sound_files import BLOCK_SIZES, file_size_limit, int16_noise


@pytest.mark.parametrize("block_size", BLOCK_SIZES)
def test_what_is_appended_is_read_back(rng: np.random.Generator, block_size: int) -> None:
    sound = int16_noise(rng, 9_000)
    with ScratchSignal() as scratch:
        for start in range(0, 9_000, block_size):
            scratch.append(sound[:, start : start + block_size])
            assert scratch.num_samples == min(start + block_size, 9_000)
        np.testing.assert_array_equal(scratch.read(0, 9_000), sound)
        np.testing.assert_array_equal(scratch.read(-3, 5)[:, 3:], sound[:, :5])


def test_empty_blocks_are_fine() -> None:
    with ScratchSignal() as scratch:
        scratch.append(np.zeros((2, 0), np.float32))
        assert scratch.num_samples == 0
        assert scratch.read(0, 2).tolist() == [[0, 0], [0, 0]]


def test_writing_goes_on_after_reading(rng: np.random.Generator) -> None:
    sound = int16_noise(rng, 200)
    with ScratchSignal() as scratch:
        scratch.append(sound[:, :100])
        scratch.read(10, 20)
        scratch.append(sound[:, 100:])
        np.testing.assert_array_equal(scratch.read(0, 200), sound)


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with (
        ScratchSignal() as scratch,
        file_size_limit(1_000),
        pytest.raises(DemixError, match=r"no space left for scratch files .* TMPDIR") as caught,
    ):
        scratch.append(np.ones((2, 1_000), np.float32))
    assert str(tmp_path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_no_folder_for_scratch_files_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(DemixError, match=r"scratch file failed .* TMPDIR"):
        ScratchSignal()

    def no_folder() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", no_folder)
    with pytest.raises(DemixError, match="set TMPDIR"):
        ScratchSignal()


def test_a_scratch_file_that_shrinks_is_an_error() -> None:
    with ScratchSignal() as scratch:
        scratch.append(np.ones((2, 100), np.float32))
        os.ftruncate(scratch._file.fileno(), 40)
        with pytest.raises(DemixError, match="shorter"):
            scratch.read(0, 100)
