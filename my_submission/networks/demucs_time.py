"""Layers of hybrid Demucs that convolve over time, in cache-sized tiles and in place.

As their counterparts on frequencies, they go through all that a layer does with a few thousand
frames at a time; only the residual branches' norms need all frames at once. Convolutions are
products, one per tap, on views of what is in memory. Those of kernel 2s and stride s have two taps
where the s samples of a frame count as channels, and so have transposed ones.
"""

from typing import Any

import torch
from demucs.hdemucs import HDecLayer, HEncLayer
from torch import Tensor, nn
from torch.nn import functional

from my_submission.networks.demucs_frames import deinterleave, interleave
from my_submission.networks.demucs_frequency import tiles
from my_submission.networks.demucs_pointwise import add_bias_gelu, gate
from my_submission.networks.demucs_residual import Residual


class TimeEncoder(nn.Module):
    """An `HEncLayer` on time, of which `encodes_time` holds, for a batch of one."""

    conv: Tensor
    conv_bias: Tensor
    rewrite: Tensor
    rewrite_bias: Tensor
    no_offset: Tensor

    def __init__(self, layer: Any, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        self.empty = False
        self.stride: int = layer.conv.stride[0]
        self.pad: int = layer.conv.padding[0]
        # [taps, out, stride * in]
        taps = (
            layer.conv.weight.reshape(*layer.conv.weight.shape[:2], -1, self.stride)
            .permute(2, 0, 3, 1)
            .flatten(2)
        )
        self.register_buffer("conv", taps.to(dtype).contiguous())
        self.register_buffer("conv_bias", layer.conv.bias.clone())
        self.register_buffer("rewrite", layer.rewrite.weight[..., 0].to(dtype, copy=True))
        self.register_buffer("rewrite_bias", layer.rewrite.bias.clone())
        self.register_buffer("no_offset", layer.rewrite.bias.new_empty(0, 0))
        self.residual = Residual(layer.dconv, dtype) if layer.dconv else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[1, channels, time]`` to ``[1, channels, ceil(time / stride)]``."""
        in_channels, length = x.shape[1:]
        frames = -(-length // self.stride)
        channels = self.conv.shape[1]
        y: Tensor = x.new_empty(1, channels, frames)
        for start, stop in tiles(frames, channels):
            seen = x.new_empty(self.stride, in_channels, stop - start + len(self.conv) - 1)
            deinterleave(x[0].numpy(), start * self.stride - self.pad, seen.numpy())
            conv = product_of_taps(self.conv, seen.flatten(0, 1).to(self.dtype))[None]
            add_bias_gelu(conv.numpy(), self.conv_bias.numpy())
            y[..., start:stop] = conv
        y = self.residual(y)
        for start, stop in tiles(frames, channels):
            z = torch.mm(self.rewrite, y[0, :, start:stop].to(self.dtype)).float()[None]
            # What is read is no longer needed: the layer's output takes its place.
            gate(z.numpy(), self.rewrite_bias.numpy(), self.no_offset.numpy(), y.numpy(), 0, start)
        return y


class TimeDecoder(nn.Module):
    """An `HDecLayer` on time, of which `decodes_time` holds, for a batch of one."""

    rewrite: Tensor
    rewrite_bias: Tensor
    conv_tr: Tensor
    conv_tr_bias: Tensor
    no_offset: Tensor

    def __init__(self, layer: Any, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        self.empty = False
        self.last: bool = layer.last
        self.stride: int = layer.stride
        self.pad: int = layer.pad
        # [taps, 2 * channels, channels]
        taps = layer.rewrite.weight.permute(2, 0, 1)
        self.register_buffer("rewrite", taps.to(dtype).contiguous())
        self.register_buffer("rewrite_bias", layer.rewrite.bias.clone())
        self.register_buffer("no_offset", layer.rewrite.bias.new_empty(0, 0))
        self.residual = Residual(layer.dconv, dtype) if layer.dconv else nn.Identity()
        # [taps, stride * out, channels]: a frame gives its second half where the next has its first
        halves = layer.conv_tr.weight.unfold(2, self.stride, self.stride).flip(2)
        self.register_buffer(
            "conv_tr", halves.permute(2, 3, 1, 0).flatten(1, 2).to(dtype).contiguous()
        )
        self.register_buffer("conv_tr_bias", layer.conv_tr.bias.repeat(self.stride))

    def forward(self, x: Tensor, skip: Tensor, length: int) -> tuple[Tensor, None]:
        """Map ``[1, channels, time]`` and its skip to ``[1, channels, length]``."""
        channels, frames = x.shape[1:]
        halo = len(self.rewrite) // 2
        y = x.new_empty(1, channels, frames)
        for start, stop in tiles(frames, channels):
            seen = samples_between(x, start - halo, stop + halo)
            seen = (seen + samples_between(skip, start - halo, stop + halo)).to(self.dtype)
            z = product_of_taps(self.rewrite, seen[0])[None]
            gate(z.numpy(), self.rewrite_bias.numpy(), self.no_offset.numpy(), y.numpy(), 0, start)
        y = self.residual(y)
        out = x.new_empty(len(self.conv_tr_bias) // self.stride, length)
        for start, stop in tiles(frames + 1, channels):
            seen = samples_between(y, start - 1, stop).to(self.dtype)
            given = product_of_taps(self.conv_tr, seen[0])
            if self.last:
                given.add_(self.conv_tr_bias[:, None])
            else:
                add_bias_gelu(given[None].numpy(), self.conv_tr_bias.numpy())
            phases = given.view(self.stride, -1, given.shape[-1])
            interleave(phases.numpy(), out.numpy(), start * self.stride - self.pad)
        return out[None], None


def encodes_time(layer: nn.Module) -> bool:
    """Tell whether `TimeEncoder` computes what a layer does."""
    return (
        isinstance(layer, HEncLayer)
        and not layer.freq
        and not layer.empty
        and not layer.norm
        and layer.rewrite is not None
        and layer.rewrite.kernel_size == (1,)
        and layer.conv.kernel_size[0] == 2 * layer.conv.stride[0]
    )


def decodes_time(layer: nn.Module) -> bool:
    """Tell whether `TimeDecoder` computes what a layer does."""
    return (
        isinstance(layer, HDecLayer)
        and not layer.freq
        and not layer.empty
        and not layer.norm
        and layer.rewrite is not None
        and layer.kernel_size == 2 * layer.stride
    )


def product_of_taps(weights: Tensor, x: Tensor) -> Tensor:
    """Convolve ``[channels, time]`` with ``[taps, out, channels]``, into float32."""
    time = x.shape[-1] - len(weights) + 1
    total = torch.mm(weights[0], x[:, :time])
    for tap in range(1, len(weights)):
        total.addmm_(weights[tap], x[:, tap : tap + time])
    return total.float()


def samples_between(x: Tensor, start: int, stop: int) -> Tensor:
    """Give ``x[..., start:stop]``, with zeros before the first sample and after the last."""
    inside = x[..., max(start, 0) : min(stop, x.shape[-1])]
    front, back = max(0, -start), max(0, stop - x.shape[-1])
    return functional.pad(inside, (front, back)) if front or back else inside
