"""Which decoder reads what, and what is left of ffmpeg."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.errors import DemixError
from my_submission.stems import Audio
from tests.audio.sound_files import (
    decoded,
    int16_noise,
    read_sound,
    require_ffmpeg,
    run_ffmpeg,
    steady_tone,
    wav_bytes,
    write_sound,
)


@pytest.fixture
def no_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)


def sweep(num_samples: int) -> Audio:
    """Make a sweep that any coder keeps well and that fits itself at one delay only."""
    seconds = np.arange(num_samples) / 44_100
    wave = 0.4 * np.sin(2 * np.pi * (200 + 400 * seconds) * seconds)
    return np.stack([wave, -0.5 * wave]).astype(np.float32)


def assert_close(result: Audio, expected: Audio, *, snr_db: float) -> None:
    """Check that two sounds agree, sample by sample, over what they have in common."""
    n = min(result.shape[1], expected.shape[1])
    error = np.sum((result[:, :n] - expected[:, :n]) ** 2)
    assert error < np.sum(expected[:, :n] ** 2) * 10 ** (-snr_db / 10)


@pytest.mark.parametrize("keep", [0.3, 0.99])
def test_a_cut_flac_is_refused(tmp_path: Path, rng: np.random.Generator, keep: float) -> None:
    path = write_sound(tmp_path / "song.flac", int16_noise(rng, 90_000), subtype="PCM_16")
    contents = path.read_bytes()
    path.write_bytes(contents[: int(len(contents) * keep)])
    with pytest.raises(DemixError, match="truncated"):
        decoded(path)


@pytest.mark.usefixtures("no_ffmpeg")
def test_a_cut_mp3_with_a_length_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    soundfile.write(path, sweep(90_000).T, 44_100)
    path.write_bytes(path.read_bytes()[:9_000])
    with pytest.raises(DemixError, match="truncated: its header promises 90000 frames"):
        decoded(path)


@pytest.mark.usefixtures("no_ffmpeg")
@pytest.mark.parametrize("suffix", [".mp3", ".ogg"])
def test_libsndfile_reads_mp3_and_ogg_without_ffmpeg(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"song{suffix}"
    soundfile.write(path, sweep(50_000).T, 44_100)
    result = decoded(path)
    assert result.shape == (2, 50_000)
    assert_close(result, sweep(50_000), snr_db=15)


@pytest.mark.parametrize("suffix", [".mp3", ".ogg"])
def test_what_is_decoded_does_not_depend_on_the_blocks(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"song{suffix}"
    # A tone takes so few bits that an MP3's frames lean on many before them.
    soundfile.write(path, steady_tone(2 * BLOCK_FRAMES), 44_100)
    np.testing.assert_allclose(decoded(path), read_sound(path), rtol=0, atol=1e-6)


@pytest.mark.parametrize("suffix", [".m4a", ".mka", ".wv", ".wma", ".opus", ".ogg", ".mp3"])
def test_compressed_songs_are_read(tmp_path: Path, suffix: str) -> None:
    original = write_sound(tmp_path / "song.wav", sweep(88_200))
    path = tmp_path / f"song{suffix}"
    run_ffmpeg(["-i", str(original), "-b:a", "256k", str(path)])
    result = decoded(path)
    # Coders work in blocks, and not all formats can say how much of the last is padding.
    assert 88_200 - 2_048 <= result.shape[1] <= 88_200 + 2_048
    if suffix != ".wma":  # ffmpeg cannot tell WMA's delay either
        assert_close(result, sweep(88_200), snr_db=12)


def test_an_mp3_without_a_length_is_read_to_its_end(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    sound = int16_noise(rng, 150_000) * np.float32(0.1)
    sound[:, :50_000] = 0  # a quiet beginning makes libsndfile's guess of the length wrong
    original = write_sound(tmp_path / "song.wav", sound)
    for name in ("plain", "tagged"):
        path = tmp_path / f"{name}.mp3"
        tags = ["-metadata", f"comment={'x' * 9_000}"] if name == "tagged" else []
        run_ffmpeg(["-i", str(original), "-q:a", "2", "-write_xing", "0", *tags, str(path)])
        assert decoded(path).shape[1] >= 150_000


def test_an_mp3_with_long_tags_and_a_length_needs_no_ffmpeg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = write_sound(tmp_path / "song.wav", sweep(50_000))
    path = tmp_path / "song.mp3"
    run_ffmpeg(["-i", str(original), "-metadata", f"comment={'x' * 9_000}", str(path)])
    monkeypatch.setattr(shutil, "which", lambda program: None)
    assert decoded(path).shape == (2, 50_000)


def test_a_flac_stream_without_a_length_is_read(tmp_path: Path, rng: np.random.Generator) -> None:
    original = write_sound(tmp_path / "song.wav", int16_noise(rng, 30_000), subtype="PCM_16")
    path = tmp_path / "song.flac"
    with path.open("wb") as file:
        command = [require_ffmpeg(), "-v", "error", "-i", str(original), "-f", "flac", "-"]
        process = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        file.write(process.stdout)
    np.testing.assert_array_equal(decoded(path), read_sound(original))


@pytest.mark.usefixtures("no_ffmpeg")
@pytest.mark.parametrize(
    ("name", "contents", "needed_for"),
    [
        ("song.m4a", b"\0\0\0\x20ftypM4A ", "MP4/M4A"),
        ("song.webm", b"\x1a\x45\xdf\xa3", "Matroska/WebM"),
        ("song.xyz", b"unheard of", r"\.xyz"),
        ("song", b"unheard of", "no suffix"),
    ],
)
def test_a_missing_ffmpeg_is_named(
    tmp_path: Path, name: str, contents: bytes, needed_for: str
) -> None:
    path = tmp_path / name
    path.write_bytes(contents + bytes(100))
    with pytest.raises(DemixError, match=f"{name}: .*{needed_for}.* install ffmpeg"):
        decoded(path)


def test_a_cut_m4a_is_refused(tmp_path: Path) -> None:
    original = write_sound(tmp_path / "song.wav", sweep(200_000))
    path = tmp_path / "song.m4a"
    run_ffmpeg(["-i", str(original), "-movflags", "+faststart", str(path)])
    path.write_bytes(path.read_bytes()[:-10_000])
    with pytest.raises(DemixError, match="truncated"):
        decoded(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DemixError, match="neither libsndfile nor ffmpeg"):
        decoded(path)


def test_damage_that_ffmpeg_bridges_is_said(tmp_path: Path, rng: np.random.Generator) -> None:
    original = write_sound(tmp_path / "song.wav", sweep(200_000))
    path = tmp_path / "song.m4a"
    run_ffmpeg(["-i", str(original), str(path)])
    contents = bytearray(path.read_bytes())
    contents[9_000:9_500] = rng.bytes(500)
    path.write_bytes(contents)
    said: list[str] = []
    decoded(path, said.append)
    assert "ffmpeg" in said[-1]


def test_a_film_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    run_ffmpeg(["-f", "lavfi", "-i", "color=d=0.2:s=32x32", str(path)])
    with pytest.raises(DemixError, match="no audio stream"):
        decoded(path)


def test_ffmpeg_is_gone_after_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = write_sound(tmp_path / "song.wav", np.zeros((2, 2_000_000), np.float32))
    path = tmp_path / "song.m4a"
    run_ffmpeg(["-i", str(original), str(path)])
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(*args: object, **options: object) -> "subprocess.Popen[bytes]":
        started.append(popen(*args, **options))  # type: ignore[call-overload]
        return started[-1]

    def interrupt(*_: object) -> Audio:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("my_submission.audio.song.to_stereo", interrupt)
    with pytest.raises(KeyboardInterrupt):
        decoded(path)
    assert [process.poll() is not None for process in started] == [True]
    assert {entry.name for entry in tmp_path.iterdir()} == {"song.wav", "song.m4a"}


@pytest.mark.parametrize("num_bytes", [0, 20, 60, 2_000])
def test_an_ffmpeg_that_fails_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_bytes: int
) -> None:
    output = wav_bytes(np.ones((5_000, 2), np.int16))[:num_bytes]
    (tmp_path / "output").write_bytes(output)
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\ncat '{tmp_path}/output'\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    path = tmp_path / "song.m4a"
    path.write_bytes(b"whatever")
    with pytest.raises(DemixError, match=r"song\.m4a: .*\(exit status 3\)"):
        decoded(path)
