"""Memory does not grow with the song."""

from pathlib import Path

import pytest
import soundfile

from benchmarks.memory import peak_of_few_passes
from benchmarks.songs import write_noise
from my_submission.stems import SAMPLE_RATE
from tests.golden_data import golden


@pytest.mark.parametrize(
    ("system", "minutes"),
    # `benchmarks.memory` takes them to an hour.
    [("leaderboard_a", (5, 30)), ("leaderboard_c", (1, 6))],
)
def test_six_times_the_length_peaks_at_most_a_tenth_higher(
    tmp_path: Path, system: str, minutes: tuple[int, int]
) -> None:
    models = golden(f"models/{system}").parent
    peaks = []
    for length in minutes:
        song, out = tmp_path / "song.wav", tmp_path / "out"
        # Half the rate, so that decoder, resampler and their scratch file take part.
        write_noise(song, 60 * length, SAMPLE_RATE // 2)
        peaks.append(peak_of_few_passes(system, models, song, out))
        assert soundfile.info(out / "vocals.wav").frames == length * 60 * SAMPLE_RATE
        for path in (song, *out.iterdir()):  # gigabytes
            path.unlink()
    assert peaks[1] < 1.1 * peaks[0]
