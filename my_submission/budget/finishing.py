"""What a song needs at its end: time to put the stems together and to write them."""

import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from my_submission.audio.output import FLOAT_WAV, StemWriter
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

TRIAL = 5 * SAMPLE_RATE
"""Samples that are written to see how long it takes."""


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

    def can_split(self, num_missing: int, left: float) -> bool:
        """Tell whether the seconds left are enough to split so many samples by frequency."""
        return self.writing + self.splitting * num_missing <= left


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
        return Finishing(writing, SAFETY * self.splitting, SPLITTING_SHARE * limit)


def margin(limit: float) -> float:
    """Give the seconds of a limit that are kept for what cannot be foreseen."""
    return max(0.2, 0.02 * limit)


def measure_finishing() -> FinishingCosts:
    """Measure what it takes to put stems together and to write them.

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
            _seconds(assembled(song, estimates, by_frequency=by_frequency))
            for estimates, by_frequency in (
                (Estimates(TRIAL, tfc_tdf=coverage), False),
                (Estimates(TRIAL), True),
                (Estimates(TRIAL), False),
            )
        ]
    whole, by_frequency, equal = (value / TRIAL for value in seconds)
    return FinishingCosts(max(whole, equal), max(by_frequency - equal, 0.0))


def _seconds(blocks: Iterator[Audio]) -> float:
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as folder:
        paths: dict[str, Path] = {stem: Path(folder) / f"{stem}.wav" for stem in STEMS}
        began = time.perf_counter()
        with StemWriter(paths, TRIAL, FLOAT_WAV, say=_silent) as writer:
            for block in blocks:
                writer.write(dict(zip(STEMS, block, strict=True)))
        return time.perf_counter() - began


def _silent(_line: str) -> None:
    """Say nothing: noise within full scale is written as it is."""
