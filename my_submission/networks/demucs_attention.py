"""The transformer of `HTDemucs` without its largest intermediates.

`torch.nn.MultiheadAttention` keeps the whole matrix of weights where it attends to itself: 230 MB
for a segment of `htdemucs`. `scaled_dot_product_attention` goes through it in blocks. The
feed-forward part, which knows each step alone, takes a few of them at a time.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from demucs.transformer import MyGroupNorm
from torch import Tensor, nn
from torch.nn import functional

from my_submission.networks.demucs_residual import gelu_

FEED_FORWARD_STEPS = 512
"""Steps whose four times wider activations stay in the caches."""

ATTENDING_STEPS = 256
"""Steps whose weights over all others stay in the caches."""


class Attention(nn.Module):
    """What `nn.MultiheadAttention` computes in evaluation, without masks.

    Args:
        attention: Batch first, with biases, of one width.
        dtype: What the products are computed in.
    """

    in_weight: Tensor
    in_bias: Tensor
    out_weight: Tensor
    out_bias: Tensor

    def __init__(self, attention: nn.MultiheadAttention, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.num_heads = attention.num_heads
        self.batch_first = True
        for name, value in (
            ("in_weight", attention.in_proj_weight),
            ("in_bias", attention.in_proj_bias),
            ("out_weight", attention.out_proj.weight),
            ("out_bias", attention.out_proj.bias),
        ):
            self.register_buffer(name, value.detach().to(dtype, copy=True))

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, **options: Any
    ) -> tuple[Tensor, None]:
        """Attend from ``[batch, to, width]`` to ``[batch, from, width]``."""
        is_masked = any(options.get(name) is not None for name in ("attn_mask", "key_padding_mask"))
        if value is not key or is_masked:
            raise ValueError("masks and values other than keys are not what Demucs attends with")
        width = query.shape[-1]
        source = key.to(self.dtype)
        if key is query:
            projected = functional.linear(source, self.in_weight, self.in_bias).chunk(3, -1)
        else:
            of_query, of_key = (
                functional.linear(x, self.in_weight[rows], self.in_bias[rows])
                for x, rows in (
                    (query.to(self.dtype), slice(width)),
                    (source, slice(width, None)),
                )
            )
            projected = (of_query, *of_key.chunk(2, -1))
        queries, keys, values = map(self._heads, projected)
        if self.dtype == torch.bfloat16:
            attended = attend_in_low_precision(queries, keys, values)
        else:
            attended = functional.scaled_dot_product_attention(queries, keys, values)
        joined = attended.transpose(1, 2).flatten(2)
        return functional.linear(joined, self.out_weight, self.out_bias).to(query.dtype), None

    def _heads(self, x: Tensor) -> Tensor:
        batch, steps, width = x.shape
        return x.view(batch, steps, self.num_heads, width // self.num_heads).transpose(1, 2)


def attend_in_low_precision(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Compute `scaled_dot_product_attention`, which takes a CPU longer in bfloat16.

    Args:
        queries: ``[batch, heads, to, width]``.
        keys: ``[batch, heads, from, width]``.
        values: Likewise.

    Returns:
        ``[batch, heads, to, width]``.
    """
    queries = queries * queries.shape[-1] ** -0.5
    attended = torch.empty_like(queries)
    for song, head in product(range(queries.shape[0]), range(queries.shape[1])):
        own, key, value, out = (x[song, head] for x in (queries, keys, values, attended))
        for start in range(0, len(own), ATTENDING_STEPS):
            block = slice(start, start + ATTENDING_STEPS)
            weights = torch.mm(own[block], key.T).softmax(-1, dtype=torch.float32)
            out[block] = torch.mm(weights.to(value.dtype), value)
    return attended


class StepsNorm(nn.Module):
    """The transformer's `MyGroupNorm` of one group, on steps as they lie in memory.

    The package's gives a view whose channels are far apart, and all that comes after is slow.
    """

    def __init__(self, norm: Any, _dtype: torch.dtype) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``[batch, steps, width]`` over steps and width together."""
        normed = functional.layer_norm(x, x.shape[1:], eps=self.eps)
        return normed.mul_(self.weight).add_(self.bias)


def norms_steps(layer: nn.Module) -> bool:
    """Tell whether `StepsNorm` computes what a layer does."""
    return isinstance(layer, MyGroupNorm) and layer.num_groups == 1 and layer.affine


class FeedForward(nn.Module):
    """Two linear layers with an activation between, some steps at a time.

    Args:
        first: To the wide inside.
        activation: What is applied there.
        second: Back.
        dtype: What the products are computed in.
    """

    def __init__(
        self,
        first: nn.Linear,
        activation: Callable[[Tensor], Tensor],
        second: nn.Linear,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.dtype = dtype
        self.first, self.second = first.to(dtype), second.to(dtype)
        self.activation = gelu_ if activation is functional.gelu else activation

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, steps, width]`` to the same shape."""
        steps = x.reshape(-1, x.shape[-1])
        out = torch.empty_like(steps)
        for start in range(0, len(steps), FEED_FORWARD_STEPS):
            own = slice(start, start + FEED_FORWARD_STEPS)
            wide = self.activation(self.first(steps[own].to(self.dtype)).float())
            out[own] = self.second(wide.to(self.dtype))
        return out.view_as(x)


def feed_forward_in_steps(layer: Any, dtype: torch.dtype) -> None:
    """Let a layer of the package's transformer use `FeedForward`."""
    layer.linear2 = FeedForward(layer.linear1, layer.activation, layer.linear2, dtype)
    # What the layer itself did before its second linear part is now in there.
    layer.linear1 = nn.Identity()
    layer.activation = nn.Identity()
