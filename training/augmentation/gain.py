"""Random loudness."""

from dataclasses import dataclass

import numpy as np

from my_submission.stems import STEMS, Audio
from training.augmentation.base import WithProbability, require_range


@dataclass(frozen=True, kw_only=True)
class Gain(WithProbability):
    """A gain per stem; what is drawn is the gain in dB.

    A coherent chunk gets one gain as a whole, and its stems a smaller one each against each other,
    so that the song's balance is not lost.

    Attributes:
        probability: Of a gain, for each stem; for a coherent chunk as a whole.
        min_gain_db: The lowest gain.
        max_gain_db: The highest gain.
        max_coherent_gain_db: In a coherent chunk each stem's gain differs by at most so much from
            the whole's.
    """

    min_gain_db: float = -6.0
    max_gain_db: float = 6.0
    max_coherent_gain_db: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("gain_db", self.min_gain_db, self.max_gain_db)
        require_range("max_coherent_gain_db", 0, self.max_coherent_gain_db)

    def draw(self, rng: np.random.Generator, *, coherent: bool) -> list[float | None]:
        """Draw a gain in dB per stem."""
        happens = self.happens(rng)
        gains = rng.uniform(self.min_gain_db, self.max_gain_db, len(STEMS))
        spread = rng.uniform(-self.max_coherent_gain_db, self.max_coherent_gain_db, len(STEMS))
        if coherent:
            happens, gains = happens[:1] * len(STEMS), gains[0] + spread
        return [float(gain) if yes else None for gain, yes in zip(gains, happens, strict=True)]

    def apply(self, sound: Audio, drawn: float) -> Audio:
        """Multiply by the gain."""
        return sound * np.float32(10 ** (drawn / 20))
