"""Sound files for the tests of reading and writing."""

import os
import resource
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from my_submission.audio import open_song
from my_submission.stems import Audio

BLOCK_SIZES = (1, 64, 65, 8192, 8193)


def int16_noise(rng: np.random.Generator, num_samples: int, channels: int = 2) -> Audio:
    """Make noise ``[channels, samples]`` whose samples are exact in 16 bits, below full scale."""
    steps = rng.integers(-20_000, 20_000, (channels, num_samples))
    return (steps / 32768).astype(np.float32)


def steady_tone(num_samples: int) -> npt.NDArray[np.float64]:
    """Make a tone of 440 Hz at 44.1 kHz, ``[samples, 2]``."""
    wave = 0.5 * np.sin(2 * np.pi * 440 / 44_100 * np.arange(num_samples))
    return np.stack([wave, wave], axis=1)


def write_sound(path: Path, sound: Audio, rate: int = 44_100, subtype: str = "FLOAT") -> Path:
    """Write ``[channels, samples]`` in the format that the suffix names."""
    soundfile.write(path, sound.T, rate, subtype=subtype)
    return path


def read_sound(path: Path) -> Audio:
    """Read a file whole: ``[channels, samples]``."""
    frames: Audio = soundfile.read(path, dtype="float32", always_2d=True)[0]
    return frames.T


def wav_bytes(
    samples: npt.NDArray[np.int16],
    *,
    riff_size: int | None = None,
    data_size: int | None = None,
    tail: bytes = b"",
) -> bytes:
    """Build a 16-bit 44.1 kHz stereo WAV by hand, with whatever sizes in its header."""
    body = samples.astype("<i2").tobytes()
    data_size = len(body) if data_size is None else data_size
    riff_size = 36 + len(body) + len(tail) if riff_size is None else riff_size
    fmt = struct.pack("<HHIIHH", 1, 2, 44_100, 176_400, 4, 16)
    header = struct.pack("<4sI4s4sI", b"RIFF", riff_size, b"WAVE", b"fmt ", 16) + fmt
    return header + struct.pack("<4sI", b"data", data_size) + body + tail


def require_ffmpeg() -> str:
    """Give ffmpeg's path; without it skip, but fail in continuous integration."""
    program = shutil.which("ffmpeg")
    if program is None and os.environ.get("CI"):
        pytest.fail("ffmpeg must be installed in continuous integration")
    if program is None:
        pytest.skip("ffmpeg is not installed")
    return program


def run_ffmpeg(arguments: Sequence[str]) -> None:
    """Run ffmpeg to make a file for a test."""
    subprocess.run([require_ffmpeg(), "-v", "error", "-y", *arguments], check=True)


def open_descriptors() -> set[str]:
    """Give what the process holds open, where the system tells."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return set()
    links = set()
    for entry in list(folder.iterdir()):
        try:
            links.add(str(entry.readlink()))
        except FileNotFoundError:
            continue
    return {link for link in links if link.startswith("/") and "/proc/" not in link}


def decoded(path: Path, say: Callable[[str], None] = lambda line: None) -> Audio:
    """Open a song and give all of it."""
    with open_song(path, say=say) as song:
        return song.signal.read(0, song.signal.num_samples)


@contextmanager
def file_size_limit(num_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
