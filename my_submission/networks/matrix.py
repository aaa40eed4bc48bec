"""Products by a matrix that stays the same."""

import torch
from torch import Tensor
from torch.nn import functional


class Matrix:
    """A matrix that rows are multiplied by again and again.

    On a CPU it lies in memory as oneDNN reads it. That saves most where the rows are few, such as
    the states of an LSTM: their product takes as long as reading the matrix does.

    Args:
        weight: ``[out, in]``, in the dtype of the products. It is copied where that saves time.
    """

    def __init__(self, weight: Tensor) -> None:
        self.dtype = weight.dtype
        self._is_packed = weight.device.type == "cpu" and torch._C._has_mkldnn
        self._weight = (
            torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
            if self._is_packed
            else weight.contiguous()
        )

    @property
    def num_bytes(self) -> int:
        """Memory that the values take."""
        return self._weight.numel() * self.dtype.itemsize

    def __call__(self, rows: Tensor) -> Tensor:
        """Multiply float32 ``[n, in]`` by the matrix: float32 ``[n, out]``."""
        rows = rows.to(self.dtype)
        if not self._is_packed:
            return functional.linear(rows, self._weight).float()
        product: Tensor = torch.ops.mkldnn._linear_pointwise(
            rows, self._weight, None, "none", [], ""
        )
        return product.float()


def taken(parameter: Tensor) -> Tensor:
    """Take a parameter's values away from it: laid out anew, they are in memory once."""
    values = parameter.data
    parameter.data = values.new_empty(0)
    return values
