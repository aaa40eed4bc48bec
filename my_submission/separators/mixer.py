"""The Mixer: improved stems as a linear function of first estimates and the mixture."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from my_submission.audio import Signal
from my_submission.errors import DemixError
from my_submission.networks.checkpoints import load_state_dict
from my_submission.stems import STEMS, Audio


class Mixer:
    """One bias-free linear layer per sample, from four estimates and the mixture to four stems.

    Args:
        weight: ``[8, 10]``. Columns: bass left, bass right, drums left, … vocals right, mixture
            left, mixture right; rows in the same order without the mixture.
    """

    def __init__(self, weight: Audio) -> None:
        self.weight = weight

    @classmethod
    def load(cls, path: Path) -> "Mixer":
        """Read a checkpoint that holds ``linear.weight``.

        Raises:
            DemixError: It is missing, corrupt or holds anything else.
        """
        state = load_state_dict(path)
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        wanted = {"linear.weight": (2 * len(STEMS), 2 * len(STEMS) + 2)}
        if shapes != wanted:
            raise DemixError(f"{path}: not a Mixer: it holds {shapes}, expected {wanted}")
        return cls(state["linear.weight"].float().numpy())

    def __call__(self, estimates: Audio, mixture: Audio) -> Audio:
        """Mix estimates ``[4, 2, n]`` and the mixture ``[2, n]`` into stems ``[4, 2, n]``."""
        inputs = np.concatenate([estimates.reshape(-1, mixture.shape[-1]), mixture])
        mixed: Audio = self.weight @ inputs
        return mixed.reshape(estimates.shape)

    def stream(self, estimates: Iterable[Audio], mixture: Signal) -> Iterator[Audio]:
        """Mix a stream of blocks ``[4, 2, n]`` estimated from `mixture`."""
        position = 0
        for block in estimates:
            end = position + block.shape[-1]
            yield self(block, mixture.read(position, end))
            position = end
