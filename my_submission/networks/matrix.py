"""Products by a matrix that stays the same, and the windows of sound that are multiplied by it."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

TILE = 4096
"""Rows to work on at a time on a CPU, at most: fewer short ones would take their time for starting
operations."""
TILE_VALUES = 1 << 22
"""Values in them, but a quarter of `TILE` rows at least: more would leave its caches."""


class Matrix:
    """A matrix, and maybe a bias, that rows are multiplied by again and again.

    On a CPU it lies in memory as oneDNN reads it. That saves most where the rows are few, such as
    the states of an LSTM: their product takes as long as reading the matrix does.

    Args:
        weight: ``[out, in]``, in the dtype of the products. It is copied where that saves time.
        bias: ``[out]``. It is added before a product is rounded to its dtype.
        rectifies: Whether ReLU follows.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None = None, *, rectifies: bool = False
    ) -> None:
        self.dtype = weight.dtype
        self.num_out = len(weight)
        self._bias = None if bias is None else bias.to(self.dtype)
        self._rectifies = rectifies
        self._is_packed = weight.device.type == "cpu" and torch._C._has_mkldnn
        self._weight = (
            torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
            if self._is_packed
            else weight.contiguous()
        )

    @property
    def num_bytes(self) -> int:
        """Memory that the matrix's values take."""
        return self._weight.numel() * self.dtype.itemsize

    def __call__(self, rows: Tensor) -> Tensor:
        """Multiply ``[n, in]`` of any dtype by the matrix: ``[n, out]`` in its own."""
        rows = rows.to(self.dtype)
        if not self._is_packed:
            product = functional.linear(rows, self._weight, self._bias)
            return product.relu_() if self._rectifies else product
        after = "relu" if self._rectifies else "none"
        packed: Tensor = torch.ops.mkldnn._linear_pointwise(
            rows, self._weight, self._bias, after, [], ""
        )
        return packed


def taken(parameter: Tensor) -> Tensor:
    """Take a parameter's values away from it: laid out anew, they are in memory once."""
    values = parameter.data
    parameter.data = values.new_empty(0)
    return values


def windows(x: Tensor, size: int, stride: int) -> Tensor:
    """View all windows of contiguous ``[time, channels]`` as ``[frames, size * channels]``."""
    channels = x.shape[1]
    frames = (len(x) - size) // stride + 1
    return x.as_strided((frames, size * channels), (stride * channels, 1), x.storage_offset())


def tiles(rows: Tensor) -> Iterator[slice]:
    """Cut rows into runs that stay in a processor's caches; a GPU takes them all at once."""
    count, size = rows.shape
    step = max(TILE // 4, min(TILE, TILE_VALUES // size)) if rows.device.type == "cpu" else count
    for start in range(0, count, max(step, 1)):
        yield slice(start, min(start + step, count))
