"""Puts together what has been estimated: the system's blend where all of it is there."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from my_submission.audio.scratch import BLOCK_FRAMES, read_padded
from my_submission.budget.coverage import FADE, Coverage, Weights
from my_submission.budget.fixed_split import N_FFT, equal_split, fixed_split, song_shares
from my_submission.budget.shared import SharedSound
from my_submission.stems import SAMPLE_RATE, STEMS, Audio, Stem
from my_submission.streams import blended

LEARNT = 5 * SAMPLE_RATE
"""Samples that a song's shares are learnt from at most: more would take time, and tell little."""


@dataclass
class Estimates:
    """What there is of a song.

    Attributes:
        num_samples: The song's length.
        tfc_tdf: All stems by TFC-TDF; None where the system has none.
        demucs: All stems by Demucs; None where the system has none.
        alone: Single stems by TFC-TDF, where there was no time for all.
        tfc_tdf_share: TFC-TDF's share of each stem where both are there.
        shares: Of the mixture, that stems without an estimate get; None while nothing of the song
            tells. See `learn_shares`.
    """

    num_samples: int
    tfc_tdf: Coverage | None = None
    demucs: Coverage | None = None
    alone: dict[Stem, Coverage] = field(default_factory=dict)
    tfc_tdf_share: Mapping[Stem, float] | None = None
    shares: Weights | None = None

    @property
    def base(self) -> Coverage | None:
        """What everything else is added to, or replaces the split of the mixture."""
        return self.tfc_tdf or self.demucs

    @property
    def parts(self) -> list[Coverage]:
        """The parts that the system blends."""
        return [part for part in (self.tfc_tdf, self.demucs) if part is not None]

    @property
    def is_whole(self) -> bool:
        """Whether all is there."""
        return bool(self.parts) and all(part.is_whole for part in self.parts)

    def missing(self, stem: Stem) -> list[range]:
        """List where a stem has no estimate, and one fits in."""
        whole = [range(self.num_samples)]
        gaps = whole if self.base is None else self.base.gaps()
        return self.alone[stem].gaps(gaps) if stem in self.alone else gaps

    def uncovered(self, stem: Stem) -> list[range]:
        """List where a stem has no estimate, or not in full."""
        whole = [range(self.num_samples)]
        found = whole if self.base is None else self.base.uncovered()
        return self.alone[stem].uncovered(found) if stem in self.alone else found

    @property
    def num_missing(self) -> float:
        """Samples without an estimate, on average over the stems: a split takes as many times."""
        return sum(len(gap) for stem in STEMS for gap in self.missing(stem)) / len(STEMS)

    @property
    def is_begun(self) -> bool:
        """Whether there is a stretch of all stems."""
        return self.base is not None and bool(self.base.stretches)

    def learn_shares(self, song: SharedSound) -> None:
        """Learn the song's own shares, once there are seconds of all stems, or of all but one.

        What the others leave of the mixture is the last one.
        """
        if self.shares is not None:
            return
        single = {stem: part for stem, part in self.alone.items() if part.stretches}
        known = [self.base] if self.base is not None and self.is_begun else [*single.values()]
        lacking = [] if self.is_begun else [stem for stem in STEMS if stem not in single]
        if len(lacking) > 1:
            return
        firsts = [part.stretches[0] for part in known]
        start = max(stretch.start for stretch in firsts) + FADE
        stop = min(start + LEARNT, min(stretch.stop for stretch in firsts) - FADE)
        if stop - start < N_FFT:
            return
        stems, _ = _known(self, start, stop)
        for stem in lacking:
            mixture = read_padded(song.num_samples, start, stop, song.read)
            stems[STEMS.index(stem)] = mixture - stems.sum(axis=0)
        self.shares = song_shares(stems)

    def close(self) -> None:
        """Give the disk space back."""
        for part in (*self.parts, *self.alone.values()):
            part.close()


