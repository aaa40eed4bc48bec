"""The Demucs separators: all four stems by a network on waveforms."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from my_submission.audio import Signal
from my_submission.chunking import weighted_segments
from my_submission.networks.demucs_v2 import SOURCES, center_trim, load_demucs_v2
from my_submission.stems import SAMPLE_RATE, STEMS, Audio

STATISTICS_BLOCK = 1 << 18
"""Samples read at once where the whole song is summed up."""


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of a song, by which Demucs's input is standardised."""

    mean: float
    std: float

    def standardise(self, signal: Signal) -> "Standardised":
        """Give the song with zero mean and unit deviation."""
        return Standardised(signal, self)

    def restore(self, stems: Iterator[Audio]) -> Iterator[Audio]:
        """Undo `standardise` on a stream of estimates."""
        return (block * np.float32(self.std) + np.float32(self.mean) for block in stems)


def statistics(
    signal: Signal, downmix: Callable[[Audio], Audio] = lambda block: block
) -> Statistics:
    """Measure a song in one pass over blocks.

    Args:
        signal: The song.
        downmix: Maps a block ``[2, n]`` to the samples that count: by default both channels, for
            Leaderboard B `mono`.

    Returns:
        The mean and the unbiased (n - 1) standard deviation. A song without any deviation, such as
        silence or a single sample, gets 1, so that nothing is divided by zero.
    """
    count, total, squares = 0, 0.0, 0.0
    # Sums about the first sample: a large constant offset would eat the digits of the squares.
    pivot = float(signal.read(0, 1)[0, 0])
    for start in range(0, signal.num_samples, STATISTICS_BLOCK):
        block = signal.read(start, min(start + STATISTICS_BLOCK, signal.num_samples))
        values = downmix(block).astype(np.float64) - pivot
        count += values.size
        total += float(values.sum())
        squares += float((values**2).sum())
    mean = total / count
    variance = max(squares - count * mean**2, 0.0) / max(count - 1, 1)
    return Statistics(mean + pivot, float(np.sqrt(variance)) or 1.0)


def mono(block: Audio) -> Audio:
    """Average the channels of ``[2, n]``."""
    average: Audio = block.mean(axis=0)
    return average


class Standardised:
    """A song less its mean, over its standard deviation; still zero outside."""

    def __init__(self, signal: Signal, stats: Statistics) -> None:
        self._signal, self._stats = signal, stats

    @property
    def num_samples(self) -> int:
        """The song's length."""
        return self._signal.num_samples

    def read(self, start: int, stop: int) -> Audio:
        """Read ``[2, stop - start]``."""
        inside = slice(max(0, -start), max(0, self.num_samples - start))
        block = self._signal.read(start, stop).copy()
        mean, std = np.float32(self._stats.mean), np.float32(self._stats.std)
        block[:, inside] = (block[:, inside] - mean) / std
        return block


class DemucsV2Separator:
    """Demucs v2 with the challenge's long-signal inference: overlapping segments of 40 s.

    Args:
        path: The checkpoint.
        device: ``cpu`` or ``cuda:N``.

    Raises:
        DemixError: The checkpoint is not one of Demucs v2.
    """

    segment = 40 * SAMPLE_RATE
    stride = 20 * SAMPLE_RATE

    def __init__(self, path: Path, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self.network = load_demucs_v2(path).to(self._device)

    def stream(self, mixture: Signal) -> Iterator[Audio]:
        """Estimate the stems of a standardised song, as consecutive blocks ``[4, 2, n]``."""
        return weighted_segments(
            mixture.num_samples,
            lambda starts, length: self._estimate(mixture, starts, length),
            segment=self.segment,
            stride=self.stride,
        )

    @torch.inference_mode()
    def _estimate(self, mixture: Signal, starts: Sequence[int], length: int) -> Audio:
        # The network wants more samples than it gives whole: they come from the song around.
        valid_length = self.network.valid_length(length)
        before = (valid_length - length) // 2
        segments = np.stack(
            [mixture.read(start - before, start - before + valid_length) for start in starts]
        )
        estimate = self.network(torch.from_numpy(segments).to(self._device))
        in_our_order = [SOURCES.index(stem) for stem in STEMS]
        stems: Audio = center_trim(estimate, length)[:, in_our_order].cpu().numpy()
        return stems
