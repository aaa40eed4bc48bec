"""What a song allows: a floor without any separation, and a ceiling made from the references.

The floor is a quarter of the mixture as each stem, the ceiling the ideal ratio mask; which of the
scores they have is said in `metrics`.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evaluator.errors import EvaluatorError
from evaluator.ideal_masks import IdealRatioMask
from evaluator.metrics import BaselineSums, Sounds
from evaluator.scoring import SongScore
from evaluator.sound import (
    LOSSLESS,
    STEMS,
    SoundReader,
    find_sound,
    read_together,
    require_same_form,
    require_sound,
)

StemScores = dict[str, dict[str, float | None]]
"""``{stem: {metric: dB}}``."""


class Baselines(NamedTuple):
    """The challenge's SDR of the floor and of the ceiling."""

    floor: SongScore
    ceiling: SongScore


class SongBaselines:
    """Scores floor and ceiling of a song, block after block.

    Args:
        num_samples: length of the song.
        sample_rate: in Hz.
        num_channels: of the mixture and of each reference.
        with_frames: whether BSSEval v4's SDR is wanted.
    """

    def __init__(
        self, num_samples: int, sample_rate: int, num_channels: int, *, with_frames: bool
    ) -> None:
        self._floor, self._ceiling = (
            BaselineSums(num_samples, sample_rate, with_frames=with_frames) for _ in range(2)
        )
        self._mask = IdealRatioMask(len(STEMS), num_channels)

    def add(self, mixture: npt.NDArray[np.float64], references: Sounds) -> None:
        """Add the next block: mixture ``[n, channels]``, references ``[4, n, channels]``."""
        self._floor.add(references, np.broadcast_to(0.25 * mixture, references.shape))
        self._ceiling.add(*self._mask.push(references, mixture))

    def finish(self) -> tuple[StemScores, StemScores]:
        """Give the scores of the floor and of the ceiling, when all has been added."""
        self._ceiling.add(*self._mask.finish())
        return self._floor.scores(), self._ceiling.scores()


def score_baselines(references: Path) -> Baselines | None:
    """Score floor and ceiling of a song, read in blocks.

    Args:
        references: folder with the four stems and ``mixture.wav`` or ``mixture.flac``. What is mono
            counts as the same in all channels of the others.

    Returns:
        The scores, or None where the folder has no mixture.

    Raises:
        EvaluatorError: a stem is missing or empty, or the files do not fit each other.
    """
    mixture = find_sound(references, "mixture", LOSSLESS)
    if mixture is None:
        return None
    paths = [mixture, *(require_sound(references, stem, LOSSLESS) for stem in STEMS)]
    with ExitStack() as stack:
        first, *others = readers = [stack.enter_context(SoundReader(path)) for path in paths]
        if not first.num_frames:
            raise EvaluatorError(f"{mixture} holds no samples")
        num_channels = max(reader.num_channels for reader in readers)
        for reader in others:
            is_mono = 1 in (first.num_channels, reader.num_channels)
            require_same_form(first, reader, check_channels=not is_mono)
        song = SongBaselines(first.num_frames, first.sample_rate, num_channels, with_frames=False)
        for blocks in read_together(*readers):
            shape = (len(blocks[0]), num_channels)
            mixed, *stems = (np.broadcast_to(block, shape) for block in blocks)
            song.add(mixed, np.stack(stems))
    floor, ceiling = map(_global_sdr, song.finish())
    return Baselines(SongScore(references.name, floor), SongScore(references.name, ceiling))


def _global_sdr(scores: StemScores) -> dict[str, float]:
    """Give the challenge's SDR, which is never None."""
    of_stems = {stem: metrics["global_sdr"] for stem, metrics in scores.items()}
    return {stem: sdr for stem, sdr in of_stems.items() if sdr is not None}
