"""Layers of hybrid Demucs that convolve over frequency, without copies and in cache-sized tiles.

Sound lies in memory as ``[frequency, channels, time]`` here. Then

- the rows that a convolution over frequency sees are one block of memory: it is a matrix product
  on overlapping windows, which are views;
- the taps of a convolution over time are products on shifted views of rows with room at both ends;
- a transposed convolution of kernel 2s and stride s is one over two rows that gives s rows at once;
- the residual branches, which know each frequency alone, see what they want: ``[batch, c, t]``.

So a layer takes a few rows at a time through all that it does while they stay in the caches. To
other layers its output is ``[1, channels, frequency, time]``, as a view.
"""

from collections.abc import Iterator
from typing import Any

import torch
from demucs.hdemucs import HDecLayer, HEncLayer
from torch import Tensor, nn

from my_submission.networks.demucs_pointwise import add_bias_gelu, gate
from my_submission.networks.demucs_residual import TILE, Residual


class FrequencyEncoder(nn.Module):
    """An `HEncLayer` on frequencies, of which `encodes_frequency` holds, for a batch of one."""

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
        # [out, kernel * in]
        self.register_buffer("conv", rows_to_columns(layer.conv.weight[..., 0]).to(dtype))
        self.register_buffer("conv_bias", layer.conv.bias.clone())
        self.register_buffer("rewrite", layer.rewrite.weight[..., 0, 0].to(dtype, copy=True))
        self.register_buffer("rewrite_bias", layer.rewrite.bias.clone())
        self.residual = Residual(layer.dconv, dtype) if layer.dconv else nn.Identity()

    def forward(
        self, x: Tensor, inject: Tensor | None = None, embedding: Tensor | None = None
    ) -> Tensor:
        """Map ``[1, channels, frequency, time]`` to fewer frequencies.

        What is injected, ``[1, channels, time]``, is added to each of them; an embedding,
        ``[frequency, channels]``, to what comes out.
        """
        rows = x[0].transpose(0, 1)
        frequencies, _, time = rows.shape
        num_rows = (frequencies + 2 * self.pad - self.kernel_size) // self.stride + 1
        channels = len(self.conv)
        out = x.new_empty(num_rows, channels, time)
        offset = x.new_empty(0, channels) if embedding is None else embedding
        for start, stop in tiles(num_rows, channels * time):
            first = start * self.stride - self.pad
            seen = (stop - 1 - start) * self.stride + self.kernel_size
            tile = rows_between(rows, first, first + seen).to(self.dtype)
            y = windowed_product(self.conv, tile, self.kernel_size, self.stride).float()
            if inject is not None:
                y.add_(inject)
            add_bias_gelu(y.numpy(), self.conv_bias.numpy())
            y = self.residual(y).to(self.dtype)
            z = torch.bmm(self.rewrite.expand(len(y), -1, -1), y).float()
            gate(z.numpy(), self.rewrite_bias.numpy(), offset.numpy(), out.numpy(), start, 0)
        return out.transpose(0, 1)[None]


