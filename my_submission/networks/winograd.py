"""3x3 convolutions with a third of the multiplications, by Winograd's minimal filtering.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015). A tile of 2 bins by 4
frames of output depends on 4 by 6 values of input. Both are seen as polynomials, whose product is
known from its values at as many points as it has coefficients: so the tile, transformed
(`forward`), is multiplied with the transformed weights point by point, 24 products instead of 72,
and transformed back (`inverse`). Over all tiles and channels, each point's products are one product
of matrices.

Values are float32. The points decide how much precision is lost: with these, about as much as in
the direct sum (two bins) or 1.4 times that (four frames); four by four would lose four times that.

Spectrograms are ``[bins + 2, frames + 2, channels]`` here, with a border of zeros, so that no tile
is a special case and a vector holds neighbouring channels, for which all arithmetic is the same.
"""

from typing import Any

import numpy as np

from my_submission.networks.jit import compiled, inlined
from my_submission.networks.small_products import packed, product
from my_submission.networks.vectors import LANES, load, rectified, store
from my_submission.stems import Audio

BINS, FRAMES = 2, 4
"""Output of a tile."""
NUM_POINTS = (BINS + 2) * (FRAMES + 2)

BIN_POINTS = (0.0, 1.0, -1.0)
FRAME_POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
"""The last point of either is infinity, where a polynomial's value is its highest coefficient."""

A, B = np.float32(FRAME_POINTS[1]), np.float32(FRAME_POINTS[3])
A2, A3 = np.float32(A**2), np.float32(A**3)
B2, B3 = np.float32(B**2), np.float32(B**3)
SUM2, PRODUCT2 = np.float32(A**2 + B**2), np.float32(A**2 * B**2)


def transformed_weights(weight: Audio) -> Audio:
    """Transform a convolution's weights, once.

    Args:
        weight: ``[out, in, 3 frames, 3 bins]``.

    Returns:
        ``[24, blocks, in, columns]``: for each point the matrix from a tile's input there to its
        output there, as `small_products` reads it.
    """
    in_frames, in_bins = evaluation(FRAME_POINTS), evaluation(BIN_POINTS)
    points = np.einsum("oitb,pb,qt->pqio", weight.astype(np.float64), in_bins, in_frames)
    return packed(points.reshape(NUM_POINTS, *points.shape[2:]).astype(np.float32))


def evaluation(points: tuple[float, ...]) -> Audio:
    """Give the matrix that evaluates a filter of 3 at points and infinity.

    Returns:
        ``[points + 1, 3]``, each row divided by the product of its point's distances to the others,
        which belongs to the interpolation afterwards.
    """
    rows = [
        [
            point**power / np.prod([point - other for other in points if other != point])
            for power in range(3)
        ]
        for point in points
    ]
    return np.array([*rows, [0, 0, 1]], np.float64)


@inlined
def six_points(d0: Any, d1: Any, d2: Any, d3: Any, d4: Any, d5: Any) -> Any:
    """Transform six frames of input."""
    even_a, odd_a = d4 - B2 * d2, A * (d3 - B2 * d1)
    even_b, odd_b = d4 - A2 * d2, B * (d3 - A2 * d1)
    return (
        d4 - SUM2 * d2 + PRODUCT2 * d0,
        even_a + odd_a,
        even_a - odd_a,
        even_b + odd_b,
        even_b - odd_b,
        d5 - SUM2 * d3 + PRODUCT2 * d1,
    )


@inlined
def four_frames(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any) -> Any:
    """Transform six points back into four frames of output."""
    sum_a, difference_a = m1 + m2, m1 - m2
    sum_b, difference_b = m3 + m4, m3 - m4
    return (
        m0 + sum_a + sum_b,
        A * difference_a + B * difference_b,
        A2 * sum_a + B2 * sum_b,
        A3 * difference_a + B3 * difference_b + m5,
    )


@inlined
def six_frames(values: Any, start: Any, frame: Any, count: Any) -> Any:
    """Read six frames of a bin and transform them."""
    return six_points(
        load(values, start, count),
        load(values, start + frame, count),
        load(values, start + 2 * frame, count),
        load(values, start + 3 * frame, count),
        load(values, start + 4 * frame, count),
        load(values, start + 5 * frame, count),
    )


@inlined
def two_bins(values: Any, start: Any, line: Any, count: Any) -> Any:
    """Read the four points of a tile's frame and transform them back into two bins."""
    p0, p1 = load(values, start, count), load(values, start + line, count)
    p2, p3 = load(values, start + 2 * line, count), load(values, start + 3 * line, count)
    return p0 + p1 + p2, p1 - p2 + p3


@inlined
def write_frames(out: Any, start: Any, frame: Any, count: Any, bias: Any, sums: Any) -> Any:
    """Add the bias to four frames of output, apply ReLU and write them."""
    y0, y1, y2, y3 = sums
    store(out, start, count, rectified(y0 + bias))
    store(out, start + frame, count, rectified(y1 + bias))
    store(out, start + 2 * frame, count, rectified(y2 + bias))
    store(out, start + 3 * frame, count, rectified(y3 + bias))


