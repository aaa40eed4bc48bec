"""Resampling as products of windows by a matrix."""

import torch
from julius.resample import ResampleFrac
from torch import Tensor
from torch.nn import functional

from my_submission.networks.matrix import Matrix, tiles, windows

OUTPUTS = 32
"""Samples that a window gives: more would multiply more zeros, fewer would fill no vectors."""


class Resampling:
    """What `julius.resample_frac` computes; its convolution of single channels takes far longer.

    The new rate's filters recur every `old_rate` samples. A matrix that holds them side by side,
    each shifted to where it belongs, gives many samples at once.

    Args:
        old_rate: The old rate over the new one, as a fraction in lowest terms: its numerator.
        new_rate: Its denominator, a divisor of `OUTPUTS`.
        device: Where it is computed.
    """

    def __init__(self, old_rate: int, new_rate: int, device: torch.device) -> None:
        filters = ResampleFrac(old_rate, new_rate).get_buffer("kernel")[:, 0]
        num_taps, shifts = filters.shape[1], OUTPUTS // new_rate
        self._rates = old_rate, new_rate
        self._stride = shifts * old_rate
        self._size = num_taps + self._stride - old_rate
        self._before = (num_taps - old_rate) // 2
        matrix = filters.new_zeros(shifts, new_rate, self._size)
        for shift in range(shifts):
            start = shift * old_rate
            matrix[shift, :, start : start + num_taps] = filters
        self._matrix = Matrix(matrix.flatten(0, 1).to(device))

    def __call__(self, x: Tensor) -> Tensor:
        """Resample float32 ``[channels, time]`` to ``[channels, time * new_rate // old_rate]``."""
        old_rate, new_rate = self._rates
        channels, time = x.shape
        length = time * new_rate // old_rate
        num_windows = -(-length // OUTPUTS)
        after = (num_windows - 1) * self._stride + self._size - self._before - time
        out = x.new_empty(channels, num_windows, OUTPUTS)
        for source, target in zip(x, out, strict=True):
            # Beyond its ends, the first and the last sample go on.
            around = functional.pad(source[None], (self._before, max(after, 0)), "replicate")
            seen = windows(around.T, self._size, self._stride)[:num_windows]
            for tile in tiles(seen):
                target[tile] = self._matrix(seen[tile])
        return out.flatten(1)[:, :length]
