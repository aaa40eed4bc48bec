"""How a song of any length passes through networks of a fixed length, as a stream.

Two chunkers, one per family of networks:

- `trimmed_chunks` (TFC-TDF): chunks overlap by `trim` samples on each side, of which only the
  middle is kept; the middles stand side by side without a cross-fade.
- `weighted_segments` (Demucs): segments overlap and are cross-faded by a triangular weight.

Both yield a song's estimate in order, block after block, so what they hold does not grow with the
song. With a network that gives its input back, both give the song back.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from my_submission.audio import Signal
from my_submission.stems import Audio

Item = TypeVar("Item")
Result = TypeVar("Result")


def trimmed_chunks(
    signal: Signal,
    network: Callable[[Iterator[Audio]], Iterable[Audio]],
    *,
    chunk: int,
    trim: int,
    batch_size: int = 1,
) -> Iterator[Audio]:
    """Run `network` over chunks of the song and keep the middle of each.

    Chunk k covers the samples ``k * gen - trim`` to ``k * gen - trim + chunk`` of the song, where
    ``gen = chunk - 2 * trim``; beyond both ends of the song there are zeros.

    Args:
        signal: The song, ``[2, samples]``.
        network: Maps batches of chunks ``[batch, 2, chunk]`` to estimates
            ``[batch, ..., 2, chunk]``. It may take a batch before it gives the last one's estimates
            (see `in_flight`).
        chunk: Samples that one pass of the network sees.
        trim: Samples dropped on each side of its output.
        batch_size: Chunks given to the network at once, at most.

    Yields:
        Consecutive blocks ``[..., 2, n]``; their lengths add up to ``signal.num_samples``.
    """
    gen = chunk - 2 * trim
    starts = range(0, signal.num_samples, gen)
    batches = (
        np.stack([signal.read(start - trim, start - trim + chunk) for start in some])
        for some in batched(starts, batch_size)
    )
    estimates = itertools.chain.from_iterable(network(batches))
    for start, estimate in zip(starts, estimates, strict=True):
        yield estimate[..., trim : trim + min(gen, signal.num_samples - start)]


def in_flight(
    batches: Iterable[Item], start: Callable[[Item], Callable[[], Result]]
) -> Iterator[Result]:
    """Start each batch before waiting for the one before it.

    So a device computes while the next batch is read, and while what it gave is used.

    Args:
        batches: What to compute, in order; read one ahead of what is yielded.
        start: Starts a batch and gives what waits for its result.

    Yields:
        The results in order.
    """
    waiting: Callable[[], Result] | None = None
    for batch in batches:
        started = start(batch)
        if waiting is not None:
            yield waiting()
        waiting = started
    if waiting is not None:
        yield waiting()


def weighted_segments(
    num_samples: int,
    estimate: Callable[[Sequence[range]], Iterable[Audio]],
    *,
    segment: int,
    stride: int,
    batch_kind: Callable[[int], int] = lambda length: length,
    batch_size: int = 1,
) -> Iterator[Audio]:
    """Overlap-add estimates of segments under a triangular weight.

    Segment k starts at ``k * stride``; the last ones are as short as the song leaves them, and
    weighted by the beginning of the triangle. The weighted sum is divided by the sum of the
    weights, so a constant stays a constant.

    Args:
        num_samples: The length of the song.
        estimate: Maps some segments, given as ranges of samples, to estimates
            ``[..., 2, len(segment)]``.
        segment: Samples of a full segment.
        stride: Samples between the starts of segments, at most `segment`.
        batch_kind: Maps the length of a segment to what is the same for segments that may share a
            batch.
        batch_size: Segments estimated at once, at most.

    Yields:
        Consecutive blocks ``[..., 2, n]``; their lengths add up to `num_samples`.
    """
    weight = triangle(segment)
    held = min(segment, num_samples)  # no more than a segment can still change at a time
    total: Audio | None = None  # weighted sum, from sample `done` on
    weights = np.zeros(held, np.float32)
    done = 0
    for batch in segment_batches(num_samples, segment, stride, batch_kind, batch_size):
        for span, block in zip(batch, estimate(batch), strict=True):
            if total is None:
                total = np.zeros((*block.shape[:-1], held), np.float32)
            if span.start > done:  # no later segment reaches back before this one
                ready = span.start - done
                yield total[..., :ready] / weights[:ready]
                for sums in (total, weights):
                    sums[..., : held - ready] = sums[..., ready:]
                    sums[..., held - ready :] = 0
                done = span.start
            length = len(span)
            total[..., :length] += weight[:length] * block
            weights[:length] += weight[:length]
    if total is not None:
        rest = num_samples - done
        yield total[..., :rest] / weights[:rest]


def triangle(segment: int) -> Audio:
    """Give Demucs's cross-fade weight: 1 to ``segment // 2`` and back to 1, over its maximum.

    Returns:
        ``[segment]``, in (0, 1].
    """
    rising = np.arange(1, segment // 2 + 1, dtype=np.float32)
    falling = np.arange(segment - segment // 2, 0, -1, dtype=np.float32)
    weight = np.concatenate([rising, falling])
    scaled: Audio = weight / weight.max()
    return scaled


def segment_batches(
    num_samples: int, segment: int, stride: int, batch_kind: Callable[[int], int], batch_size: int
) -> Iterator[Sequence[range]]:
    """Group a song's segments into batches that a network can take at once."""
    spans = [
        range(start, min(start + segment, num_samples)) for start in range(0, num_samples, stride)
    ]
    for _, group in itertools.groupby(spans, key=lambda span: batch_kind(len(span))):
        yield from batched(list(group), batch_size)


def batched(items: Sequence[Item], batch_size: int) -> Iterator[Sequence[Item]]:
    """Cut `items` into runs of at most `batch_size`."""
    for first in range(0, len(items), batch_size):
        yield items[first : first + batch_size]
