"""The ideal ratio mask as a stream, against a plain one over the whole song."""

import tracemalloc

import numpy as np
import pytest
import scipy.signal

from evaluator.ideal_masks import HOP_LENGTH, N_FFT, IdealRatioMask, Sounds
from evaluator.sound import Block

LENGTHS = (1, N_FFT - HOP_LENGTH, N_FFT, N_FFT + 1, 3 * N_FFT + 7)


def streamed(references: Sounds, mixture: Block, block: int) -> tuple[Sounds, Sounds]:
    mask = IdealRatioMask(len(references), mixture.shape[1])
    pieces = [
        mask.push(references[:, start : start + block], mixture[start : start + block])
        for start in range(0, len(mixture), block)
    ]
    true, estimates = zip(*pieces, mask.finish(), strict=True)
    return np.concatenate(true, axis=1), np.concatenate(estimates, axis=1)


def naive(references: Sounds, mixture: Block) -> Sounds:
    """Scipy's transforms of the whole song, with the campaign's length, and the formula."""
    options = {"window": "hann", "nperseg": 2048, "noverlap": 1024}
    length = len(mixture)
    sounds = np.concatenate([references, mixture[None]])
    sounds = np.pad(sounds, ((0, 0), (0, max(N_FFT - length, 0)), (0, 0)))
    *spectra, mixed = (scipy.signal.stft(sound, axis=0, **options)[2] for sound in sounds)
    total = np.sum(np.abs(spectra), axis=0)
    masked = [
        np.divide(np.abs(spectrum), total, out=np.zeros_like(total), where=total > 0) * mixed
        for spectrum in spectra
    ]
    # Its axes are frequency, channel and frame.
    inverse = [scipy.signal.istft(m, freq_axis=0, time_axis=2, **options)[1] for m in masked]
    return np.stack([sound.T[:length] for sound in inverse])


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("block", [997, 1 << 16])
def test_it_is_the_published_mask(rng: np.random.Generator, length: int, block: int) -> None:
    references = rng.normal(0, 0.1, (4, length, 2))
    mixture = references.sum(axis=0) + 0.01
    true, estimates = streamed(references, mixture, block)
    np.testing.assert_allclose(true, references, atol=1e-7)
    np.testing.assert_allclose(estimates, naive(references, mixture), atol=1e-6)
    np.testing.assert_allclose(estimates.sum(axis=0), mixture, atol=1e-6)


@pytest.mark.parametrize("block", [1, 64, 65, 8192, 8193])
def test_it_does_not_depend_on_the_blocks(rng: np.random.Generator, block: int) -> None:
    references = rng.normal(0, 0.1, (4, 9000, 1))
    mixture = references.sum(axis=0)
    whole = streamed(references, mixture, 9000)[1]
    np.testing.assert_allclose(streamed(references, mixture, block)[1], whole, atol=1e-6)


def test_a_stem_alone_in_its_frequencies_comes_back(rng: np.random.Generator) -> None:
    time = np.arange(20_000)[:, None] / 44_100
    references = np.stack([np.sin(2 * np.pi * f * time) for f in (100, 1000, 3000, 9000)])
    references *= rng.uniform(0.1, 0.2, (4, 1, 1))
    _, estimates = streamed(references, references.sum(axis=0), 4096)
    inside = slice(N_FFT, -N_FFT)
    np.testing.assert_allclose(estimates[:, inside], references[:, inside], atol=1e-3)


def test_silent_references_give_silence(rng: np.random.Generator) -> None:
    references, mixture = np.zeros((4, 5000, 2)), rng.normal(size=(5000, 2))
    assert not streamed(references, mixture, 1000)[1].any()


def test_memory_does_not_grow_with_the_song(rng: np.random.Generator) -> None:
    block = rng.normal(size=(4, 1 << 14, 2))
    peaks = []
    for count in (4, 40):
        mask = IdealRatioMask(4, 2)
        tracemalloc.start()
        for _ in range(count):
            mask.push(block, block[0])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
