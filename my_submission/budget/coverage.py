"""What has been estimated of a song: stretches, faded into what surrounds them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.budget.shared import SharedSound
from my_submission.stems import SAMPLE_RATE, STEMS, Audio

FADE = SAMPLE_RATE // 4
"""Samples of a cross-fade, where an estimate begins or ends within the song."""

Weights = npt.NDArray[np.float32]


@dataclass
class Stretch:
    """An estimate of a part of the song.

    Attributes:
        estimate: Some stems, two channels each; sample 0 is the stretch's first.
        start: First sample of the song.
        stop: The sample after the last that is estimated so far.
        max_overlap: Of Demucs's segments.
        is_fast: Whether in low precision.
    """

    estimate: SharedSound
    start: int
    stop: int
    max_overlap: float = 1.0
    is_fast: bool = False


class Coverage:
    """The stretches of a song that one part of a system has estimated.

    Where a stretch does not begin or end with the song, it fades in or out over `FADE` samples; the
    next one is made to overlap by as many, so that both add up.

    Args:
        num_samples: The song's length.
        num_stems: That an estimate has.
    """

    def __init__(self, num_samples: int, num_stems: int = len(STEMS)) -> None:
        self.num_samples, self.num_stems = num_samples, num_stems
        self.stretches: list[Stretch] = []

    @property
    def is_whole(self) -> bool:
        """Whether one run has estimated the whole song."""
        return any((s.start, s.stop) == (0, self.num_samples) for s in self.stretches)

    def add(self, stretch: Stretch) -> None:
        """Take a stretch, unless it is too short to be faded in and out."""
        if stretch.stop - stretch.start > self._fading(range(stretch.start, stretch.stop)):
            self.stretches.append(stretch)
        else:
            stretch.estimate.close()

    def gaps(self, within: Sequence[range] | None = None) -> list[range]:
        """List what lies outside the stretches, their fades included, where an estimate fits in.

        Args:
            within: Look for them here only.
        """
        return [gap for gap in self._outside(within) if len(gap) > self._fading(gap)]

    def uncovered(self, within: Sequence[range] | None = None) -> list[range]:
        """List what is not estimated, or not in full: gaps, and fades that do not add up.

        Args:
            within: Look for it here only.
        """
        outside = self._outside(within)
        return [gap for gap in outside if len(gap) > min(FADE, self._fading(gap))]

    @property
    def missing(self) -> int:
        """Samples in all gaps."""
        return sum(len(gap) for gap in self.gaps())

    def read(self, start: int, stop: int) -> tuple[Audio, Weights]:
        """Give the sum of the faded estimates ``[stems, 2, n]`` and of their weights ``[n]``."""
        total = np.zeros((self.num_stems, 2, stop - start), np.float32)
        weights = np.zeros(stop - start, np.float32)
        for stretch in self.stretches:
            first, last = max(start, stretch.start), min(stop, stretch.stop)
            if first < last:
                weight = self._fades(stretch, first, last)
                block = stretch.estimate.read(first - stretch.start, last - stretch.start)
                inside = slice(first - start, last - start)
                total[..., inside] += weight * block.reshape(self.num_stems, 2, -1)
                weights[inside] += weight
        return total, np.minimum(weights, 1)

    def stream(self) -> Iterator[Audio]:
        """Give the estimate of the whole song, untouched, in blocks ``[stems, 2, n]``.

        Raises:
            StopIteration: There is none.
        """
        whole = next(s for s in self.stretches if (s.start, s.stop) == (0, self.num_samples))
        for start in range(0, self.num_samples, BLOCK_FRAMES):
            block = whole.estimate.read(start, min(start + BLOCK_FRAMES, self.num_samples))
            yield block.reshape(self.num_stems, 2, -1)

    def close(self) -> None:
        """Give the disk space back."""
        for stretch in self.stretches:
            stretch.estimate.close()

    def _outside(self, within: Sequence[range] | None) -> list[range]:
        gaps, position = [], 0
        for stretch in sorted(self.stretches, key=lambda stretch: stretch.start):
            start = stretch.start + (FADE if stretch.start > 0 else 0)
            if start > position:
                gaps.append(range(position, start))
            is_end = stretch.stop == self.num_samples
            position = max(position, stretch.stop - (0 if is_end else FADE))
        if position < self.num_samples:
            gaps.append(range(position, self.num_samples))
        if within is not None:
            gaps = [
                range(max(gap.start, around.start), min(gap.stop, around.stop))
                for gap in gaps
                for around in within
            ]
        return gaps

    def _fading(self, span: range) -> int:
        """Give how many samples of an estimate there fade in or out."""
        return FADE * ((span.start > 0) + (span.stop < self.num_samples))

    def _fades(self, stretch: Stretch, first: int, last: int) -> Weights:
        # Whole numbers until they are small: float32 cannot count the samples of a long song.
        place = np.arange(first, last)
        weight = np.ones(last - first, np.float32)
        if stretch.start > 0:
            weight = np.minimum(weight, (place - stretch.start + 0.5) / FADE)
        if stretch.stop < self.num_samples:
            weight = np.minimum(weight, (stretch.stop - place - 0.5) / FADE)
        return np.clip(weight, 0, 1).astype(np.float32)


class Loudness:
    """How much of a song's energy lies where.

    Blocks are taken in the song's order.
    """

    RESOLUTION = SAMPLE_RATE // 4

    def __init__(self) -> None:
        self._energies: list[float] = []
        self._rest = np.zeros((2, 0), np.float32)

    def add(self, block: Audio) -> None:
        """Take the next samples ``[2, n]``."""
        block = np.concatenate([self._rest, block], axis=1)
        whole = block.shape[1] // self.RESOLUTION * self.RESOLUTION
        pieces = block[:, :whole].reshape(2, -1, self.RESOLUTION)
        self._energies.extend(np.einsum("cpn,cpn->p", pieces, pieces).tolist())
        self._rest = block[:, whole:].copy()

    def loudest(self, gaps: list[range], num_samples: int) -> range:
        """Find the stretch of at most so many samples, within a gap, that has most energy.

        Args:
            gaps: At least one.
            num_samples: Of the stretch; it is longer where little would be left of the gap, and
                does not begin so near its start that what is left there could not be faded. One
                of a quarter of a gap or more lies at an end of it: so what is left is in one piece.
        """
        sums = np.concatenate([[0.0], np.cumsum(self._energies)])
        best, best_energy = gaps[0][:num_samples], -1.0
        for gap in gaps:
            last = max(gap.start, gap.stop - num_samples)
            between = range(gap.start + 2 * FADE, last, self.RESOLUTION)
            later = (*(between if 4 * num_samples < len(gap) else ()), last)
            for start in (gap.start, *(start for start in later if start >= gap.start + 2 * FADE)):
                stop = min(start + num_samples, gap.stop)
                first_block, last_block = (
                    min(place // self.RESOLUTION, len(sums) - 1) for place in (start, stop)
                )
                energy = float(sums[last_block] - sums[first_block])
                if energy > best_energy:
                    best, best_energy = range(start, stop), energy
                    if gap.stop - stop < 2 * FADE:
                        best = range(start, gap.stop)
        return best
