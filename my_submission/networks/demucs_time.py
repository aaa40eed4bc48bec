"""Layers of hybrid Demucs that convolve over time, in cache-sized tiles and in place.

As their counterparts on frequencies, they go through all that a layer does with a few thousand
frames at a time; only the residual branches' norms need all frames at once.
"""

from typing import Any

import torch
from demucs.hdemucs import HDecLayer, HEncLayer
from torch import Tensor, nn
from torch.nn import functional

from my_submission.networks.demucs_frequency import tiles
from my_submission.networks.demucs_residual import Residual, gated, gelu_


class TimeEncoder(nn.Module):
    """An `HEncLayer` on time, of which `encodes_time` holds, for a batch of one."""

    conv: Tensor
    conv_bias: Tensor
    rewrite: Tensor
    rewrite_bias: Tensor

    def __init__(self, layer: Any, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        self.empty = False
        self.stride: int = layer.conv.stride[0]
        self.kernel_size: int = layer.conv.kernel_size[0]
        self.pad: int = layer.conv.padding[0]
        self.register_buffer("conv", layer.conv.weight.to(dtype, copy=True))
        self.register_buffer("conv_bias", layer.conv.bias.to(dtype, copy=True))
        self.register_buffer("rewrite", layer.rewrite.weight[..., 0].to(dtype, copy=True))
        self.register_buffer("rewrite_bias", layer.rewrite.bias[:, None].clone())
        self.residual = Residual(layer.dconv, dtype) if layer.dconv else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[1, channels, time]`` to ``[1, channels, ceil(time / stride)]``."""
        frames = -(-x.shape[-1] // self.stride)
        channels = len(self.conv)
        y: Tensor = x.new_empty(1, channels, frames)
        for start, stop in tiles(frames, channels):
            first = start * self.stride - self.pad
            last = (stop - 1) * self.stride - self.pad + self.kernel_size
            seen = samples_between(x, first, last).to(self.dtype)
            conv = functional.conv1d(seen, self.conv, self.conv_bias, self.stride)
            y[..., start:stop] = gelu_(conv.float())
        y = self.residual(y)
        for start, stop in tiles(frames, channels):
            z = torch.mm(self.rewrite, y[0, :, start:stop].to(self.dtype)).float()
            # What is read is no longer needed: the layer's output takes its place.
            y[0, :, start:stop] = gated(z.add_(self.rewrite_bias), dim=0)
        return y


class TimeDecoder(nn.Module):
    """An `HDecLayer` on time, of which `decodes_time` holds, for a batch of one."""

    rewrite: Tensor
    rewrite_bias: Tensor
    conv_tr: Tensor
    conv_tr_bias: Tensor

    def __init__(self, layer: Any, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        self.empty = False
        self.last: bool = layer.last
        self.stride: int = layer.stride
        self.pad: int = layer.pad
        self.kernel_size: int = layer.kernel_size
        self.register_buffer("rewrite", layer.rewrite.weight.to(dtype, copy=True))
        self.register_buffer("rewrite_bias", layer.rewrite.bias.to(dtype, copy=True))
        self.residual = Residual(layer.dconv, dtype) if layer.dconv else nn.Identity()
        self.register_buffer("conv_tr", layer.conv_tr.weight.to(dtype, copy=True))
        self.register_buffer("conv_tr_bias", layer.conv_tr.bias[:, None].clone())

    def forward(self, x: Tensor, skip: Tensor, length: int) -> tuple[Tensor, None]:
        """Map ``[1, channels, time]`` and its skip to ``[1, channels, length]``."""
        frames, channels = x.shape[-1], x.shape[1]
        halo = self.rewrite.shape[-1] // 2
        y = x.new_empty(1, channels, frames)
        for start, stop in tiles(frames, channels):
            seen = samples_between(x, start - halo, stop + halo)
            seen = (seen + samples_between(skip, start - halo, stop + halo)).to(self.dtype)
            z = functional.conv1d(seen, self.rewrite, self.rewrite_bias)
            y[..., start:stop] = gated(z.float())
        y = self.residual(y)
        # Where tiles meet, what they give adds up; so the bias is there once, from the start.
        size = (frames - 1) * self.stride + self.kernel_size
        out: Tensor = self.conv_tr_bias.repeat(1, 1, size)
        for start, stop in tiles(frames, channels):
            tile = y[..., start:stop].to(self.dtype)
            given = functional.conv_transpose1d(tile, self.conv_tr, stride=self.stride)
            out[..., start * self.stride : start * self.stride + given.shape[-1]] += given
        z = out[..., self.pad : self.pad + length]
        return (z if self.last else gelu_(z)), None


def encodes_time(layer: nn.Module) -> bool:
    """Tell whether `TimeEncoder` computes what a layer does."""
    return (
        isinstance(layer, HEncLayer)
        and not layer.freq
        and not layer.empty
        and not layer.norm
        and layer.rewrite is not None
        and layer.rewrite.kernel_size == (1,)
    )


def decodes_time(layer: nn.Module) -> bool:
    """Tell whether `TimeDecoder` computes what a layer does."""
    return (
        isinstance(layer, HDecLayer)
        and not layer.freq
        and not layer.empty
        and not layer.norm
        and layer.rewrite is not None
    )


def samples_between(x: Tensor, start: int, stop: int) -> Tensor:
    """Give ``x[..., start:stop]``, with zeros before the first sample and after the last."""
    inside = x[..., max(start, 0) : min(stop, x.shape[-1])]
    front, back = max(0, -start), max(0, stop - x.shape[-1])
    return functional.pad(inside, (front, back)) if front or back else inside