class FrequencyDecoder(nn.Module):
    """An `HDecLayer` on frequencies, of which `decodes_frequency` holds, for a batch of one."""

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
        rewrite = layer.rewrite.weight  # [2 * channels, channels, frequency taps, time taps]
        self.row_taps: int = rewrite.shape[2]
        self.time_taps: int = rewrite.shape[3]
        self.register_buffer(
            "rewrite",
            torch.stack([rows_to_columns(w) for w in rewrite.unbind(-1)]).to(dtype),
        )
        self.register_buffer("rewrite_bias", layer.rewrite.bias.clone())
        self.residual = Residual(layer.dconv, dtype) if layer.dconv else nn.Identity()
        # [stride * out, 2 * channels]: a row's first half goes where its predecessor's second does
        upper, lower = (
            half.permute(2, 1, 0).flatten(0, 1)
            for half in layer.conv_tr.weight[..., 0].split(self.stride, dim=2)
        )
        self.register_buffer("conv_tr", torch.cat([lower, upper], dim=1).to(dtype))
        self.register_buffer("conv_tr_bias", layer.conv_tr.bias.repeat(self.stride))

    def forward(self, x: Tensor, skip: Tensor, _length: int) -> tuple[Tensor, None]:
        """Map ``[1, channels, frequency, time]`` and its skip to more frequencies."""
        # Where the branches part, the package sees their common channels as one frequency.
        rows = x.view(1, skip.shape[1], -1, x.shape[-1])[0].transpose(0, 1)
        skips = skip[0].transpose(0, 1)
        num_rows, channels, time = rows.shape
        upsampled = rows.new_empty(num_rows + 1, len(self.conv_tr), time)
        before = rows.new_zeros(1, channels, time, dtype=self.dtype)
        for start, stop in tiles(num_rows, channels * time):
            y = self.residual(self._rewritten(rows, skips, start, stop)).to(self.dtype)
            after = before.new_zeros(int(stop == num_rows), channels, time)
            y = torch.cat([before, y, after])
            out = upsampled[start : start + len(y) - 1]
            if self.dtype == out.dtype:
                windowed_product(self.conv_tr, y, 2, 1, out=out)
            else:
                out.copy_(windowed_product(self.conv_tr, y, 2, 1))
            if self.last:
                out.add_(self.conv_tr_bias[:, None])
            else:
                add_bias_gelu(out.numpy(), self.conv_tr_bias.numpy())
            before = y[stop - start : stop - start + 1]
        split = upsampled.view(-1, len(self.conv_tr) // self.stride, time)
        z = split[self.pad : len(split) - self.pad]
        return z.transpose(0, 1)[None], None

    def _rewritten(self, rows: Tensor, skips: Tensor, start: int, stop: int) -> Tensor:
        """Sum, convolve and gate the rows from `start` to `stop`."""
        halo, room = self.row_taps // 2, self.time_taps // 2
        inside = slice(max(start - halo, 0), min(stop + halo, len(rows)))
        time = rows.shape[-1]
        total = rows.new_empty(
            stop - start + 2 * halo, rows.shape[1], time + 2 * room, dtype=self.dtype
        )
        first = inside.start - (start - halo)
        for beyond in (
            total[:first],
            total[first + inside.stop - inside.start :],
            total[..., :room],
            total[..., room + time :],
        ):
            beyond.zero_()
        torch.add(
            rows[inside],
            skips[inside],
            out=total[first : first + inside.stop - inside.start, :, room : room + time],
        )
        z = windowed_product(self.rewrite[0], total, self.row_taps, 1, time)
        for tap in range(1, self.time_taps):
            weight = self.rewrite[tap]
            z = torch.baddbmm(
                z,
                weight.expand(len(z), -1, -1),
                windows(total, self.row_taps, 1, time, tap),
                out=z,
            )
        z = z.float()
        out = z.new_empty(len(z), z.shape[1] // 2, time)
        gate(z.numpy(), self.rewrite_bias.numpy(), out.new_empty(0, 0).numpy(), out.numpy(), 0, 0)
        return out


def encodes_frequency(layer: nn.Module) -> bool:
    """Tell whether `FrequencyEncoder` computes what a layer does."""
    return (
        isinstance(layer, HEncLayer)
        and layer.freq
        and not layer.norm
        and layer.rewrite is not None
        and layer.rewrite.kernel_size == (1, 1)
    )


def decodes_frequency(layer: nn.Module) -> bool:
    """Tell whether `FrequencyDecoder` computes what a layer does."""
    return (
        isinstance(layer, HDecLayer)
        and layer.freq
        and not layer.norm
        and layer.rewrite is not None
        and layer.kernel_size == 2 * layer.stride
        and layer.pad > 0
    )


def rows_to_columns(weight: Tensor) -> Tensor:
    """Turn ``[out, in, taps]`` into ``[out, taps * in]``, as windows of rows lie in memory."""
    return weight.transpose(1, 2).flatten(1)


def windows(rows: Tensor, taps: int, stride: int, time: int, shift: int = 0) -> Tensor:
    """View each `taps` rows ``[channels, time]`` as one matrix, `stride` rows apart."""
    count = (len(rows) - taps) // stride + 1
    channels, length = rows.shape[1:]
    return rows.as_strided(
        (count, taps * channels, time),
        (stride * channels * length, length, 1),
        rows.storage_offset() + shift,
    )


def windowed_product(
    weight: Tensor,
    rows: Tensor,
    taps: int,
    stride: int,
    time: int | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Multiply all windows of contiguous `rows` by ``[out, taps * channels]``."""
    seen = windows(rows, taps, stride, time or rows.shape[-1])
    return torch.bmm(weight.expand(len(seen), -1, -1), seen, out=out)


def rows_between(rows: Tensor, start: int, stop: int) -> Tensor:
    """Give contiguous rows, with zeros before the first and after the last."""
    inside = rows[max(start, 0) : min(stop, len(rows))].contiguous()
    if len(inside) == stop - start:
        return inside
    front, back = max(0, -start), max(0, stop - len(rows))
    shape = inside.shape[1:]
    return torch.cat([inside.new_zeros(front, *shape), inside, inside.new_zeros(back, *shape)])


def tiles(num_rows: int, row_size: int) -> Iterator[tuple[int, int]]:
    """Cut rows into runs of about `TILE` numbers."""
    step = max(1, TILE // row_size)
    for start in range(0, num_rows, step):
        yield start, min(start + step, num_rows)
