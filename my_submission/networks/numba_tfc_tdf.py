"""The numba backend: a TFC-TDF network in less arithmetic and less memory than its graph asks for.

Three things make it faster on a CPU than running the graph: 3x3 convolutions take a third of the
multiplications (`winograd`); spectrograms lie with their channels together, so that all other
layers are products of large matrices without rearranging anything; and every layer runs in pieces
that stay in a core's cache, with bias, norm, ReLU and skip applied while they are there.

What is left of the arithmetic are products of matrices, which torch does.
"""

import threading
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from my_submission.networks import winograd
from my_submission.networks.cores import on_all_cores
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.networks.pointwise import (
    add_normed,
    enter,
    leave,
    norm,
    rectify,
    rectify_and_multiply,
)
from my_submission.networks.tfc_tdf_file import (
    Block,
    Convolution,
    UnsupportedError,
    read_tfc_tdf,
)
from my_submission.stems import Audio

PIECE = 1 << 13
"""Values per point of `winograd` that a thread has at a time: 24 times two of them fit a cache."""

FEWEST_PIECES = 8
"""Into which a layer is cut where there are as many rows, so that many cores have work."""

_PASS = threading.Lock()
"""One pass at a time has all cores, and the memory of one is all that there is."""


class NumbaNetwork:
    """A network ``[batch, 4, dim_f, num_frames]`` to the same shape, run on the CPU in float32.

    Args:
        path: The ONNX file, as for `OnnxNetwork`.

    Raises:
        UnsupportedError: The file holds a network that is not the published one, or whose sizes do
            not fit tiles.
        DemixError: The file is missing, corrupt or another kind of network.
    """

    def __init__(self, path: Path) -> None:
        checked = OnnxNetwork(path)  # says what is wrong with a file
        self.path = path
        self.dim_f, self.num_frames = checked.dim_f, checked.num_frames
        self.metadata = checked.metadata
        weights = read_tfc_tdf(path, self.dim_f)
        levels = len(weights.encoder)
        if self.dim_f % (winograd.BINS << levels) or self.num_frames % (winograd.FRAMES << levels):
            raise UnsupportedError(
                f"{path}: {self.dim_f} bins and {self.num_frames} frames on {levels} levels do not "
                "make whole tiles"
            )
        self._levels = levels
        self._channels = [len(weights.first.bias), *(len(d.bias) for _, d in weights.encoder)]
        self._first = (_matrix(weights.first).T.copy(), weights.first.bias)
        self._encoder = [(_Block(block), _Down(down)) for block, down in weights.encoder]
        self._middle = _Block(weights.middle)
        self._decoder = [(_Up(up), _Block(block)) for up, block in weights.decoder]
        self._last = (_matrix(weights.last), weights.last.bias)

    def __call__(self, spectrogram: Audio) -> Audio:
        """Map ``[batch, 4, dim_f, num_frames]`` float32 to the same shape."""
        estimate = np.empty(spectrogram.shape, np.float32)
        with _PASS, torch.inference_mode():
            for chunk, out in zip(spectrogram, estimate, strict=True):
                self._run(np.ascontiguousarray(chunk, np.float32), out)
        return estimate

    def _run(self, chunk: Audio, out: Audio) -> None:
        planes = [
            _planes(self.dim_f >> level, self.num_frames >> level, channels)
            for level, channels in enumerate(self._channels)
        ]
        bins = range(0, self.dim_f, 8)
        x, spare = planes[0]
        on_all_cores(bins, lambda f: enter(chunk[:, f : f + 8], *self._first, x[1 + f :]))
        skips = []
        for level, (block, down) in enumerate(self._encoder):
            x, spare = block(x, spare)
            skips.append((x, spare))
            above, (x, spare) = x, planes[level + 1]
            down(above, x)
        x, spare = self._middle(x, spare)
        for up, block in self._decoder:
            below, (skip, x) = x, skips.pop()
            up(below, skip, x)
            x, spare = block(x, skip)
        on_all_cores(bins, lambda f: leave(x[1 + f :], *self._last, out[:, f : f + 8]))


