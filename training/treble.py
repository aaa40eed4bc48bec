"""The bins above a network's band: too little of the sound to spend a network on."""

import torch
from torch import Tensor, nn


class WithTreble(nn.Module):
    """A network on the lowest bins, and for each bin above its band a fixed share of the mixture.

    Training costs as much as a network has bins, and the upper half of them holds a few
    thousandths of the energy of vocals and of most instruments. Cutting it off would be heard;
    passing each bin's usual share is the best that a constant can do there.

    Args:
        network: Maps `[batch, 4, band, frames]` to the same shape.
        share: What of the mixture the bins above the band pass, `[dim_f - band]`.

    Shape:
        Input and output `[batch, 4, dim_f, frames]`.
    """

    share: Tensor

    def __init__(self, network: nn.Module, share: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("share", share.float().reshape(1, 1, -1, 1))

    def forward(self, spec: Tensor) -> Tensor:
        """Estimate the stem's spectrogram."""
        band = spec.shape[2] - self.share.shape[2]
        return torch.cat([self.network(spec[:, :, :band]), spec[:, :, band:] * self.share], dim=2)


def mean_share(target: Tensor, mixture: Tensor) -> Tensor:
    """Measure the share of each bin by least squares: the constant with the least error power.

    Args:
        target: Spectrograms of the stem, `[batch, 4, bins, frames]`.
        mixture: Of the mixtures, the same shape.

    Returns:
        `[bins]`, 0 to 1; 0 where the mixture is silent.
    """
    axes = (0, 1, 3)
    power = mixture.square().sum(axes)
    share = (target * mixture).sum(axes) / power.clamp(min=1e-12)
    return share.clamp(0, 1)
