"""The attention within residual branches (`LocalState`), some steps at a time.

The package's makes several matrices of all steps by all steps for each head at once: 57 MB each
for a segment of 44 seconds.
"""

from functools import partial
from typing import Any

import torch
from demucs.demucs import LocalState
from torch import Tensor, nn

QUERIES = 256
"""Steps that attend at a time."""

SELF_REFERENCE = -100.0
"""What keeps a step from attending to itself, unless it is alone."""


def attend_in_blocks(network: nn.Module) -> None:
    """Let all `LocalState` in a network take little memory; those by frequency stay as they are."""
    for layer in network.modules():
        if isinstance(layer, LocalState) and layer.ndecay and not layer.nfreqs:
            layer.forward = partial(attended, layer)  # type: ignore[method-assign]


def attended(layer: Any, x: Tensor) -> Tensor:
    """Compute what the ``forward`` of `LocalState` does, ``[batch, channels, time]`` to the same.

    A step attends the less the farther away, by as much as it says itself for each of a few rates.
    """
    time = x.shape[2]
    queries, keys, content, rates = (
        convolution(x).unflatten(1, (layer.heads, -1))
        for convolution in (layer.query, layer.key, layer.content, layer.query_decay)
    )
    steps = torch.arange(time, dtype=x.dtype)
    # All rates are of the same distance, and so they add up to one.
    powers = torch.arange(1, layer.ndecay + 1, dtype=x.dtype) / layer.ndecay**0.5
    decay = torch.einsum("bhfs,f->bhs", rates.sigmoid() / 2, powers)
    queries = queries / keys.shape[2] ** 0.5
    result = torch.empty_like(content)
    for start in range(0, time, QUERIES):
        own = slice(start, start + QUERIES)
        distances = (steps[own, None] - steps).abs_()
        weights = queries[..., own].transpose(2, 3) @ keys
        weights.addcmul_(distances, decay[..., own, None], value=-1)
        weights.diagonal(start, 2, 3).fill_(SELF_REFERENCE)
        result[..., own] = content @ weights.softmax(-1).transpose(2, 3)
    projected: Tensor = layer.proj(result.flatten(1, 2))
    return x + projected
