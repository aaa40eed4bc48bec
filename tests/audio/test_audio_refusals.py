"""Songs that are refused, each with one line that names it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from my_submission.audio import open_song
from my_submission.errors import DemixError
from tests.audio.sound_files import int16_noise, wav_bytes, write_sound


def refusal(path: Path) -> str:
    """Open a song that is to be refused; give the line, which must name it."""
    with pytest.raises(DemixError) as caught, open_song(path, say=lambda line: None):
        pass
    line = str(caught.value)
    assert path.name in line
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        (b"", "empty"),
        (b"this is not audio\n" * 1000, "sound|ffmpeg"),
        (wav_bytes(np.ones((500, 2), np.int16))[:-1], "promises 2000 bytes of sound and 1999"),
        (wav_bytes(np.ones((500, 2), np.int16))[:30], "truncated"),
        (wav_bytes(np.zeros((0, 2), np.int16)), "no samples"),
        (wav_bytes(np.zeros((0, 2), np.int16), tail=b"LIST\4\0\0\0INFO"), "no samples"),
    ],
    ids=["empty", "text", "truncated", "truncated header", "zero samples", "zero samples, tags"],
)
def test_bad_files_are_refused(tmp_path: Path, contents: bytes, why: str) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(contents)
    with pytest.raises(DemixError, match=why), open_song(path, say=lambda line: None):
        pass
    refusal(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "song.wav")
    assert "not a file" in refusal(tmp_path)
    (tmp_path / "file").write_bytes(b"x")
    assert "cannot be read" in refusal(tmp_path / "file" / "song.wav")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_numbers_that_are_none_are_refused(
    tmp_path: Path, rng: np.random.Generator, bad: float, rate: int
) -> None:
    sound = int16_noise(rng, 100_000)
    sound[1, 70_000:] = bad  # behind the first block
    line = refusal(write_sound(tmp_path / "song.wav", sound, rate))
    assert "NaN or infinity" in line
    assert f"{70_000 / rate:.3f} s (frame 70000)" in line


def test_doubles_beyond_float32_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", np.full((10, 2), 1e300), 44_100, subtype="DOUBLE")
    assert "NaN or infinity" in refusal(tmp_path / "song.wav")


@pytest.mark.parametrize("rate", [1_000, 800_000])
def test_impossible_rates_are_refused(tmp_path: Path, rate: int) -> None:
    path = write_sound(tmp_path / "song.wav", np.zeros((2, 10), np.float32), rate)
    assert f"{rate} Hz" in refusal(path)


def test_nine_channels_are_refused(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.wav", np.zeros((9, 10), np.float32))
    assert "9 channels" in refusal(path)
