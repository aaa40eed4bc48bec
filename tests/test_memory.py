"""Memory does not grow with the song."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from my_submission.stems import SAMPLE_RATE
from tests.golden_data import golden

ROOT = Path(__file__).parents[1]


def write_song(path: Path, minutes: int, rate: int) -> None:
    """Write quiet noise, a minute at a time."""
    rng = np.random.default_rng(0)
    minute = rng.integers(-3000, 3000, (60 * rate, 2), dtype=np.int16)
    with soundfile.SoundFile(path, "w", rate, 2, "PCM_16") as file:
        for _ in range(minutes):
            file.write(minute)


def peak_memory(song: Path, out: Path) -> int:
    """Separate in a process of its own and give the peak of the whole process in KiB."""
    models = golden("models/leaderboard_a").parent
    command = [sys.executable, "-m", "tests.few_passes", "leaderboard_a", models, song, out]
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1])


def test_an_hour_peaks_at_most_a_tenth_above_ten_minutes(tmp_path: Path) -> None:
    rate = SAMPLE_RATE // 2  # so that the decoder, the resampler and its scratch file take part
    peaks = {}
    for minutes in (10, 60):
        song, out = tmp_path / "song.wav", tmp_path / "out"
        write_song(song, minutes, rate)
        peaks[minutes] = peak_memory(song, out)
        assert soundfile.info(out / "vocals.wav").frames == minutes * 60 * SAMPLE_RATE
        for path in (song, *out.iterdir()):  # gigabytes
            path.unlink()
    assert peaks[60] < 1.1 * peaks[10]
