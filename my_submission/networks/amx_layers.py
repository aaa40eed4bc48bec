"""Layers of a TFC-TDF network by AMX, on planes of bfloat16 with their channels together.

Planes are ``[bins + 2, frames + 2, channels]``, the bits of bfloat16 as uint16, with a border of
zeros. Sums are float32 until bias, norm, ReLU and skip are applied. Numbers of channels and of
bins are multiples of `STEP`, those of frames of `TILE`.

This is imported only where AMX is there: the code is compiled then.
"""

from typing import Any

import numpy as np
import torch

from my_submission.networks.amx import (
    DEPTH,
    TILE,
    add_products,
    begin_tiles,
    clear_sums,
    end_tiles,
    read_sums,
)
from my_submission.networks.cores import aligned
from my_submission.networks.jit import compiled
from my_submission.networks.vectors import LANES, load, rectified, store, store_pairs
from my_submission.stems import Audio

STEP = 2 * TILE
"""Rows and columns of the sums that are made at a time."""

PANELS = 4
"""Times `STEP` columns that the TDF takes at once: then it reads its weights a quarter as often."""

_PAIRS = TILE * DEPTH
"""Values in a tile of weights."""


def rounded(values: Audio) -> Any:
    """Give the bits of bfloat16, uint16 of the same shape."""
    tensor = torch.from_numpy(np.ascontiguousarray(values, np.float32))
    return aligned(tensor.bfloat16().view(torch.int16).numpy().view(np.uint16))