class _Block:
    """A TFC-TDF block, on planes ``[bins + 2, frames + 2, channels]``."""

    def __init__(self, block: Block) -> None:
        self._convolutions = [
            (torch.from_numpy(winograd.transformed_weights(layer.weight)), layer.bias)
            for layer in block.convolutions
        ]
        self._squeeze, self._expand = block.squeeze, block.expand
        self._squeeze_weight = torch.from_numpy(block.squeeze.weight)
        self._expand_weight = torch.from_numpy(block.expand.weight)

    def __call__(self, x: Audio, spare: Audio) -> tuple[Audio, Audio]:
        """Give the block's output, in either of the planes, and the other plane."""
        for weights, bias in self._convolutions:
            _convolve(x, weights, bias, spare)
            x, spare = spare, x
        self._add_tdf(x)
        return x, spare

    def _add_tdf(self, x: Audio) -> None:
        num_bins, num_frames, channels = x.shape[0] - 2, x.shape[1] - 2, x.shape[2]
        hidden = len(self._squeeze_weight)
        # A bin is a row of this matrix, its borders included.
        table = torch.from_numpy(x[1:-1].reshape(num_bins, -1))
        frames, bins = max(1, 512 // channels), 256

        def some_frames(left: int) -> None:
            columns = slice(left * channels, min(left + frames, num_frames + 1) * channels)
            squeezed = self._squeeze_weight @ table[:, columns]
            values = squeezed.numpy().reshape(hidden, -1, channels)
            norm(values, self._squeeze.scale, self._squeeze.shift)
            for top in range(0, num_bins, bins):
                expanded = self._expand_weight[top : top + bins] @ squeezed
                values = expanded.numpy().reshape(len(expanded), -1, channels)
                add_normed(values, self._expand.scale, self._expand.shift, x, 1 + top, left)

        on_all_cores(range(1, num_frames + 1, frames), some_frames)


class _Down:
    """A 2x2 convolution in steps of two."""

    def __init__(self, layer: Convolution) -> None:
        # [bins, frames and channels in, channels out]
        by_bin = layer.weight.transpose(3, 2, 1, 0)
        self._weights = torch.from_numpy(by_bin.reshape(2, -1, len(layer.bias)).copy())
        self._bias = layer.bias

    def __call__(self, x: Audio, y: Audio) -> None:
        num_frames, in_channels = x.shape[1] - 2, x.shape[2]
        even, odd = self._weights

        def bin_pair(low: int) -> None:
            for f in range(low, min(low + 8, y.shape[0] - 1)):
                # Two frames that lie side by side are one row.
                upper, lower = (
                    torch.from_numpy(x[k, 1:-1].reshape(num_frames // 2, 2 * in_channels))
                    for k in (2 * f - 1, 2 * f)
                )
                out = torch.from_numpy(y[f, 1:-1])
                torch.mm(upper, even, out=out)
                out.addmm_(lower, odd)
                rectify(y[f, 1:-1], self._bias)

        on_all_cores(range(1, y.shape[0] - 1, 8), bin_pair)


class _Up:
    """A transposed 2x2 convolution in steps of two, times the skip."""

    def __init__(self, layer: Convolution) -> None:
        # [bins, channels in, frames and channels out]
        by_bin = layer.weight.transpose(3, 0, 2, 1)
        self._weights = torch.from_numpy(by_bin.reshape(2, layer.weight.shape[0], -1).copy())
        self._bias = layer.bias

    def __call__(self, x: Audio, skip: Audio, y: Audio) -> None:
        num_frames = x.shape[1] - 2

        def some_bins(low: int) -> None:
            for f in range(low, min(low + 4, x.shape[0] - 1)):
                values = torch.from_numpy(x[f, 1:-1])
                for i, weight in enumerate(self._weights):
                    row = y[2 * f - 1 + i, 1:-1]
                    torch.mm(values, weight, out=torch.from_numpy(row.reshape(num_frames, -1)))
                    rectify_and_multiply(row, self._bias, skip[2 * f - 1 + i, 1:-1])

        on_all_cores(range(1, x.shape[0] - 1, 4), some_bins)


def _convolve(x: Audio, weights: Tensor, bias: Audio, y: Audio) -> None:
    """Convolve a plane with 3x3 weights, add the bias and apply ReLU."""
    rows = (x.shape[0] - 2) // winograd.BINS
    columns, channels = (x.shape[1] - 2) // winograd.FRAMES, x.shape[2]
    # How it is cut decides the last digits, so it does not depend on the number of cores.
    count = max(1, min(PIECE // (columns * channels), -(-rows // FEWEST_PIECES)))

    def some_rows(first: int) -> None:
        n = min(count, rows - first)
        points = torch.empty(winograd.NUM_POINTS, n * columns, channels)
        winograd.forward(x, first, n, points.numpy())
        winograd.inverse(torch.bmm(points, weights).numpy(), bias, first, n, y)

    on_all_cores(range(0, rows, count), some_rows)


@cache
def _planes(num_bins: int, num_frames: int, channels: int) -> tuple[Audio, Audio]:
    """Give the two planes of a level, the same at every call: networks of a size share them.

    Nothing ever writes to their borders, which are zero.
    """
    shape = (num_bins + 2, num_frames + 2, channels)
    return np.zeros(shape, np.float32), np.zeros(shape, np.float32)


def _matrix(layer: Convolution) -> Audio:
    return np.ascontiguousarray(layer.weight[:, :, 0, 0])
