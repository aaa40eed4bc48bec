"""Left and right in each other's place."""

from dataclasses import dataclass

import numpy as np

from my_submission.stems import STEMS, Audio
from training.augmentation.base import WithProbability


@dataclass(frozen=True, kw_only=True)
class ChannelSwap(WithProbability):
    """Exchanges left and right, in a coherent chunk of all stems or of none.

    Attributes:
        probability: For each stem; for a coherent chunk as a whole.
    """

    probability: float = 0.5

    def draw(self, rng: np.random.Generator, *, coherent: bool) -> list[bool | None]:
        """Draw which stems are exchanged."""
        happens = self.happens(rng)
        if coherent:
            happens = happens[:1] * len(STEMS)
        return [True if yes else None for yes in happens]

    def apply(self, sound: Audio, drawn: bool) -> Audio:  # noqa: ARG002
        """Exchange the channels."""
        return sound[::-1]
