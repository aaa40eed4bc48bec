"""WAV and AIFF headers: what they promise, and what they leave open."""

import io
import os
import shutil
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from my_submission.audio.headers import WavHeader, read_wav_header
from my_submission.errors import DemixError
from tests.audio.sound_files import decoded, int16_noise, require_ffmpeg, wav_bytes, write_sound

LONG_HEADER = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("riff", "data"),
    [
        (LONG_HEADER, LONG_HEADER),
        (0, LONG_HEADER),
        (0x7FFFF024, 0x7FFFF000),
        (8, 0),
    ],
)
def test_a_streamed_wav_is_read_to_its_end_without_ffmpeg(
    tmp_path: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    riff: int,
    data: int,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    samples = rng.integers(-9_000, 9_000, (3_000, 2)).astype(np.int16)
    path = tmp_path / "song.wav"
    path.write_bytes(wav_bytes(samples, riff_size=riff, data_size=data))
    np.testing.assert_array_equal(decoded(path), samples.T / np.float32(32768))


@pytest.mark.parametrize("riff", [0, 36, LONG_HEADER])
def test_a_wav_whose_length_was_never_filled_in_is_read(
    tmp_path: Path, rng: np.random.Generator, riff: int
) -> None:
    require_ffmpeg()
    samples = rng.integers(-9_000, 9_000, (3_000, 2)).astype(np.int16)
    path = tmp_path / "song.wav"
    path.write_bytes(wav_bytes(samples, riff_size=riff, data_size=0))
    np.testing.assert_array_equal(decoded(path), samples.T / np.float32(32768))


@pytest.mark.parametrize("cut", [1, 4, 1_000, 39_990])
@pytest.mark.parametrize("suffix", [".wav", ".rf64", ".aiff"])
def test_a_cut_file_is_refused(
    tmp_path: Path, rng: np.random.Generator, suffix: str, cut: int
) -> None:
    path = write_sound(tmp_path / f"song{suffix}", int16_noise(rng, 10_000), subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DemixError, match=r"truncated: .*promises 400\d\d bytes"):
        decoded(path)


@pytest.mark.parametrize("keep", [13, 25, 43])
@pytest.mark.parametrize("suffix", [".wav", ".aiff"])
def test_a_file_cut_in_its_header_is_refused(tmp_path: Path, suffix: str, keep: int) -> None:
    path = write_sound(tmp_path / f"song{suffix}", np.zeros((2, 9), np.float32), subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DemixError, match="truncated"):
        decoded(path)


def test_chunks_before_the_sound_are_skipped(tmp_path: Path) -> None:
    whole = wav_bytes(np.full((10, 2), 256, np.int16))
    junk = struct.pack("<4sI", b"JUNK", 5) + b"12345\0"
    path = tmp_path / "song.wav"
    path.write_bytes(whole[:12] + junk + whole[12:])
    assert np.all(decoded(path) == 256 / 32768)


def test_a_big_endian_wav_is_read(tmp_path: Path, rng: np.random.Generator) -> None:
    sound = int16_noise(rng, 500)
    path = tmp_path / "song.wav"
    soundfile.write(path, sound.T, 44_100, format="WAV", subtype="PCM_16", endian="BIG")
    assert path.read_bytes().startswith(b"RIFX")
    np.testing.assert_array_equal(decoded(path), sound)


def test_a_header_is_read_from_a_pipe_too() -> None:
    whole = wav_bytes(np.full((10, 2), 256, np.int16))
    junk = struct.pack("<4sI", b"JUNK", 5) + b"12345\0"
    read_end, write_end = os.pipe()
    os.write(write_end, whole[:12] + junk + whole[12:])
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        assert read_wav_header(pipe) == WavHeader(2, 44_100, 0, 40)
        assert len(pipe.read()) == 40


@pytest.mark.parametrize("start", [b"RIFF\0\1\0\0WAVE", b"FORM\0\1\0\0AIFF"])
def test_zeros_behind_a_header_are_not_read_as_millions_of_chunks(
    tmp_path: Path, start: bytes
) -> None:
    (tmp_path / "song.wav").write_bytes(start + bytes(200_000_000))
    began = time.monotonic()
    with pytest.raises(DemixError, match="truncated: its header leads to no sound"):
        decoded(tmp_path / "song.wav")
    assert time.monotonic() - began < 5


def test_other_riff_files_are_no_wav() -> None:
    assert read_wav_header(io.BytesIO(b"RIFF\0\1\0\0AVI LIST")) is None
    assert read_wav_header(io.BytesIO(b"RIFF")) is None
