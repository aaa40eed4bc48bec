"""What training makes small."""

from typing import Literal

from torch import Tensor
from torch.nn import functional

WaveformLoss = Literal["mse", "l1"]
Loss = Literal["mse", "l1", "relative"]


def waveform_error(estimate: Tensor, target: Tensor, kind: WaveformLoss) -> Tensor:
    """Give the mean square (``mse``, as published) or the mean magnitude (``l1``) of the error.

    Args:
        estimate: Sound, `[batch, 2, samples]`.
        target: Same shape.
        kind: Which of the two.
    """
    if kind == "mse":
        return functional.mse_loss(estimate, target)
    return functional.l1_loss(estimate, target)


def relative_error(estimate: Tensor, target: Tensor, mixture: Tensor, floor: float) -> Tensor:
    """Give the mean over the batch of error power over target power.

    The target's power gets a share of the mixture's, so that a silent target costs as much as it
    leaks. A logarithm would make the best way out of silent targets an output of zero, from which
    the multiplicative skips never return.

    Args:
        estimate: `[batch, 4, dim_f, frames]`.
        target: Same shape.
        mixture: Same shape.
        floor: Share of the mixture's power.
    """
    axes = (1, 2, 3)
    error = (estimate - target).square().sum(axes)
    power = target.square().sum(axes) + floor * mixture.square().sum(axes)
    return (error / (power + 1.0)).mean()
