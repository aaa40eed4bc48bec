"""What training makes small."""

from torch import Tensor


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
