"""Folders in the layouts of MUSDB18 and MUSDB18-HQ, for the tests of the evaluator."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from evaluator.sound import STEMS, Block

RATE = 44_100
REAL = Path(__file__).parents[2] / "shared" / "real" / "MUSDB18-7-SAMPLE"
"""One real song in MUSDB18's layout; it is not in the repository."""

STREAMS = ("mixture", "drums", "bass", "other", "vocals")
"""In the order of a ``.stem.mp4``."""


def write_hq_song(
    folder: Path, rng: np.random.Generator, num_frames: int = 1000, channels: int = 2
) -> dict[str, Block]:
    """Write 16-bit stems of noise and a mixture that is not quite their sum."""
    folder.mkdir(parents=True)
    sounds = {stem: rng.uniform(-0.2, 0.2, (num_frames, channels)) for stem in STEMS}
    sounds["mixture"] = np.sum(list(sounds.values()), axis=0) + 0.001
    for name, sound in sounds.items():
        soundfile.write(folder / f"{name}.wav", sound, RATE, subtype="PCM_16")
    return sounds


def write_stem_file(path: Path, rng: np.random.Generator, num_frames: int = 20_000) -> None:
    """Write a ``.stem.mp4`` of five AAC streams; skips the test where there is no ffmpeg."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed")
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.parent / f".{path.name}"
    write_hq_song(folder, rng, num_frames)
    command = ["ffmpeg", "-v", "error"]
    for name in STREAMS:
        command += ["-i", str(folder / f"{name}.wav")]
    for index in range(len(STREAMS)):
        command += ["-map", f"{index}:0"]
    command += ["-c:a", "aac", "-b:a", "256k", "-f", "mp4", str(path)]
    subprocess.run(command, check=True)
    shutil.rmtree(folder)


def with_real_song(generated: Path) -> list[Path]:
    """Give the roots of MUSDB18 to test on: a generated one, and the real song where it is."""
    return [generated, *([REAL] if REAL.is_dir() else [])]