def assembled(
    song: SharedSound, estimates: Estimates, *, can_split: Callable[[int], bool]
) -> Iterator[Audio]:
    """Blend a system's parts, as far as they have come.

    Where they are whole, the samples are those that the system itself gives, bit by bit.

    Args:
        song: Stereo.
        estimates: What there is.
        can_split: Asked for the block that begins at a sample, tells whether what has no estimate
            is split by frequency there; else equally, faded into what comes before.

    Yields:
        Consecutive blocks ``[4, 2, n]``.
    """
    if estimates.is_whole:
        first, *second = (part.stream() for part in estimates.parts)
        if second and estimates.tfc_tdf_share is not None:
            yield from blended(first, second[0], estimates.tfc_tdf_share)
        else:
            yield from first
        return
    shares = np.array(
        [(estimates.tfc_tdf_share or {}).get(stem, 0.0) for stem in STEMS], np.float32
    ).reshape(-1, 1, 1)
    gaps = [gap for stem in STEMS for gap in estimates.uncovered(stem)]

    known = _Known(estimates)

    def rest(start: int, stop: int) -> tuple[Audio, Weights]:
        sound, weights = known.read(start, stop)
        mixture = read_padded(estimates.num_samples, start, stop, song.read)
        if not weights.any():  # what follows would come to the same
            return mixture, 1 - weights
        # How far all stems are there fades the mixture out; only what goes beyond it is taken
        # away, so that nothing is left, and no step, where the estimates become whole.
        whole = weights.min(axis=0)
        beyond = 1 - whole / np.maximum(weights, 1e-6)
        mixture *= 1 - whole
        for row in np.flatnonzero(weights.any(axis=1)):
            mixture -= beyond[row] * sound[row]
        return mixture, 1 - weights

    def split(start: int, stop: int, *, by_frequency: bool) -> Audio:
        if by_frequency:
            return fixed_split(rest, start, stop, estimates.shares)
        return equal_split(*rest(start, stop))

    way: bool | None = None
    for start in range(0, estimates.num_samples, BLOCK_FRAMES):
        stop = min(start + BLOCK_FRAMES, estimates.num_samples)
        # The windows of the split reach over the block's ends.
        if any(gap.start < stop + N_FFT and gap.stop > start - N_FFT for gap in gaps):
            last_way, way = way, can_split(start)
            block = split(start, stop, by_frequency=way)
            block += known.read(start, stop)[0]
            if last_way not in (None, way):
                size = min(FADE, stop - start)
                fade = np.linspace(1, 0, size, dtype=np.float32)
                before = split(start, start + size, by_frequency=not way)
                after = split(start, start + size, by_frequency=way)
                block[..., :size] += fade * (before - after)
        else:
            block, _ = known.read(start, stop)
        if estimates.tfc_tdf is not None and estimates.demucs is not None:
            by_demucs, weight = estimates.demucs.read(start, stop)
            # What it replaces is left by the share that it does not have.
            block = (1 - weight * (1 - shares)) * block + (1 - shares) * by_demucs
        yield block


class _Known:
    """What is known of a song's stems; what has just been read is at hand.

    A split reads what its windows reach, of which the block itself is the middle.
    """

    def __init__(self, estimates: Estimates) -> None:
        self._estimates = estimates
        self._span = range(0)

    def read(self, start: int, stop: int) -> tuple[Audio, Weights]:
        """Give the stems ``[4, 2, n]``, not to be changed, and how far they are known."""
        if not (self._span.start <= start and stop <= self._span.stop):
            self._sound, self._weights = _known(self._estimates, start, stop)
            self._span = range(start, stop)
        inside = slice(start - self._span.start, stop - self._span.start)
        return self._sound[..., inside], self._weights[..., inside]


def _known(estimates: Estimates, start: int, stop: int) -> tuple[Audio, Weights]:
    """Give what is known of the stems ``[4, 2, n]``, and how far ``[4, n]``."""
    if estimates.base is None:
        known = np.zeros((len(STEMS), 2, stop - start), np.float32)
        weights: Weights = np.zeros((len(STEMS), stop - start), np.float32)
    else:
        known, weight = estimates.base.read(start, stop)
        weights = np.tile(weight, (len(STEMS), 1))
    for stem, coverage in estimates.alone.items():
        (sound,), weight = coverage.read(start, stop)
        row = STEMS.index(stem)
        # What was estimated alone first, and with the other stems later, counts as the latter.
        room = np.minimum(1, (1 - weights[row]) / np.maximum(weight, 1e-6))
        known[row] += room * sound
        weights[row] += room * weight
    return known, np.minimum(weights, 1)
