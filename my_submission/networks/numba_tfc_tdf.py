"""The numba backend: a TFC-TDF network in less arithmetic and less memory than its graph asks for.

Three things make it faster on a CPU than running the graph: 3x3 convolutions take a third of the
multiplications in float32 (`winograd`), or are done in bfloat16 on processors with AMX
(`amx_layers`); spectrograms lie with their channels together, so that all other layers are products
of matrices without rearranging anything; and every layer runs in pieces that stay in a core's
cache, with products, bias, norm, ReLU and skip applied while they are there. A thread does a whole
strip of a layer without coming back to Python.
"""

import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from my_submission.devices import has_amx
from my_submission.networks import numba_float32
from my_submission.networks import tfc_tdf_layers as layers
from my_submission.networks.cores import aligned, in_strips
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.networks.tfc_tdf_file import (
    Block,
    Convolution,
    UnsupportedError,
    read_tfc_tdf,
)
from my_submission.stems import Audio

_PASS = threading.Lock()
"""One pass at a time has all cores, and the memory of one is all that there is."""


class NumbaNetwork:
    """A network ``[batch, 4, dim_f, num_frames]`` to the same shape, run on the CPU.

    Args:
        path: The ONNX file, as for `OnnxNetwork`.
        low_precision: Compute in bfloat16, by AMX.

    Attributes:
        dtype: What it computes in.

    Raises:
        UnsupportedError: The file holds a network that is not the published one, or whose sizes do
            not fit tiles; or low precision is wanted of a processor without AMX.
        DemixError: The file is missing, corrupt or another kind of network.
    """

    def __init__(self, path: Path, *, low_precision: bool = False) -> None:
        checked = OnnxNetwork(path)  # says what is wrong with a file
        self.path = path
        self.dim_f, self.num_frames = checked.dim_f, checked.num_frames
        self.metadata = checked.metadata
        self.dtype = torch.bfloat16 if low_precision else torch.float32
        kit = _kit(path, low_precision=low_precision)
        weights = read_tfc_tdf(path, self.dim_f)
        levels = len(weights.encoder)
        channels = [len(weights.first.bias), *(len(down.bias) for _, down in weights.encoder)]
        self._planes = [
            (self.dim_f >> level, self.num_frames >> level, channels[level], kit.DTYPE)
            for level in range(levels + 1)
        ]
        whole = not (self.dim_f % (1 << levels) or self.num_frames % (1 << levels))
        if not whole or not all(kit.fits(n, bins, frames) for bins, frames, n, _ in self._planes):
            raise UnsupportedError(
                f"{path}: {self.dim_f} bins and {self.num_frames} frames on {levels} levels do not "
                f"make whole tiles{' of bfloat16' if low_precision else ''}"
            )
        self._first = (_matrix(weights.first).T.copy(), weights.first.bias)
        self._encoder = [(_Block(block, kit), kit.Down(down)) for block, down in weights.encoder]
        self._middle = _Block(weights.middle, kit)
        self._decoder = [(kit.Up(up), _Block(block, kit)) for up, block in weights.decoder]
        self._last = (_matrix(weights.last), weights.last.bias)

    def __call__(self, spectrogram: Audio) -> Audio:
        """Map ``[batch, 4, dim_f, num_frames]`` float32 to the same shape."""
        estimate = np.empty(spectrogram.shape, np.float32)
        with _PASS:
            for chunk, out in zip(spectrogram, estimate, strict=True):
                self._run(np.ascontiguousarray(chunk, np.float32), out)
        return estimate

    def _run(self, chunk: Audio, out: Audio) -> None:
        planes = [_planes(*sizes) for sizes in self._planes]
        x, spare = planes[0]

        def enter(first: int, count: int) -> None:
            bins = slice(first, first + count)
            layers.enter(chunk[:, bins], *self._first, x[1 + first :])

        in_strips(self.dim_f, enter)
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

        def leave(first: int, count: int) -> None:
            layers.leave(x[1 + first :], *self._last, out[:, first : first + count])

        in_strips(self.dim_f, leave)


class _Block:
    """A TFC-TDF block."""

    def __init__(self, block: Block, kit: Any) -> None:
        self._convolutions = [kit.Convolution(layer) for layer in block.convolutions]
        self._tdf = kit.Tdf(block.squeeze, block.expand)

    def __call__(self, x: Audio, spare: Audio) -> tuple[Audio, Audio]:
        """Give the block's output, in either of two planes, and the other plane."""
        for convolution in self._convolutions:
            convolution(x, spare)
            x, spare = spare, x
        self._tdf.add(x)
        return x, spare


def _kit(path: Path, *, low_precision: bool) -> Any:
    """Give the module whose layers are used."""
    if not low_precision:
        return numba_float32
    if not has_amx():
        raise UnsupportedError(f"{path}: numba has bfloat16 on processors with AMX alone")
    from my_submission.networks import numba_bfloat16

    return numba_bfloat16


@cache
def _planes(num_bins: int, num_frames: int, channels: int, dtype: Any) -> tuple[Any, Any]:
    """Give the two planes of a level, the same at every call: networks of a size share them.

    Nothing ever writes to their borders, which are zero.
    """
    shape = (num_bins + 2, num_frames + 2, channels)
    return aligned(np.zeros(shape, dtype)), aligned(np.zeros(shape, dtype))


def _matrix(layer: Convolution) -> Audio:
    return np.ascontiguousarray(layer.weight[:, :, 0, 0])
