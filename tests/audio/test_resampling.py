"""Changes of rate: in place, of exact length, and the same for any blocks."""

import numpy as np
import pytest

from my_submission.audio.resampling import StreamResampler, check_rate, resampled_length
from my_submission.errors import DemixError
from my_submission.stems import Audio
from tests.audio.sound_files import BLOCK_SIZES, int16_noise

RATES = [8_000, 22_050, 48_000, 96_000, 192_000]


def resample(
    sound: Audio, from_rate: int, to_rate: int, *, block: int = 8192, out: int | None = None
) -> Audio:
    resampler = StreamResampler(from_rate, to_rate, out)
    parts = [resampler.push(sound[:, a : a + block]) for a in range(0, sound.shape[1], block)]
    return np.concatenate([*parts, resampler.finish()], axis=1)


@pytest.mark.parametrize("rate", RATES)
def test_an_impulse_stays_in_its_place(rate: int) -> None:
    # A second of sound with the impulse on a sample of both rates' grids.
    sound = np.zeros((2, rate), np.float32)
    sound[:, rate // 2] = 1
    result = resample(sound, rate, 44_100)
    assert np.argmax(np.abs(result[0])) == 22_050
    # Linear phase: the response is even about its middle.
    around = result[0, 22_050 - 100 : 22_050 + 101]
    np.testing.assert_allclose(around, around[::-1], atol=1e-5)


@pytest.mark.parametrize("rate", RATES)
def test_a_sine_is_the_same_sine(rate: int) -> None:
    def sine(at_rate: int) -> Audio:
        wave = 0.5 * np.sin(2 * np.pi * 997 * np.arange(at_rate) / at_rate)
        return np.stack([wave, -wave]).astype(np.float32)

    inside = slice(2_000, -2_000)  # the ends ring, because silence begins there
    result = resample(sine(rate), rate, 44_100)
    np.testing.assert_allclose(result[:, inside], sine(44_100)[:, inside], atol=1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_blocks_of_any_size_are_the_whole(rng: np.random.Generator, rate: int) -> None:
    sound = int16_noise(rng, 9_001)
    whole = resample(sound, rate, 44_100, block=9_001)
    for block in BLOCK_SIZES:
        np.testing.assert_array_equal(resample(sound, rate, 44_100, block=block), whole)


@pytest.mark.parametrize("rate", [*RATES, 44_100, 44_101, 768_000])
@pytest.mark.parametrize("num_samples", [1, 2, 79, 80, 81, 4_410, 30_011])
def test_there_and_back_keeps_the_length(rate: int, num_samples: int) -> None:
    sound = np.full((2, num_samples), 0.25, np.float32)
    inside = resample(sound, rate, 44_100)
    assert inside.shape == (2, max(1, round(num_samples * 44_100 / rate)))
    assert resample(inside, 44_100, rate, out=num_samples).shape == (2, num_samples)


@pytest.mark.parametrize("out", [3, 1_000, 1_234, 1_300])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_the_length_is_cut_or_filled(rng: np.random.Generator, rate: int, out: int) -> None:
    sound = int16_noise(rng, 1_000)
    natural = resample(sound, 44_100, rate)
    result = resample(sound, 44_100, rate, block=64, out=out)
    expected = np.pad(natural, ((0, 0), (0, max(0, out - natural.shape[1]))))[:, :out]
    # soxr's own tail may hold one frame more than the rounded length.
    compared = min(out, natural.shape[1])
    np.testing.assert_array_equal(result[:, :compared], expected[:, :compared])
    assert result.shape == (2, out)


def test_nothing_stays_nothing() -> None:
    assert resampled_length(0, 48_000, 44_100) == 0
    assert resample(np.zeros((2, 0), np.float32), 48_000, 44_100).shape == (2, 0)


@pytest.mark.parametrize("rate", [0, 3_999, 768_001])
def test_rates_of_no_recording_are_refused(rate: int) -> None:
    with pytest.raises(DemixError, match=f"song.wav: sample rate {rate} Hz"):
        check_rate("song.wav", rate)