@inlined
def write_bins(
    out: Any, start: Any, line: Any, count: Any, d0: Any, d1: Any, d2: Any, d3: Any
) -> Any:
    """Transform four bins of input and write their points."""
    store(out, start, count, d2 - d0)
    store(out, start + line, count, d1 + d2)
    store(out, start + 2 * line, count, d2 - d1)
    store(out, start + 3 * line, count, d3 - d1)


@inlined
def forward(
    values: Any, start: Any, frame: Any, bin_: Any, channels: Any, out: Any, to: Any, point: Any
) -> None:
    """Transform the input of a tile, which begins at `start`, to its points, the first at `to`."""
    line = 6 * point
    for c in range(0, channels, LANES):
        n, at, place = channels - c, start + c, to + c
        p0, p1, p2, p3, p4, p5 = six_frames(values, at, frame, n)
        q0, q1, q2, q3, q4, q5 = six_frames(values, at + bin_, frame, n)
        r0, r1, r2, r3, r4, r5 = six_frames(values, at + 2 * bin_, frame, n)
        s0, s1, s2, s3, s4, s5 = six_frames(values, at + 3 * bin_, frame, n)
        write_bins(out, place, line, n, p0, q0, r0, s0)
        write_bins(out, place + point, line, n, p1, q1, r1, s1)
        write_bins(out, place + 2 * point, line, n, p2, q2, r2, s2)
        write_bins(out, place + 3 * point, line, n, p3, q3, r3, s3)
        write_bins(out, place + 4 * point, line, n, p4, q4, r4, s4)
        write_bins(out, place + 5 * point, line, n, p5, q5, r5, s5)


@inlined
def inverse(
    values: Any,
    start: Any,
    point: Any,
    bias: Any,
    channels: Any,
    out: Any,
    to: Any,
    frame: Any,
    bin_: Any,
) -> None:
    """Transform the points of a tile, the first at `start`, back to its output at `to`."""
    line = 6 * point
    for c in range(0, channels, LANES):
        n, at, place = channels - c, start + c, to + c
        offset = load(bias, c, n)
        m0, s0 = two_bins(values, at, line, n)
        m1, s1 = two_bins(values, at + point, line, n)
        m2, s2 = two_bins(values, at + 2 * point, line, n)
        m3, s3 = two_bins(values, at + 3 * point, line, n)
        m4, s4 = two_bins(values, at + 4 * point, line, n)
        m5, s5 = two_bins(values, at + 5 * point, line, n)
        write_frames(out, place, frame, n, offset, four_frames(m0, m1, m2, m3, m4, m5))
        write_frames(out, place + bin_, frame, n, offset, four_frames(s0, s1, s2, s3, s4, s5))


@compiled(
    "void(f4[:,:,::1], f4[:,:,:,::1], f4[::1], i8, i8, f4[:,:,::1], f4[:,:,::1], f4[:,:,::1])"
)
def convolve(
    x: Any, weights: Any, bias: Any, first: int, count: int, points: Any, products: Any, y: Any
) -> None:
    """Convolve some rows of tiles, add the bias and apply ReLU.

    Args:
        x: ``[bins + 2, frames + 2, in]``.
        weights: `transformed_weights`.
        bias: ``[out]``.
        first: The first row of tiles; each is two bins.
        count: How many of them.
        points: ``[24, tiles, in]`` to work in, where so many tiles are transformed at a time that
            they stay in a cache.
        products: Likewise, ``[24, tiles, out]``, where `out` is that of `weights`.
        y: ``[bins + 2, frames + 2, out]``, of which the tiles are written.
    """
    columns = (x.shape[1] - 2) // FRAMES
    tiles, in_channels, width = points.shape[1], x.shape[2], products.shape[2]
    sizes = (in_channels, weights.shape[1], weights.shape[3])
    values, out = x.reshape(x.size), y.reshape(y.size)
    matrices = weights.reshape(weights.size)
    at_points, at_products = points.reshape(points.size), products.reshape(products.size)
    in_bin, out_bin = x.shape[1] * in_channels, y.shape[1] * y.shape[2]
    for begin in range(0, count * columns, tiles):
        n = min(tiles, count * columns - begin)
        for index in range(n):
            row, column = divmod(begin + index, columns)
            start = BINS * (first + row) * in_bin + FRAMES * column * in_channels
            forward(
                values, start, in_channels, in_bin, in_channels,
                at_points, index * in_channels, tiles * in_channels,
            )  # fmt: skip
        for point in range(NUM_POINTS):
            product(
                at_points, point * tiles * in_channels,
                matrices, point * in_channels * width,
                at_products, point * tiles * width, n, sizes,
            )  # fmt: skip
        for index in range(n):
            row, column = divmod(begin + index, columns)
            to = (BINS * (first + row) + 1) * out_bin + (FRAMES * column + 1) * y.shape[2]
            inverse(
                at_products, index * width, tiles * width, bias, y.shape[2],
                out, to, y.shape[2], out_bin,
            )  # fmt: skip
