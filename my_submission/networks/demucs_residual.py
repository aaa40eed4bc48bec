"""The Demucs family's residual branches (`DConv`), with the least traffic through memory.

A branch squeezes its channels by a 3-wide convolution to few, and spreads them again to twice as
many by a 1-wide one, whose output is normalised and gated. Two facts save most of the work beside
the products:

- The convolution of k taps is one product that gives k times the few channels; those are then added
  with shifts. So the wide input is read once and never copied.
- What the second convolution gives is a linear map of the few channels. So its mean and variance
  follow from theirs, and the norm and the branch's scale become part of the map's weights. The wide
  output is never stored: it is made, gated and added to the input tile by tile.

What is not a product is a few loops of `demucs_norms` and `demucs_pointwise`: there are hundreds of
tiles, and torch takes as long to begin an operation as to do it on a few channels.

Source of the branches: Défossez, "Hybrid Spectrogram and Waveform Source Separation" (2021).
"""

from typing import Any

import torch
from torch import Tensor, nn

from my_submission.networks.demucs_local_attention import attend_in_blocks
from my_submission.networks.demucs_norms import normalise_spread, squeeze
from my_submission.networks.demucs_pointwise import add_gated

TILE = 1 << 18
"""Numbers that a layer works on at a time: what it makes of a megabyte stays in the caches."""


class ResidualBranch(nn.Module):
    """One branch of a `DConv`, added to its input in place.

    Args:
        layers: The branch's own layers, of which `is_plain` holds.
        dtype: What the products are computed in.
    """

    squeeze: Tensor
    squeeze_bias: Tensor
    squeeze_gain: Tensor
    squeeze_offset: Tensor
    spread: Tensor
    spread_bias: Tensor
    spread_products: Tensor
    gain: Tensor
    offset: Tensor

    def __init__(self, layers: Any, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        squeeze, norm, activation, spread, spread_norm, _, scale = layers
        self.dtype = dtype
        self.dilation: int = squeeze.dilation[0]
        self.hidden: int = squeeze.out_channels
        self.activation = activation
        self.squeeze_eps: float = norm.eps
        self.eps: float = spread_norm.eps
        self.register_buffer("squeeze_gain", norm.weight.clone())
        self.register_buffer("squeeze_offset", norm.bias.clone())
        # [taps * hidden, channels]
        taps = squeeze.weight.permute(2, 0, 1).flatten(0, 1)
        self.register_buffer("squeeze", taps.to(dtype, copy=True))
        self.register_buffer("squeeze_bias", squeeze.bias.clone())
        weight, bias = spread.weight[..., 0].clone(), spread.bias
        self.register_buffer("spread", weight.contiguous())
        self.register_buffer("spread_bias", bias.clone())
        # What gives the variance of the output over time from that of the few channels.
        self.register_buffer("spread_products", weight.T @ weight / len(weight))
        # The scale multiplies the half that is not the gate.
        scales = torch.cat([scale.scale, torch.ones_like(scale.scale)])
        self.register_buffer("gain", spread_norm.weight * scales)
        self.register_buffer("offset", spread_norm.bias * scales)

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to contiguous ``x``, ``[batch, channels, time]``, and give it back."""
        few = self._squeezed(x)
        if not isinstance(self.activation, nn.GELU):
            few = self.activation(few)
        weight, bias = self._normalised_spread(few)
        few, biases = few.to(self.dtype), bias.numpy()
        channels, time = x.shape[1:]
        step = max(1, TILE // (len(x) * channels))
        for start in range(0, time, step):
            wide = torch.bmm(weight, few[..., start : start + step]).float()
            add_gated(wide.numpy(), biases, x.numpy(), start)
        return x

    def _squeezed(self, x: Tensor) -> Tensor:
        products = torch.bmm(self.squeeze.expand(len(x), -1, -1), x.to(self.dtype)).float()
        few = x.new_empty(len(x), self.hidden, x.shape[-1])
        squeeze(
            products.numpy(),
            self.squeeze_bias.numpy(),
            self.dilation,
            self.squeeze_gain.numpy(),
            self.squeeze_offset.numpy(),
            self.squeeze_eps,
            isinstance(self.activation, nn.GELU),
            few.numpy(),
        )
        return few

    def _normalised_spread(self, few: Tensor) -> tuple[Tensor, Tensor]:
        """Give weights ``[batch, 2 * channels, hidden]`` and biases that norm and scale as well."""
        weight = few.new_empty(len(few), *self.spread.shape)
        bias = few.new_empty(weight.shape[:2])
        normalise_spread(
            few.numpy(),
            self.spread.numpy(),
            self.spread_bias.numpy(),
            self.spread_products.numpy(),
            self.gain.numpy(),
            self.offset.numpy(),
            self.eps,
            weight.numpy(),
            bias.numpy(),
        )
        return weight.to(self.dtype), bias


class Residual(nn.Module):
    """All branches of a `DConv`: those of plain layers fast, others with attention in blocks."""

    def __init__(self, dconv: Any, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        attend_in_blocks(dconv)
        self.branches = nn.ModuleList(
            ResidualBranch(layers, dtype) if is_plain(layers) else layers for layers in dconv.layers
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add the branches to ``x``, ``[batch, channels, time]``, which is overwritten."""
        x = x.contiguous()
        for branch in self.branches:
            if isinstance(branch, ResidualBranch):
                branch(x)
            else:
                x = (x + branch(x)).contiguous()
        return x


def is_plain(layers: Any) -> bool:
    """Tell whether a branch has neither LSTM nor attention, and norms over all of a sample."""
    kinds = [type(layer).__name__ for layer in layers]
    norms = [layer for layer in layers if isinstance(layer, nn.GroupNorm)]
    return (
        kinds[:2] == ["Conv1d", "GroupNorm"]
        and kinds[3:] == ["Conv1d", "GroupNorm", "GLU", "LayerScale"]
        and all(norm.num_groups == 1 for norm in norms)
    )


def gelu_(x: Tensor) -> Tensor:
    """Compute GELU in its input's memory."""
    result: Tensor = torch.ops.aten.gelu_(x)
    return result
