"""The Demucs separator: all stems by a network on waveforms."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import torch

from my_submission.audio import Signal
from my_submission.chunking import weighted_segments
from my_submission.costs import PassCost, ignore, seconds_of
from my_submission.networks.demucs_v2 import center_trim
from my_submission.stems import SAMPLE_RATE, STEMS, Audio

PROBE = 5 * SAMPLE_RATE
"""Samples that a network is measured with, where a shorter pass costs less."""

PROBED_TOGETHER = 4
"""Passes that are measured together, where the network takes so many."""

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


class DemucsNetwork(Protocol):
    """A network of the Demucs family, as `DemucsSeparator` runs it."""

    sources: Sequence[str]
    """The names of its outputs, in order."""
    batch_size: int
    """Segments that it is best given at once."""

    @property
    def kind(self) -> object:
        """Give the same for networks of the same sizes."""
        ...

    def valid_length(self, length: int) -> int:
        """Give how many samples it must see to estimate `length` of them."""
        ...

    def batch_kind(self, length: int) -> int:
        """Give the same for lengths of segments that may share a batch."""
        ...

    def estimates(self, segments: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Map segments ``[2, valid_length(length)]`` of a kind to ``[sources, 2, n]``.

        Both are float32 in main memory.
        """
        ...


class DemucsSeparator:
    """A Demucs network with its family's inference on long signals: overlapping segments.

    It computes what ``demucs.apply.apply_model(network, ..., split=True, shifts=0)`` does, as a
    stream and in batches.

    Args:
        network: In evaluation mode.
        segment: Length of a segment in seconds.
        overlap: Share of a segment that the next one covers as well.
    """

    def __init__(
        self,
        network: DemucsNetwork,
        *,
        segment: float | Fraction,
        overlap: float,
    ) -> None:
        self._network = network
        self._segment = int(SAMPLE_RATE * segment)
        self._overlap = overlap
        self.max_overlap = 1.0
        self.passed: Callable[[Sequence[float]], None] = ignore

    @property
    def kind(self) -> object:
        """Give the same for networks that cost the same."""
        return self._network.kind, self._segment

    @property
    def samples(self) -> int:
        """Samples of the song that a pass covers."""
        return self._segment

    def probe(self) -> PassCost:
        """Measure a pass, and several together; on short segments where they take less."""
        scales = self._network.valid_length(1) < self._network.valid_length(self._segment) // 2
        length = min(self._segment, PROBE) if scales else self._segment
        noise = torch.randn(2, self._network.valid_length(length))

        def seconds_for(count: int) -> float:
            with torch.inference_mode():
                seconds = seconds_of(
                    lambda: list(self._network.estimates([noise] * count)), is_warm=count > 1
                )
            return seconds * self._segment / length

        one, shared = seconds_for(1), 0.0
        together = min(PROBED_TOGETHER, self._network.batch_size)
        if together > 1:
            # A batch takes what its passes share, once, and something for each of them.
            each = max(0.0, (seconds_for(together) - one) / (together - 1))
            one, shared = each, max(0.0, one - each)
        return PassCost(
            one,
            self._segment,
            overlap=self._overlap,
            scales=scales,
            at_once=self._network.batch_size,
            shared=shared,
        )

    def stream(self, mixture: Signal, sources: Sequence[str] = STEMS) -> Iterator[Audio]:
        """Estimate some of a network's sources, as consecutive blocks ``[sources, 2, n]``.

        Args:
            mixture: The standardised song.
            sources: The names of those that are wanted, in this order.
        """
        return weighted_segments(
            mixture.num_samples,
            lambda spans: self._estimate(mixture, spans, sources),
            segment=self._segment,
            stride=int((1 - min(self._overlap, self.max_overlap)) * self._segment),
            batch_kind=self._network.batch_kind,
            batch_size=self._network.batch_size,
        )

    @torch.inference_mode()
    def _estimate(
        self, mixture: Signal, spans: Sequence[range], sources: Sequence[str]
    ) -> Iterator[Audio]:
        segments = [torch.from_numpy(self._read(mixture, span)) for span in spans]
        estimates = self._network.estimates(segments)
        wanted = [self._network.sources.index(source) for source in sources]
        for estimate, span in zip(estimates, spans, strict=True):
            yield center_trim(estimate[wanted], len(span)).numpy()
        self.passed([len(span) / self._segment for span in spans])

    def _read(self, mixture: Signal, span: range) -> Audio:
        # What a network sees beyond its segment comes from the song around, half of it from
        # before; beyond the song's ends there are zeros.
        length = self._network.valid_length(len(span))
        start = span.start - (length - len(span)) // 2
        return mixture.read(start, start + length)
