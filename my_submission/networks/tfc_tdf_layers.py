"""Layers of a TFC-TDF network but for 3x3 convolutions, on planes with their channels together.

Planes are ``[bins + 2, frames + 2, channels]``; see `numba_tfc_tdf`. Every layer is done in pieces
that stay in a cache, with bias, norm, ReLU and skip applied while they are there.
"""

from typing import Any

import numpy as np

from my_submission.networks.jit import compiled
from my_submission.networks.small_products import product
from my_submission.networks.vectors import LANES, load, rectified, store, total

PANEL = 2 * LANES
"""Columns of a block of `product`."""

PANELS = 4
"""Of them, how many the TDF takes at once: then it reads its weights a quarter as often."""

ROWS_AT_ONCE = 48
"""Of the TDF's weights, which stay in a cache meanwhile."""


@compiled(
    "void(f4[:,:,:], f4[:,::1], f4[::1], f4[:,:,::1])",
    "void(f4[:,:,:], f4[:,::1], f4[::1], u2[:,:,::1])",
)
def enter(spectrogram: Any, weight: Any, bias: Any, y: Any) -> None:
    """Apply the first layer and ReLU: ``[4, bins, frames]`` to the inside of a plane.

    Args:
        spectrogram: Of some bins.
        weight: ``[4, channels]``.
        bias: ``[channels]``.
        y: The plane from their bins on, float32 or the bits of bfloat16.
    """
    channels, weights, out = y.shape[2], weight.reshape(weight.size), y.reshape(y.size)
    for f in range(spectrogram.shape[1]):
        for t in range(spectrogram.shape[2]):
            to = (f * y.shape[1] + t + 1) * channels
            a, b = spectrogram[0, f, t], spectrogram[1, f, t]
            d, e = spectrogram[2, f, t], spectrogram[3, f, t]
            for c in range(0, channels, LANES):
                n = channels - c
                sums = load(bias, c, n) + a * load(weights, c, n)
                sums = sums + b * load(weights, channels + c, n)
                sums = sums + d * load(weights, 2 * channels + c, n)
                sums = sums + e * load(weights, 3 * channels + c, n)
                store(out, to + c, n, rectified(sums))


@compiled(
    "void(f4[:,:,::1], f4[:,::1], f4[::1], f4[:,:,:])",
    "void(u2[:,:,::1], f4[:,::1], f4[::1], f4[:,:,:])",
)
def leave(x: Any, weight: Any, bias: Any, spectrogram: Any) -> None:
    """Apply the last layer: the inside of a plane to ``[4, bins, frames]``."""
    channels, weights, values = x.shape[2], weight.reshape(weight.size), x.reshape(x.size)
    for f in range(spectrogram.shape[1]):
        for t in range(spectrogram.shape[2]):
            start = (f * x.shape[1] + t + 1) * channels
            for k in range(4):
                sum_ = bias[k]
                for c in range(0, channels, LANES):
                    n = channels - c
                    products = load(values, start + c, n) * load(weights, k * channels + c, n)
                    sum_ += total(products)
                spectrogram[k, f, t] = sum_


