"""What a song needs at its end: time to put the stems together and to write them."""

import math
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from my_submission.audio.output import FLOAT_WAV, OutputFormat, StemWriter
from my_submission.audio.scratch_space import scratch_folder
from my_submission.budget.assembly import Estimates, assembled
from my_submission.budget.coverage import Coverage, Stretch
from my_submission.budget.shared import SharedSound
from my_submission.stems import SAMPLE_RATE, STEMS, Audio

SAFETY = 2.0
"""Times what finishing is expected to take."""

OPENINGS = 5.0
"""Times what it took to check and copy the song; writing four stems takes less."""

SPLITTING_SHARE = 0.2
"""Of the limit, that is kept for the split by frequency at most."""

SPLITTING_SAFETY = 1.3
"""Likewise for the split by frequency, without which stems can be written as well."""

SHARED_BY = 2.0
LAST_PACES = 3
USUAL_OF = 5
"""Measurements of this process's pace: the last ones count, and the best of the first is usual."""

TRIAL = 5 * SAMPLE_RATE
"""Samples that are written to see how long it takes."""


class OwnPace:
    """How many times slower this process runs than when this was made.

    The pace of the networks' process does not tell: it may be another that keeps it waiting.
    """

    def __init__(self) -> None:
        self._last = deque([1.0] * LAST_PACES, LAST_PACES)
        self._usual = min(self._seconds() for _ in range(USUAL_OF))

    def __call__(self) -> float:
        """Measure it, in about a millisecond; give the median of the last few.

        The networks' process takes half of the processor; it will be stopped while stems are
        written, so that this does not count.
        """
        self._last.append(max(1.0, self._seconds() / self._usual / SHARED_BY))
        return sorted(self._last)[LAST_PACES // 2]

    def _seconds(self) -> float:
        began = time.perf_counter()
        np.fft.rfft(np.ones((16, 4096), np.float32))
        return time.perf_counter() - began


@dataclass(frozen=True)
class Finishing:
    """Seconds that the end of a song takes, with something to spare.

    Attributes:
        writing: Putting estimates together and writing them.
        splitting: Splitting the mixture by frequency, per sample.
        most_splitting: What is kept for that at most: on a machine so slow, estimates gain more.
    """

    writing: float
    splitting: float
    most_splitting: float = math.inf

    def seconds(self, num_missing: int) -> float:
        """Give what is kept for a song of which so many samples have no estimate."""
        return self.writing + min(self.splitting * num_missing, self.most_splitting)

    def can_split(self, num_missing: int, left: float, pace: float = 1.0) -> bool:
        """Tell whether the seconds left are enough to split so many samples by frequency.

        Args:
            num_missing: The samples.
            left: Seconds.
            pace: How many times longer everything takes than when it was measured.
        """
        return pace * (self.writing + self.splitting * num_missing) <= left


@dataclass(frozen=True)
class FinishingCosts:
    """What finishing costs on this machine, seconds per sample of the song.

    Attributes:
        writing: Putting estimates together and writing them.
        splitting: Splitting the mixture by frequency.
    """

    writing: float
    splitting: float

    def of_song(self, num_samples: int, limit: float, opening: float = 0.0) -> Finishing:
        """Give what a song needs.

        Args:
            num_samples: Its length.
            limit: Seconds for the song.
            opening: Those that checking and copying it took.
        """
        writing = max(SAFETY * self.writing * num_samples, OPENINGS * opening)
        return Finishing(writing, SPLITTING_SAFETY * self.splitting, SPLITTING_SHARE * limit)


def margin(limit: float) -> float:
    """Give the seconds of a limit that are kept for what cannot be foreseen."""
    return max(0.2, 0.02 * limit)


def measure_finishing(fmt: OutputFormat = FLOAT_WAV) -> FinishingCosts:
    """Measure what it takes to put stems together and to write them.

    Args:
        fmt: How they are written: MP3 takes thirty times as long as WAV.

    Raises:
        DemixError: Scratch files cannot be written.
    """
    noise = np.random.default_rng(0).uniform(-1, 1, (8, TRIAL)).astype(np.float32)
    with SharedSound.create(2) as song, SharedSound.create(8) as estimate:
        song.write(0, noise[:2])
        estimate.write(0, noise)
        coverage = Coverage(TRIAL)
        coverage.add(Stretch(estimate, 0, TRIAL))
        seconds = [
            _seconds(assembled(song, estimates, by_frequency=by_frequency), fmt)
            for estimates, by_frequency in (
                (Estimates(TRIAL, tfc_tdf=coverage), False),
                (Estimates(TRIAL), True),
                (Estimates(TRIAL), False),
            )
        ]
    whole, by_frequency, equal = (value / TRIAL for value in seconds)
    return FinishingCosts(max(whole, equal), max(by_frequency - equal, 0.0))


def _seconds(blocks: Iterator[Audio], fmt: OutputFormat) -> float:
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as folder:
        paths: dict[str, Path] = {stem: Path(folder) / f"{stem}{fmt.suffix}" for stem in STEMS}
        began = time.perf_counter()
        with StemWriter(paths, TRIAL, fmt, say=_silent) as writer:
            for block in blocks:
                writer.write(dict(zip(STEMS, block, strict=True)))
        return time.perf_counter() - began


def _silent(_line: str) -> None:
    """Say nothing: noise within full scale is written as it is."""
