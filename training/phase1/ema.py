"""The mean of the weights over the last steps, which is validated and exported."""

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from my_submission.errors import DemixError


class Ema(WeightAveraging):
    """Keep an exponential moving average of weights and norm statistics.

    Checkpoints hold the averages as `state_dict`, and what training goes on with beside them.

    Args:
        decay: Share that the average keeps per step; less in the first steps, of which otherwise
            too much would stay.

    Raises:
        DemixError: `decay` is no share.
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise DemixError(f"callbacks.ema.decay={decay}: give a share from 0 to below 1")
        self.decay = decay
        super().__init__(avg_fn=self._average)

    def _average(self, average: Tensor, current: Tensor, steps: Tensor | int) -> Tensor:
        if not average.is_floating_point():  # batches that a norm has counted
            return current
        keep = min(self.decay, (1 + int(steps)) / (10 + int(steps)))
        return average + (current - average) * (1 - keep)