def across(of_channel: Any) -> Any:
    """Repeat the channels' values, so that a panel's are read from its first channel on."""
    return np.tile(of_channel, 1 + -(-PANEL // len(of_channel)))


@compiled(
    "void(f4[:,:,::1], f4[:,::1], f4[::1], f4[::1], f4[:,::1], f4[::1], f4[::1], i8, i8,"
    " f4[:,:,::1], f4[:,:,::1], f4[:,::1])"
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
        squeeze: ``[hidden, bins]``.
        squeeze_scale: Of the norm, `across` the columns of a panel.
        squeeze_shift: Likewise.
        expand: ``[bins, hidden]``.
        expand_scale: As `squeeze_scale`.
        expand_shift: Likewise.
        first: The first column.
        count: How many of them.
        panels: ``[PANELS, bins, PANEL]`` to work in.
        hidden: ``[PANELS, hidden, PANEL]`` to work in.
        sums: ``[ROWS_AT_ONCE, PANEL]`` to work in.
    """
    num_bins, channels, num_hidden = x.shape[0] - 2, x.shape[2], squeeze.shape[0]
    bin_ = x.shape[1] * channels
    values, at_panels, at_hidden = (
        x.reshape(x.size),
        panels.reshape(panels.size),
        hidden.reshape(hidden.size),
    )
    down, up, at_sums = (
        squeeze.reshape(squeeze.size),
        expand.reshape(expand.size),
        sums.reshape(sums.size),
    )
    for begin in range(first, first + count, PANELS * PANEL):
        width = min(PANELS * PANEL, first + count - begin)
        inside = bin_ + channels + begin  # behind the plane's border
        for f in range(num_bins):
            for left in range(0, width, LANES):
                panel, column = divmod(left, PANEL)
                to = (panel * num_bins + f) * PANEL + column
                store(at_panels, to, LANES, load(values, inside + f * bin_ + left, width - left))
        for top in range(0, num_hidden, ROWS_AT_ONCE):
            rows = min(ROWS_AT_ONCE, num_hidden - top)
            for left in range(0, width, PANEL):
                panel = left // PANEL
                to = (panel * num_hidden + top) * PANEL
                product(
                    down, top * num_bins, at_panels, panel * num_bins * PANEL, at_hidden, to, rows,
                    (num_bins, 1, PANEL),
                )  # fmt: skip
                channel = (begin + left) % channels
                for half in (0, LANES):
                    scale = load(squeeze_scale, channel + half, LANES)
                    shift = load(squeeze_shift, channel + half, LANES)
                    for row in range(rows):
                        at = to + row * PANEL + half
                        normed = load(at_hidden, at, LANES) * scale + shift
                        store(at_hidden, at, LANES, rectified(normed))
        for top in range(0, num_bins, ROWS_AT_ONCE):
            rows = min(ROWS_AT_ONCE, num_bins - top)
            for left in range(0, width, PANEL):
                product(
                    up, top * num_hidden, at_hidden, left * num_hidden, at_sums, 0, rows,
                    (num_hidden, 1, PANEL),
                )  # fmt: skip
                channel = (begin + left) % channels
                for half in (0, LANES):
                    scale = load(expand_scale, channel + half, LANES)
                    shift = load(expand_shift, channel + half, LANES)
                    n = width - left - half
                    for row in range(rows):
                        at = inside + (top + row) * bin_ + left + half
                        normed = load(at_sums, row * PANEL + half, LANES) * scale + shift
                        store(values, at, n, load(values, at, n) + rectified(normed))


@compiled("void(f4[:,:,::1], f4[:,:,:,::1], f4[::1], i8, i8, f4[:,:,::1], f4[:,:,::1])")
def downsample(x: Any, weights: Any, bias: Any, first: int, count: int, sums: Any, y: Any) -> None:
    """Convolve by 2x2 in steps of two, add the bias and apply ReLU.

    Args:
        x: The plane.
        weights: ``[2 bins, ...]``, each `packed` from ``[2 * in, out]``: two frames that lie side
            by side are one row.
        bias: ``[out]``.
        first: The first bin of `y` that is computed.
        count: How many of them.
        sums: ``[2, frames / 2, out]`` to work in, where `out` is that of `weights`.
        y: The plane for the output.
    """
    frames, width, channels = y.shape[1] - 2, sums.shape[2], y.shape[2]
    depth = 2 * x.shape[2]
    values, matrices = x.reshape(x.size), weights.reshape(weights.size)
    at_sums, out = sums.reshape(sums.size), y.reshape(y.size)
    sizes = (depth, weights.shape[1], weights.shape[3])
    for f in range(first, first + count):
        for i in range(2):
            start = ((1 + 2 * f + i) * x.shape[1] + 1) * x.shape[2]
            product(
                values, start, matrices, i * depth * width, at_sums, i * frames * width, frames,
                sizes,
            )  # fmt: skip
        to = ((1 + f) * y.shape[1] + 1) * channels
        for t in range(frames):
            for c in range(0, channels, LANES):
                at, n = t * width + c, channels - c
                total = load(at_sums, at, n) + load(at_sums, at + frames * width, n)
                store(out, to + t * channels + c, n, rectified(total + load(bias, c, n)))


@compiled("void(f4[:,:,::1], f4[:,:,:,::1], f4[::1], f4[:,:,::1], i8, i8, f4[:,::1], f4[:,:,::1])")
def upsample(
    x: Any, weights: Any, bias: Any, skip: Any, first: int, count: int, sums: Any, y: Any
) -> None:
    """Apply a transposed convolution by 2x2 in steps of two, bias and ReLU, times the skip.

    Args:
        x: The plane.
        weights: ``[2 bins, ...]``, each `packed` from ``[in, 2 * out]``: two frames that lie side
            by side are one row.
        bias: ``[out]``.
        skip: The plane that the output is multiplied by.
        first: The first bin of `x` that is computed from.
        count: How many of them.
        sums: ``[frames, 2 * out]`` to work in, where `2 * out` is that of `weights`.
        y: The plane for the output.
    """
    frames, width, channels = x.shape[1] - 2, sums.shape[1], y.shape[2]
    depth = x.shape[2]
    values, matrices = x.reshape(x.size), weights.reshape(weights.size)
    at_sums, out, skips = sums.reshape(sums.size), y.reshape(y.size), skip.reshape(skip.size)
    sizes = (depth, weights.shape[1], weights.shape[3])
    for f in range(first, first + count):
        start = ((1 + f) * x.shape[1] + 1) * depth
        for i in range(2):
            product(values, start, matrices, i * depth * width, at_sums, 0, frames, sizes)
            to = ((1 + 2 * f + i) * y.shape[1] + 1) * channels
            for t in range(2 * frames):
                row, half = divmod(t, 2)
                for c in range(0, channels, LANES):
                    n, at = channels - c, to + t * channels + c
                    total = load(at_sums, row * width + half * channels + c, n) + load(bias, c, n)
                    store(out, at, n, rectified(total) * load(skips, at, n))
