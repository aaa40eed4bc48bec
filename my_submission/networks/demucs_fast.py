"""Networks of the demucs package with their heavy layers replaced by equal, faster ones.

For `HDemucs` and `HTDemucs` a course of our own takes the place of the package's ``forward``, which
takes much memory (`demucs_hybrid`); elsewhere only what it calls is exchanged. A layer of a kind
that has no faster counterpart stays as it is.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from demucs.demucs import DConv
from demucs.hdemucs import MultiWrap
from demucs.transformer import CrossTransformerEncoderLayer, MyTransformerEncoderLayer
from torch import Tensor, nn

from my_submission.networks.demucs_attention import (
    Attention,
    FeedForward,
    StepsNorm,
    feed_forward_in_steps,
    norms_steps,
)
from my_submission.networks.demucs_frequency import (
    FrequencyDecoder,
    FrequencyEncoder,
    decodes_frequency,
    encodes_frequency,
)
from my_submission.networks.demucs_hybrid import runs_faster, separate
from my_submission.networks.demucs_residual import Residual
from my_submission.networks.demucs_time import (
    TimeDecoder,
    TimeEncoder,
    decodes_time,
    encodes_time,
)

LAYERS: tuple[tuple[Callable[[nn.Module], bool], Callable[..., nn.Module]], ...] = (
    (encodes_frequency, FrequencyEncoder),
    (decodes_frequency, FrequencyDecoder),
    (encodes_time, TimeEncoder),
    (decodes_time, TimeDecoder),
    (lambda layer: isinstance(layer, DConv), Residual),
    (lambda layer: isinstance(layer, nn.MultiheadAttention), Attention),
    (norms_steps, StepsNorm),
)
"""What has a faster counterpart, and what that is; the first that fits is taken."""

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)


class LowPrecision(nn.Module):
    """A convolution computed in a dtype of few bits, between layers that are not."""

    def __init__(self, convolution: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.convolution = convolution.to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, from float32 to float32."""
        out: Tensor = self.convolution(x.to(self.dtype))
        return out.float()


def accelerate(network: Any, dtype: torch.dtype = torch.float32) -> Any:
    """Replace a network's layers, those within layers that stay included.

    Args:
        network: `Demucs`, `HDemucs` or `HTDemucs`, or a part of one, in evaluation mode and without
            gradients. It is changed, and takes batches of one from then on.
        dtype: What the products are computed in; inputs, outputs, norms and sums stay float32.

    Returns:
        The network.
    """
    if isinstance(network, MultiWrap):  # reads its layers' own convolutions
        return network
    if isinstance(network, MyTransformerEncoderLayer | CrossTransformerEncoderLayer):
        feed_forward_in_steps(network, dtype)
    for name, layer in list(network.named_children()):
        if isinstance(layer, FeedForward):
            continue
        counterpart = next((make for fits, make in LAYERS if fits(layer)), None)
        if counterpart is not None:
            setattr(network, name, counterpart(layer, dtype).eval())
        elif dtype != torch.float32 and isinstance(layer, CONVOLUTIONS):
            setattr(network, name, LowPrecision(layer, dtype))
        else:
            accelerate(layer, dtype)
    if runs_faster(network):
        network.forward = partial(separate, network)
    return network
