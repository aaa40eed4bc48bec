"""The numba backend: a TFC-TDF network in less arithmetic and less memory than its graph asks for.

Three things make it faster on a CPU than running the graph: 3x3 convolutions take a third of the
multiplications (`winograd`); spectrograms lie with their channels together, so that all other
layers (`tfc_tdf_layers`) are products of matrices without rearranging anything; and every layer
runs in pieces that stay in a core's cache, with products, bias, norm, ReLU and skip applied while
they are there. A thread does a whole strip of a layer without coming back to Python.
"""

import threading
from functools import cache
from math import prod
from pathlib import Path

import numpy as np

from my_submission.networks import tfc_tdf_layers as layers
from my_submission.networks import winograd
from my_submission.networks.cores import on_all_cores
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.networks.small_products import packed
from my_submission.networks.tfc_tdf_file import (
    Block,
    Convolution,
    UnsupportedError,
    read_tfc_tdf,
)
from my_submission.stems import Audio

PIECES = 64
"""Into which a layer is cut where there are as many rows, so that many cores have work."""

TILES = 72
"""Tiles that a thread has at a time: with their points they fit its cache."""

_PASS = threading.Lock()
"""One pass at a time has all cores, and the memory of one is all that there is."""

_OWN = threading.local()
"""What each thread keeps."""


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
        with _PASS:
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
        on_all_cores(bins, lambda f: layers.enter(chunk[:, f : f + 8], *self._first, x[1 + f :]))
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
        on_all_cores(bins, lambda f: layers.leave(x[1 + f :], *self._last, out[:, f : f + 8]))


class _Block:
    """A TFC-TDF block, on planes ``[bins + 2, frames + 2, channels]``."""

    def __init__(self, block: Block) -> None:
        self._convolutions = [
            (winograd.transformed_weights(layer.weight), layer.bias) for layer in block.convolutions
        ]
        self._tdf = [
            array
            for layer in (block.squeeze, block.expand)
            for array in (layer.weight, layers.across(layer.scale), layers.across(layer.shift))
        ]

    def __call__(self, x: Audio, spare: Audio) -> tuple[Audio, Audio]:
        """Give the block's output, in either of the planes, and the other plane."""
        for weights, bias in self._convolutions:
            _convolve(x, weights, bias, spare)
            x, spare = spare, x
        self._add_tdf(x)
        return x, spare

    def _add_tdf(self, x: Audio) -> None:
        bins, columns = x.shape[0] - 2, (x.shape[1] - 2) * x.shape[2]
        hidden = len(self._tdf[0])
        at_once = layers.PANELS * layers.PANEL
        count = -(-columns // PIECES // at_once) * at_once

        def some_columns(first: int) -> None:
            layers.add_tdf(
                x,
                *self._tdf,
                first,
                min(count, columns - first),
                _scratch("panels", layers.PANELS, bins, layers.PANEL),
                _scratch("hidden", layers.PANELS, hidden, layers.PANEL),
                _scratch("sums", layers.ROWS_AT_ONCE, layers.PANEL),
            )

        on_all_cores(range(0, columns, count), some_columns)


class _Down:
    """A 2x2 convolution in steps of two."""

    def __init__(self, layer: Convolution) -> None:
        # [bins, frames and channels in, channels out]
        by_bin = layer.weight.transpose(3, 2, 1, 0)
        self._weights = packed(by_bin.reshape(2, -1, len(layer.bias)))
        self._bias = layer.bias

    def __call__(self, x: Audio, y: Audio) -> None:
        bins, frames = y.shape[0] - 2, y.shape[1] - 2
        count, width = -(-bins // PIECES), self._weights.shape[1] * self._weights.shape[3]

        def some_bins(first: int) -> None:
            sums = _scratch("sums", 2, frames, width)
            n = min(count, bins - first)
            layers.downsample(x, self._weights, self._bias, first, n, sums, y)

        on_all_cores(range(0, bins, count), some_bins)


class _Up:
    """A transposed 2x2 convolution in steps of two, times the skip."""

    def __init__(self, layer: Convolution) -> None:
        # [bins, channels in, frames and channels out]
        by_bin = layer.weight.transpose(3, 0, 2, 1)
        self._weights = packed(by_bin.reshape(2, layer.weight.shape[0], -1))
        self._bias = layer.bias

    def __call__(self, x: Audio, skip: Audio, y: Audio) -> None:
        bins, frames = x.shape[0] - 2, x.shape[1] - 2
        count, width = -(-bins // PIECES), self._weights.shape[1] * self._weights.shape[3]

        def some_bins(first: int) -> None:
            sums = _scratch("sums", frames, width)
            n = min(count, bins - first)
            layers.upsample(x, self._weights, self._bias, skip, first, n, sums, y)

        on_all_cores(range(0, bins, count), some_bins)


def _convolve(x: Audio, weights: Audio, bias: Audio, y: Audio) -> None:
    """Convolve a plane with 3x3 weights, add the bias and apply ReLU."""
    rows = (x.shape[0] - 2) // winograd.BINS
    count = -(-rows // PIECES)
    width = weights.shape[1] * weights.shape[3]

    def some_rows(first: int) -> None:
        points = _scratch("points", winograd.NUM_POINTS, TILES, x.shape[2])
        products = _scratch("products", winograd.NUM_POINTS, TILES, width)
        n = min(count, rows - first)
        winograd.convolve(x, weights, bias, first, n, points, products, y)

    on_all_cores(range(0, rows, count), some_rows)


def _scratch(name: str, *shape: int) -> Audio:
    """Give an array of this thread's own, in the same memory at every call: new memory costs time.

    What it holds is of no meaning.
    """
    size = prod(shape)
    kept: Audio | None = getattr(_OWN, name, None)
    if kept is None or len(kept) < size:
        kept = np.zeros(size, np.float32)
        setattr(_OWN, name, kept)
    return kept[:size].reshape(shape)


@cache
def _planes(num_bins: int, num_frames: int, channels: int) -> tuple[Audio, Audio]:
    """Give the two planes of a level, the same at every call: networks of a size share them.

    Nothing ever writes to their borders, which are zero.
    """
    shape = (num_bins + 2, num_frames + 2, channels)
    return np.zeros(shape, np.float32), np.zeros(shape, np.float32)


def _matrix(layer: Convolution) -> Audio:
    return np.ascontiguousarray(layer.weight[:, :, 0, 0])
