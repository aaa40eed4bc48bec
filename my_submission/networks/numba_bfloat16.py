"""The layers of a TFC-TDF network in bfloat16 by AMX, done in strips on all cores.

As `numba_float32`; imported only where AMX is there.
"""

from typing import Any

import numpy as np

from my_submission.networks import amx_layers as layers
from my_submission.networks import tfc_tdf_file as file
from my_submission.networks.amx import TILE
from my_submission.networks.cores import in_strips, scratch
from my_submission.stems import Audio

DTYPE = np.uint16
"""Of planes ``[bins + 2, frames + 2, channels]``: the bits of bfloat16."""


def fits(channels: int, num_bins: int, num_frames: int) -> bool:
    """Tell whether planes may have these sizes."""
    return not (channels % layers.STEP or num_bins % layers.STEP or num_frames % TILE)


class Convolution:
    """A 3x3 convolution."""

    def __init__(self, layer: file.Convolution) -> None:
        taps = layer.weight.transpose(3, 2, 1, 0)  # [bins, frames, in, out]
        self._weights = layers.packed(taps.reshape(9, *taps.shape[2:]))
        self._bias = layer.bias

    def __call__(self, x: Any, y: Any) -> None:
        """Write ReLU of a plane's convolution to another plane."""

        def some_bins(first: int, count: int) -> None:
            layers.convolve(x, self._weights, self._bias, first, count, _sums(), y)

        in_strips(x.shape[0] - 2, some_bins)


class Tdf:
    """Two linear layers along the bins, each with norm and ReLU."""

    def __init__(self, squeeze: file.Linear, expand: file.Linear) -> None:
        # Hidden units that nothing listens to make whole tiles.
        missing = -len(squeeze.weight) % layers.STEP
        self._hidden = len(squeeze.weight) + missing
        self._arrays = [
            layers.rounded(np.pad(squeeze.weight, ((0, missing), (0, 0)))),
            squeeze.scale,
            squeeze.shift,
            layers.rounded(np.pad(expand.weight, ((0, 0), (0, missing)))),
            expand.scale,
            expand.shift,
        ]

    def add(self, x: Any) -> None:
        """Add what they give of a plane to it."""
        bins, columns = x.shape[0] - 2, (x.shape[1] - 2) * x.shape[2]
        at_once = layers.PANELS * layers.STEP

        def some_columns(first: int, count: int) -> None:
            panels = scratch("panels", at_once, bins, dtype=np.uint16)
            hidden = scratch("hidden", at_once, self._hidden, dtype=np.uint16)
            layers.add_tdf(x, *self._arrays, first, count, panels, hidden, _sums())

        in_strips(columns, some_columns, at_once)


class Down:
    """A 2x2 convolution in steps of two."""

    def __init__(self, layer: file.Convolution) -> None:
        # [bins, frames and channels in, channels out]
        by_bin = layer.weight.transpose(3, 2, 1, 0)
        self._weights = layers.packed(by_bin.reshape(2, -1, len(layer.bias)))
        self._bias = layer.bias

    def __call__(self, x: Any, y: Any) -> None:
        """Write ReLU of a plane's convolution to a plane of half as many bins and frames."""

        def some_bins(first: int, count: int) -> None:
            layers.downsample(x, self._weights, self._bias, first, count, _sums(), y)

        in_strips(y.shape[0] - 2, some_bins)


class Up:
    """A transposed 2x2 convolution in steps of two, times the skip."""

    def __init__(self, layer: file.Convolution) -> None:
        taps = layer.weight.transpose(3, 2, 0, 1)  # [bins, frames, in, out]
        self._weights = layers.packed(taps.reshape(4, *taps.shape[2:]))
        self._bias = layer.bias

    def __call__(self, x: Any, skip: Any, y: Any) -> None:
        """Write the skip times ReLU of the convolution to a plane of the skip's size."""

        def some_bins(first: int, count: int) -> None:
            layers.upsample(x, self._weights, self._bias, skip, first, count, _sums(), y)

        in_strips(x.shape[0] - 2, some_bins)


def _sums() -> Audio:
    sums: Audio = scratch("sums", layers.STEP, layers.STEP)
    return sums