def packed(weights: Audio) -> Any:
    """Lay matrices out as tiles.

    Args:
        weights: ``[n, in, out]``; `in` is a multiple of `DEPTH`, `out` of `STEP`.

    Returns:
        ``[out / STEP, n, in / DEPTH, 2, TILE pairs, DEPTH]``, uint16: a row of a tile has two
        values of the depth, side by side, for each of `TILE` columns.
    """
    n, depth, width = weights.shape
    tiles = weights.reshape(n, depth // DEPTH, TILE, 2, width // STEP, 2, TILE)
    in_order = rounded(tiles.transpose(4, 0, 1, 5, 2, 6, 3))
    return in_order.reshape(width // STEP, n, depth // DEPTH, 2, TILE, DEPTH)


@compiled("void(u2[:,:,::1], u2[:,:,:,:,:,::1], f4[::1], i8, i8, f4[:,::1], u2[:,:,::1])")
def convolve(x: Any, weights: Any, bias: Any, first: int, count: int, sums: Any, y: Any) -> None:
    """Convolve some bins by 3x3, add the bias and apply ReLU.

    Args:
        x: The plane.
        weights: `packed` from ``[3 bins * 3 frames, in, out]``.
        bias: ``[out]``.
        first: The first bin.
        count: How many of them.
        sums: ``[STEP, STEP]`` to work in.
        y: The plane for the output.
    """
    frames, channels, out_channels = x.shape[1] - 2, x.shape[2], y.shape[2]
    values, tiles, out = x.reshape(x.size), weights.reshape(weights.size), y.reshape(y.size)
    at_sums = sums.reshape(sums.size)
    steps = weights.shape[2]
    begin_tiles()
    for f in range(first, first + count):
        for c in range(0, out_channels, STEP):
            for t in range(0, frames, STEP):
                rows = min(STEP, frames - t)
                lower = (rows - TILE) * channels  # where there are no more frames, the same again
                clear_sums()
                for tap in range(9):
                    i, j = divmod(tap, 3)
                    start = ((f + i) * x.shape[1] + t + j) * channels
                    for k in range(steps):
                        at = ((c // STEP * 9 + tap) * steps + k) * 2 * _PAIRS
                        left = start + k * DEPTH
                        add_products(values, left, left + lower, channels, tiles, at, at + _PAIRS)
                read_sums(at_sums, 0, STEP)
                to = ((f + 1) * y.shape[1] + t + 1) * out_channels + c
                for half in (0, LANES):
                    shift = load(bias, c + half, LANES)
                    for row in range(rows):
                        total = load(at_sums, row * STEP + half, LANES) + shift
                        store(out, to + row * out_channels + half, LANES, rectified(total))
    end_tiles()


@compiled(
    "void(u2[:,:,::1], u2[:,::1], f4[::1], f4[::1], u2[:,::1], f4[::1], f4[::1], i8, i8,"
    " u2[:,::1], u2[:,::1], f4[:,::1])"
)
def add_tdf(
    x: Any,
    squeeze: Any,
    squeeze_scale: Any,
    squeeze_shift: Any,
    expand: Any,
    expand_scale: Any,
    expand_shift: Any,
    first: int,
    count: int,
    panels: Any,
    hidden: Any,
    sums: Any,
) -> None:
    """Add two linear layers along the bins, each with norm and ReLU, to some columns of a plane.

    Args:
        x: The plane. A column is a channel of a frame.
        squeeze: ``[hidden, bins]``, bfloat16; `hidden` is a multiple of `STEP`.
        squeeze_scale: Of the norm, ``[channels]``.
        squeeze_shift: Likewise.
        expand: ``[bins, hidden]``, bfloat16.
        expand_scale: ``[channels]``.
        expand_shift: Likewise.
        first: The first column, a multiple of `STEP`.
        count: How many of them, a multiple of `STEP`.
        panels: ``[PANELS * STEP, bins]`` to work in.
        hidden: ``[PANELS * STEP, hidden]`` to work in.
        sums: ``[STEP, STEP]`` to work in.
    """
    num_bins, channels, num_hidden = x.shape[0] - 2, x.shape[2], squeeze.shape[0]
    bin_ = x.shape[1] * channels
    values, at_sums = x.reshape(x.size), sums.reshape(sums.size)
    at_panels, at_hidden = panels.reshape(panels.size), hidden.reshape(hidden.size)
    down, up = squeeze.reshape(squeeze.size), expand.reshape(expand.size)
    begin_tiles()
    for begin in range(first, first + count, PANELS * STEP):
        width = min(PANELS * STEP, first + count - begin)
        inside = bin_ + channels + begin  # behind the plane's border
        for f in range(0, num_bins, 2):
            for left in range(0, width, TILE):
                at = inside + f * bin_ + left
                to = left * num_bins + f * TILE
                upper, lower = load(values, at, LANES), load(values, at + bin_, LANES)
                store_pairs(at_panels, to, upper, lower)
        for top in range(0, num_hidden, STEP):
            for left in range(0, width, STEP):
                clear_sums()
                for k in range(num_bins // DEPTH):
                    at = top * num_bins + k * DEPTH
                    tile = left * num_bins + k * _PAIRS
                    add_products(
                        down, at, at + TILE * num_bins, num_bins,
                        at_panels, tile, tile + TILE * num_bins,
                    )  # fmt: skip
                read_sums(at_sums, 0, STEP)
                channel = (begin + left) % channels
                for half in (0, LANES):
                    scale = load(squeeze_scale, channel + half, LANES)
                    shift = load(squeeze_shift, channel + half, LANES)
                    for row in range(0, STEP, 2):
                        at = row * STEP + half
                        even = rectified(load(at_sums, at, LANES) * scale + shift)
                        odd = rectified(load(at_sums, at + STEP, LANES) * scale + shift)
                        to = (left + half) * num_hidden + (top + row) * TILE
                        store_pairs(at_hidden, to, even, odd)
        for top in range(0, num_bins, STEP):
            for left in range(0, width, STEP):
                clear_sums()
                for k in range(num_hidden // DEPTH):
                    at = top * num_hidden + k * DEPTH
                    tile = left * num_hidden + k * _PAIRS
                    add_products(
                        up, at, at + TILE * num_hidden, num_hidden,
                        at_hidden, tile, tile + TILE * num_hidden,
                    )  # fmt: skip
                read_sums(at_sums, 0, STEP)
                channel = (begin + left) % channels
                for half in (0, LANES):
                    scale = load(expand_scale, channel + half, LANES)
                    shift = load(expand_shift, channel + half, LANES)
                    for row in range(STEP):
                        at = inside + (top + row) * bin_ + left + half
                        normed = load(at_sums, row * STEP + half, LANES) * scale + shift
                        store(values, at, LANES, load(values, at, LANES) + rectified(normed))
    end_tiles()


@compiled("void(u2[:,:,::1], u2[:,:,:,:,:,::1], f4[::1], i8, i8, f4[:,::1], u2[:,:,::1])")
def downsample(x: Any, weights: Any, bias: Any, first: int, count: int, sums: Any, y: Any) -> None:
    """Convolve by 2x2 in steps of two, add the bias and apply ReLU.

    Args:
        x: The plane.
        weights: `packed` from ``[2 bins, 2 * in, out]``: two frames that lie side by side are one
            row.
        bias: ``[out]``.
        first: The first bin of `y` that is computed.
        count: How many of them.
        sums: ``[STEP, STEP]`` to work in.
        y: The plane for the output.
    """
    frames, depth, channels = y.shape[1] - 2, 2 * x.shape[2], y.shape[2]
    values, tiles, out = x.reshape(x.size), weights.reshape(weights.size), y.reshape(y.size)
    at_sums = sums.reshape(sums.size)
    steps = weights.shape[2]
    begin_tiles()
    for f in range(first, first + count):
        for t in range(0, frames, STEP):
            rows = min(STEP, frames - t)
            lower = (rows - TILE) * depth
            for c in range(0, channels, STEP):
                clear_sums()
                for i in range(2):
                    start = ((1 + 2 * f + i) * x.shape[1] + 1) * x.shape[2] + t * depth
                    for k in range(steps):
                        at = ((c // STEP * 2 + i) * steps + k) * 2 * _PAIRS
                        left = start + k * DEPTH
                        add_products(values, left, left + lower, depth, tiles, at, at + _PAIRS)
                read_sums(at_sums, 0, STEP)
                to = ((f + 1) * y.shape[1] + t + 1) * channels + c
                for half in (0, LANES):
                    shift = load(bias, c + half, LANES)
                    for row in range(rows):
                        total = load(at_sums, row * STEP + half, LANES) + shift
                        store(out, to + row * channels + half, LANES, rectified(total))
    end_tiles()


@compiled(
    "void(u2[:,:,::1], u2[:,:,:,:,:,::1], f4[::1], u2[:,:,::1], i8, i8, f4[:,::1], u2[:,:,::1])"
)
def upsample(
    x: Any, weights: Any, bias: Any, skip: Any, first: int, count: int, sums: Any, y: Any
) -> None:
    """Apply a transposed convolution by 2x2 in steps of two, bias and ReLU, times the skip.

    Args:
        x: The plane.
        weights: `packed` from ``[2 bins * 2 frames, in, out]``.
        bias: ``[out]``.
        skip: The plane that the output is multiplied by.
        first: The first bin of `x` that is computed from.
        count: How many of them.
        sums: ``[STEP, STEP]`` to work in.
        y: The plane for the output.
    """
    frames, depth, channels = x.shape[1] - 2, x.shape[2], y.shape[2]
    values, tiles, out = x.reshape(x.size), weights.reshape(weights.size), y.reshape(y.size)
    at_sums, skips = sums.reshape(sums.size), skip.reshape(skip.size)
    steps = weights.shape[2]
    begin_tiles()
    for f in range(first, first + count):
        for t in range(0, frames, STEP):
            rows = min(STEP, frames - t)
            lower = (rows - TILE) * depth
            start = ((1 + f) * x.shape[1] + 1 + t) * depth
            for tap in range(4):
                i, j = divmod(tap, 2)
                for c in range(0, channels, STEP):
                    clear_sums()
                    for k in range(steps):
                        at = ((c // STEP * 4 + tap) * steps + k) * 2 * _PAIRS
                        left = start + k * DEPTH
                        add_products(values, left, left + lower, depth, tiles, at, at + _PAIRS)
                    read_sums(at_sums, 0, STEP)
                    to = ((1 + 2 * f + i) * y.shape[1] + 1 + 2 * t + j) * channels + c
                    for half in (0, LANES):
                        shift = load(bias, c + half, LANES)
                        for row in range(rows):
                            at = to + 2 * row * channels + half
                            total = rectified(load(at_sums, row * STEP + half, LANES) + shift)
                            store(out, at, LANES, total * load(skips, at, LANES))
    end_tiles()
