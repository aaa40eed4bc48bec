"""The transform, against a naive one and against its own inverse."""

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
import torch

from my_submission.errors import DemixError
from my_submission.stft import Stft


def naive_bin(
    channel: npt.NDArray[np.float32], n_fft: int, hop_length: int, k: int, frame: int
) -> complex:
    """Sum one bin of one frame up as the definition says."""
    half = n_fft // 2
    total = 0j
    for n in range(n_fft):
        position = frame * hop_length + n - half
        if position < 0:
            position = -position
        if position >= len(channel):
            position = 2 * (len(channel) - 1) - position
        window = 0.5 - 0.5 * np.cos(2 * np.pi * n / n_fft)
        total += window * float(channel[position]) * np.exp(-2j * np.pi * k * n / n_fft)
    return complex(total)


def test_spectrogram_equals_the_definition(rng: np.random.Generator) -> None:
    wave = rng.standard_normal((2, 2, 50)).astype(np.float32)
    spec = Stft(16, 7, hop_length=6).spectrogram(torch.from_numpy(wave)).numpy()
    assert spec.shape == (2, 4, 7, 50 // 6 + 1)
    for b, c, k, t in product(range(2), range(2), range(7), range(spec.shape[3])):
        expected = naive_bin(wave[b, c], 16, 6, k, t)
        found = complex(spec[b, 2 * c, k, t], spec[b, 2 * c + 1, k, t])
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("n_fft", [4096, 6144, 7680, 8192, 16384])
def test_all_bins_give_the_sound_back(n_fft: int, rng: np.random.Generator) -> None:
    wave = torch.from_numpy(rng.uniform(-1, 1, (1, 2, 1024 * 19)).astype(np.float32))
    stft = Stft(n_fft, n_fft // 2 + 1)
    assert torch.allclose(stft.waveform(stft.spectrogram(wave)), wave, atol=1e-5)


def test_waveform_is_the_inverse_transform_with_silent_bins_above_dim_f(
    rng: np.random.Generator,
) -> None:
    spec = torch.from_numpy(rng.standard_normal((3, 4, 20, 9)).astype(np.float32))
    found = Stft(128, 20, hop_length=32).waveform(spec)
    bins = torch.zeros(3, 2, 65, 9, dtype=torch.complex64)
    for channel in range(2):
        bins[:, channel, :20] = spec[:, 2 * channel] + 1j * spec[:, 2 * channel + 1]
    expected = torch.istft(
        bins.reshape(6, 65, 9), 128, 32, window=torch.hann_window(128), center=True
    )
    assert found.shape == (3, 2, 32 * 8)
    assert torch.allclose(found, expected.reshape(3, 2, -1), atol=1e-6)


def test_the_length_can_be_asked_for(rng: np.random.Generator) -> None:
    wave = torch.from_numpy(rng.uniform(-1, 1, (1, 2, 1000)).astype(np.float32))
    stft = Stft(128, 65, hop_length=32)
    assert stft.waveform(stft.spectrogram(wave)).shape[-1] == 992
    back = stft.waveform(stft.spectrogram(wave), 1000)
    assert torch.allclose(back, wave, atol=1e-5)


def test_a_chunk_of_frames_has_that_many_frames() -> None:
    wave = torch.zeros(1, 2, 1024 * 255)
    assert Stft(6144, 2048).spectrogram(wave).shape == (1, 4, 2048, 256)


@pytest.mark.parametrize("dim_f", [0, 10])
def test_bins_that_are_not_there_are_an_error(dim_f: int) -> None:
    with pytest.raises(DemixError, match=f"dim_f={dim_f}"):
        Stft(16, dim_f)


@pytest.mark.parametrize("shape", [(2, 100), (1, 1, 100), (1, 2, 8)])
def test_sound_of_another_shape_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(DemixError, match="cannot be transformed"):
        Stft(16, 9, hop_length=4).spectrogram(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(4, 9, 5), (1, 2, 9, 5), (1, 4, 8, 5)])
def test_spectrograms_of_another_shape_are_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(DemixError, match="cannot be inverted"):
        Stft(16, 9, hop_length=4).waveform(torch.zeros(shape))
