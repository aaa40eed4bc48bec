"""The layers of a TFC-TDF network in float32, done in strips on all cores."""

import numpy as np

from my_submission.networks import tfc_tdf_file as file
from my_submission.networks import tfc_tdf_layers as layers
from my_submission.networks import winograd
from my_submission.networks.cores import in_strips, scratch
from my_submission.networks.small_products import packed
from my_submission.stems import Audio

DTYPE = np.float32
"""Of planes ``[bins + 2, frames + 2, channels]``, which have a border of zeros."""

TILES = 72
"""Of `winograd`, how many a thread has at a time: with their points they fit its cache."""


def fits(_channels: int, num_bins: int, num_frames: int) -> bool:
    """Tell whether planes may have these sizes."""
    return num_bins % winograd.BINS == 0 and num_frames % winograd.FRAMES == 0


class Convolution:
    """A 3x3 convolution."""

    def __init__(self, layer: file.Convolution) -> None:
        self._weights, self._bias = winograd.transformed_weights(layer.weight), layer.bias

    def __call__(self, x: Audio, y: Audio) -> None:
        """Write ReLU of a plane's convolution to another plane."""
        width = self._weights.shape[1] * self._weights.shape[3]

        def some_rows(first: int, count: int) -> None:
            points = scratch("points", winograd.NUM_POINTS, TILES, x.shape[2])
            products = scratch("products", winograd.NUM_POINTS, TILES, width)
            winograd.convolve(x, self._weights, self._bias, first, count, points, products, y)

        in_strips((x.shape[0] - 2) // winograd.BINS, some_rows)


class Tdf:
    """Two linear layers along the bins, each with norm and ReLU."""

    def __init__(self, squeeze: file.Linear, expand: file.Linear) -> None:
        self._hidden = len(squeeze.weight)
        self._arrays = [
            array
            for layer in (squeeze, expand)
            for array in (layer.weight, layers.across(layer.scale), layers.across(layer.shift))
        ]

    def add(self, x: Audio) -> None:
        """Add what they give of a plane to it."""
        bins, columns = x.shape[0] - 2, (x.shape[1] - 2) * x.shape[2]

        def some_columns(first: int, count: int) -> None:
            panels = scratch("panels", layers.PANELS, bins, layers.PANEL)
            hidden = scratch("hidden", layers.PANELS, self._hidden, layers.PANEL)
            sums = scratch("sums", layers.ROWS_AT_ONCE, layers.PANEL)
            layers.add_tdf(x, *self._arrays, first, count, panels, hidden, sums)

        in_strips(columns, some_columns, layers.PANELS * layers.PANEL)


class Down:
    """A 2x2 convolution in steps of two."""

    def __init__(self, layer: file.Convolution) -> None:
        # [bins, frames and channels in, channels out]
        by_bin = layer.weight.transpose(3, 2, 1, 0)
        self._weights = packed(by_bin.reshape(2, -1, len(layer.bias)))
        self._bias = layer.bias

    def __call__(self, x: Audio, y: Audio) -> None:
        """Write ReLU of a plane's convolution to a plane of half as many bins and frames."""
        frames, width = y.shape[1] - 2, self._weights.shape[1] * self._weights.shape[3]

        def some_bins(first: int, count: int) -> None:
            sums = scratch("sums", 2, frames, width)
            layers.downsample(x, self._weights, self._bias, first, count, sums, y)

        in_strips(y.shape[0] - 2, some_bins)


class Up:
    """A transposed 2x2 convolution in steps of two, times the skip."""

    def __init__(self, layer: file.Convolution) -> None:
        # [bins, channels in, frames and channels out]
        by_bin = layer.weight.transpose(3, 0, 2, 1)
        self._weights = packed(by_bin.reshape(2, layer.weight.shape[0], -1))
        self._bias = layer.bias

    def __call__(self, x: Audio, skip: Audio, y: Audio) -> None:
        """Write the skip times ReLU of the convolution to a plane of the skip's size."""
        frames, width = x.shape[1] - 2, self._weights.shape[1] * self._weights.shape[3]

        def some_bins(first: int, count: int) -> None:
            sums = scratch("sums", frames, width)
            layers.upsample(x, self._weights, self._bias, skip, first, count, sums, y)

        in_strips(x.shape[0] - 2, some_bins)
