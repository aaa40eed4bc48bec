"""The ideal ratio mask: a usual oracle, which other masks can exceed, as a stream.

``E_i = M * |S_i| / sum_j |S_j|`` for the short-time Fourier transforms ``M`` of the mixture and
``S_i`` of the references: magnitudes, the exponent 1. Source: "IRM1" among the oracles of F.-R.
Stöter, A. Liutkus, N. Ito, "The 2018 Signal Separation Evaluation Campaign", LVA/ICA 2018; as a
Wiener filter with a fractional exponent, A. Liutkus, R. Badeau, "Generalized Wiener filtering with
fractional power spectrograms", ICASSP 2015. Where all references are silent, so are the estimates.

As in that campaign: frames of 2048 samples every 1024, a periodic Hann window before and after the
mask, divided by the sum of its squares where two overlap, so that a mask of ones gives the mixture
back. The song lies between zeros. Channels are separated each by itself. Transforms are float32.
"""

import numpy as np
import numpy.typing as npt
import scipy.fft

N_FFT = 2048
HOP_LENGTH = 1024

SMALLEST = float(np.finfo(np.float32).tiny)
"""Added to the sum of magnitudes, which may be zero."""

Sounds = npt.NDArray[np.float64]
"""``[sources, frames, channels]``."""


class IdealRatioMask:
    """Separates a mixture by its references, block after block.

    What goes in comes out later, the references beside the estimates; memory does not grow.

    Args:
        num_sources: how many references there are.
        num_channels: of each of them and of the mixture.
    """

    def __init__(self, num_sources: int, num_channels: int) -> None:
        window = np.hanning(N_FFT + 1)[:-1]
        gain = np.square(window).reshape(-1, HOP_LENGTH).sum(axis=0)
        self._window = window.astype(np.float32)
        self._synthesis = (window / np.tile(gain, N_FFT // HOP_LENGTH)).astype(np.float32)
        before = N_FFT - HOP_LENGTH
        self._waiting = np.zeros((num_sources + 1, num_channels, before), np.float32)
        self._overlap = np.zeros((num_sources, num_channels, before), np.float32)
        self._to_skip = before
        self._to_come = 0

    def push(self, references: Sounds, mixture: npt.NDArray[np.float64]) -> tuple[Sounds, Sounds]:
        """Take the next block.

        Args:
            references: ``[sources, n, channels]``.
            mixture: ``[n, channels]``.

        Returns:
            References and estimates ``[sources, k, channels]`` of the next ``k`` samples, of
            which there may be none yet.
        """
        self._to_come += mixture.shape[0]
        sounds = np.concatenate([references, mixture[np.newaxis]]).astype(np.float32)
        return self._step(sounds.transpose(0, 2, 1))

    def finish(self) -> tuple[Sounds, Sounds]:
        """Give the rest, like `push`; all that went in has come out then."""
        return self._step(np.zeros((*self._waiting.shape[:2], N_FFT + HOP_LENGTH), np.float32))

    def _step(self, sounds: npt.NDArray[np.float32]) -> tuple[Sounds, Sounds]:
        self._waiting = np.concatenate([self._waiting, sounds], axis=2)
        count = max((self._waiting.shape[2] - N_FFT) // HOP_LENGTH + 1, 0)
        references = self._waiting[:-1, :, : count * HOP_LENGTH]
        estimates = self._masked(count)
        self._waiting = self._waiting[:, :, count * HOP_LENGTH :]
        first = min(self._to_skip, references.shape[2])
        last = min(first + self._to_come, references.shape[2])
        self._to_skip -= first
        self._to_come -= last - first
        wanted = slice(first, last)
        return _by_frames(references[:, :, wanted]), _by_frames(estimates[:, :, wanted])

    def _masked(self, count: int) -> npt.NDArray[np.float32]:
        """Separate the next frames; give what no later frame adds to."""
        if not count:
            return self._overlap[:, :, :0]
        frames = np.lib.stride_tricks.sliding_window_view(self._waiting, N_FFT, axis=2)
        frames = frames[:, :, : count * HOP_LENGTH : HOP_LENGTH]
        # Scipy's, because numpy's transform to spectra takes three times as long.
        spectra = scipy.fft.rfft(frames * self._window)
        masks = np.abs(spectra[:-1])
        masks /= masks.sum(axis=0) + np.float32(SMALLEST)
        separated = scipy.fft.irfft(masks * spectra[-1], N_FFT)
        separated *= self._synthesis
        length = count * HOP_LENGTH
        out = np.zeros((*self._overlap.shape[:2], length + N_FFT - HOP_LENGTH), np.float32)
        out[:, :, : self._overlap.shape[2]] = self._overlap
        for start in range(0, N_FFT, HOP_LENGTH):
            pieces = separated[..., start : start + HOP_LENGTH]
            out[:, :, start : start + length] += pieces.reshape(*out.shape[:2], length)
        self._overlap = out[:, :, length:]
        return out[:, :, :length]


def _by_frames(sounds: npt.NDArray[np.float32]) -> Sounds:
    return sounds.transpose(0, 2, 1).astype(np.float64)
