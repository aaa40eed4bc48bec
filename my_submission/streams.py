"""Streams of the same song, walked through in step: joined, and blended.

A stream is an iterator of consecutive blocks of a song, of any lengths.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from my_submission.errors import DemixError
from my_submission.stems import STEMS, Audio, Stem


def aligned(streams: Iterable[Iterator[Audio]]) -> Iterator[list[Audio]]:
    """Walk through several streams of the same song in step, whatever the lengths of their blocks.

    Args:
        streams: Streams of blocks ``[..., n]`` whose lengths add up to the same total.

    Yields:
        One block of each stream, all equally long: as far as all streams have come.

    Raises:
        ValueError: One stream is longer than another.
    """
    iterators = list(streams)
    heads = [next(iterator, None) for iterator in iterators]
    while any(head is not None for head in heads):
        blocks = [head for head in heads if head is not None]
        if len(blocks) < len(heads):
            raise ValueError("streams of different lengths cannot be aligned")
        shared = min(block.shape[-1] for block in blocks)
        yield [block[..., :shared] for block in blocks]
        heads = [
            block[..., shared:] if block.shape[-1] > shared else next(iterator, None)
            for block, iterator in zip(blocks, iterators, strict=True)
        ]


def stacked(streams: Iterable[Iterator[Audio]]) -> Iterator[Audio]:
    """Join one stream ``[2, n]`` per stem into one stream ``[stems, 2, n]``."""
    return (np.stack(blocks) for blocks in aligned(streams))


def blended(
    first: Iterator[Audio], second: Iterator[Audio], share: Mapping[Stem, float]
) -> Iterator[Audio]:
    """Add two streams ``[4, 2, n]``, stem by stem: `share` of the first, the rest of the second."""
    weights = np.array([share[stem] for stem in STEMS], np.float32)[:, None, None]
    for a, b in aligned([first, second]):
        yield weights * a + (1 - weights) * b


def named_output(name: str, stems: Mapping[str, Audio], mixture: Audio) -> Audio:
    """Give the stem called `name`, or for ``no_STEM`` the mixture less that stem.

    Raises:
        DemixError: There is no such stem.
    """
    stem = name.removeprefix("no_")
    if stem not in stems:
        raise DemixError(f"stem {stem!r} is unknown: there are {', '.join(STEMS)}")
    return stems[name] if name in stems else mixture - stems[stem]
