"""Stems that are not there."""

from dataclasses import dataclass

import numpy as np

from my_submission.stems import Audio
from training.augmentation.base import WithProbability


@dataclass(frozen=True, kw_only=True)
class StemDrop(WithProbability):
    """Silences stems, but never all of a chunk: then all stay, because silence teaches nothing.

    Attributes:
        probability: For each stem.
    """

    probability: float = 0.1

    def draw(self, rng: np.random.Generator, *, coherent: bool) -> list[bool | None]:  # noqa: ARG002
        """Draw which stems are silenced."""
        happens = self.happens(rng)
        return [True if yes and not all(happens) else None for yes in happens]

    def apply(self, sound: Audio, drawn: bool) -> Audio:  # noqa: ARG002
        """Give silence."""
        return np.zeros_like(sound)
