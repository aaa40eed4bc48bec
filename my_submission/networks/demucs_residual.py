"""The Demucs family's residual branches (`DConv`), with the least traffic through memory.

A branch squeezes its channels by a 3-wide convolution to few, and spreads them again to twice as
many by a 1-wide one, whose output is normalised and gated. Two facts save most of the work beside
the products:

- The convolution of k taps is one product that gives k times the few channels; those are then added
  with shifts. So the wide input is read once and never copied.
- What the second convolution gives is a linear map of the few channels. So its mean and variance
  follow from theirs, and the norm and the branch's scale become part of the map's weights. The wide
  output is never stored: it is made, gated and added to the input tile by tile.

Source of the branches: Défossez, "Hybrid Spectrogram and Waveform Source Separation" (2021).
"""

from typing import Any

import torch
from torch import Tensor, nn

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
        self.norm, self.activation = norm, activation
        self.eps: float = spread_norm.eps
        # [taps * hidden, channels]
        taps = squeeze.weight.permute(2, 0, 1).flatten(0, 1)
        self.register_buffer("squeeze", taps.to(dtype, copy=True))
        self.register_buffer("squeeze_bias", squeeze.bias[:, None].clone())
        weight, bias = spread.weight[..., 0], spread.bias
        self.register_buffer("spread", weight.clone())
        self.register_buffer("spread_bias", bias.clone())
        # What gives the variance of the output over time from that of the few channels.
        self.register_buffer("spread_products", weight.T @ weight / len(weight))
        # The scale multiplies the half that is not the gate.
        scales = torch.cat([scale.scale, torch.ones_like(scale.scale)])
        self.register_buffer("gain", spread_norm.weight * scales)
        self.register_buffer("offset", spread_norm.bias * scales)

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to ``x``, ``[batch, channels, time]``, and give it back."""
        few = self.activation(self.norm(self._squeezed(x)))
        weight, bias = self._normalised_spread(few)
        few = few.to(self.dtype)
        channels, time = x.shape[1:]
        step = max(1, TILE // (len(x) * channels))
        for start in range(0, time, step):
            wide = torch.bmm(weight, few[..., start : start + step]).float().add_(bias)
            content, gate = wide.chunk(2, dim=1)
            x[..., start : start + step].addcmul_(content, gate.sigmoid_())
        return x

    def _squeezed(self, x: Tensor) -> Tensor:
        products = torch.bmm(self.squeeze.expand(len(x), -1, -1), x.to(self.dtype)).float()
        taps = products.chunk(len(self.squeeze) // self.hidden, dim=1)
        time = x.shape[-1]
        total: Tensor = taps[len(taps) // 2] + self.squeeze_bias
        for index, tap in enumerate(taps):
            shift = (index - len(taps) // 2) * self.dilation
            if shift and abs(shift) < time:
                to = slice(max(0, -shift), time - max(0, shift))
                of = slice(max(0, shift), time + min(0, shift))
                total[..., to] += tap[..., of]
        return total

    def _normalised_spread(self, few: Tensor) -> tuple[Tensor, Tensor]:
        """Give weights ``[batch, 2 * channels, hidden]`` and bias that norm and scale as well."""
        means = few.mean(-1)
        centered = few - means[..., None]
        covariance = torch.bmm(centered, centered.mT) / few.shape[-1]
        row_means = means @ self.spread.T + self.spread_bias
        # Each row varies over time, and the rows' means vary among each other.
        variance = (covariance * self.spread_products).sum((1, 2)) + row_means.var(1, correction=0)
        rstd = (variance + self.eps).rsqrt()[:, None]
        mean = row_means.mean(1, keepdim=True)
        weight = (self.gain * rstd)[..., None] * self.spread
        bias = self.gain * rstd * (self.spread_bias - mean) + self.offset
        return weight.to(self.dtype), bias[..., None]


class Residual(nn.Module):
    """All branches of a `DConv`: those of plain layers fast, others as they are."""

    def __init__(self, dconv: Any, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            ResidualBranch(layers, dtype) if is_plain(layers) else layers for layers in dconv.layers
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add the branches to ``x``, ``[batch, channels, time]``, which is overwritten."""
        for branch in self.branches:
            if isinstance(branch, ResidualBranch):
                branch(x)
            else:
                x = x + branch(x)
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


def gated(x: Tensor, dim: int = 1) -> Tensor:
    """Compute a GLU in the memory of its input's first half."""
    content, gate = x.chunk(2, dim=dim)
    return content.mul_(gate.sigmoid_())


def gelu_(x: Tensor) -> Tensor:
    """Compute GELU in its input's memory."""
    result: Tensor = torch.ops.aten.gelu_(x)
    return result
