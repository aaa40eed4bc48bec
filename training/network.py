"""What is trained and exported: a TFC-TDF network between two scalings."""

import torch
from torch import Tensor, nn

from my_submission.networks.tfc_tdf import TfcTdf, TfcTdfSize

SILENCE = 1e-3
"""Level below which a chunk is not made louder any more; a usual one has 1."""


class ScaledTfcTdf(nn.Module):
    """A TFC-TDF network that sees every chunk and every frequency at about the same level.

    Unnormalised spectrograms of music span four orders of magnitude from the bass to the treble,
    and the network's first convolution and normalisation treat all bins alike, so the treble
    would have to be learned through a keyhole. And products of skips grow with the square of the
    level and more, so a network that has seen few levels fails at others. Its input is therefore
    divided by the bin's usual level and then by the chunk's own, and its output is multiplied by
    both. That is part of the exported file, whose input and output stay unnormalised
    spectrograms; a chunk twice as loud gives stems twice as loud.

    Args:
        size: The network's dimensions.
        scale: Usual level of each bin, `[dim_f]`, above 0.

    Shape:
        Input and output `[batch, 4, dim_f, frames]`.
    """

    scale: Tensor

    def __init__(self, size: TfcTdfSize, scale: Tensor) -> None:
        super().__init__()
        self.network = TfcTdf(size)
        self.register_buffer("scale", scale.float().reshape(1, 1, -1, 1))

    def forward(self, spec: Tensor) -> Tensor:
        """Estimate the stem's spectrogram."""
        flat = spec / self.scale
        # One axis after the other: onnxruntime adds millions of values up in one float32.
        power = flat.square().mean(-1, keepdim=True).mean(-2, keepdim=True).mean(-3, keepdim=True)
        level = power.sqrt() + SILENCE
        estimate: Tensor = self.network(flat / level)
        return estimate.float() * (level * self.scale)


def bin_levels(spec: Tensor, power: float, floor: float = 1e-3) -> Tensor:
    """Measure the usual level of each bin.

    Args:
        spec: Spectrograms of mixtures, `[batch, 4, dim_f, frames]`.
        power: 1 makes all bins equally loud, 0 only the whole; between them the treble keeps a
            part of its lower level.
        floor: Lowest level of a bin against the mean of all.

    Returns:
        Root mean square per bin, smoothed over a tenth of an octave or so, `[dim_f]`.
    """
    level = spec.square().mean(dim=(0, 1, 3)).sqrt()
    total = level.square().mean().sqrt()
    dim_f = len(level)
    smooth = torch.empty_like(level)
    for index in range(dim_f):
        reach = 4 + index // 10
        smooth[index] = level[max(0, index - reach) : index + reach + 1].mean()
    return total * (smooth / total).clamp(min=floor) ** power


def start_as_mask(network: TfcTdf) -> None:
    """Change the random start so that the network begins as a mask of about one half.

    The first convolution gives every channel and its negative (a ReLU follows, so both are
    needed), the outermost blocks pass them on, and the last convolution subtracts the pairs
    again. What comes up from below multiplies them: a mask. Training that starts so needs to
    learn the mask alone, which takes much less than learning the skip path too.

    Args:
        network: Changed in place; 8 channels or more, else nothing is done.
    """
    growth = network.size.growth
    if growth < 8 or not len(network.us):
        return
    # Submodules are typed as Module; their parameters are changed by the published names.
    state = network.state_dict()
    pairs = torch.cat([torch.eye(4), -torch.eye(4)])
    innermost = network.size.num_layers - 1
    last = len(network.us) - 1
    state["first_conv.0.weight"][:8, :, 0, 0].mul_(0.1).add_(pairs)
    state["first_conv.0.bias"].zero_()
    state["final_conv.0.weight"].mul_(0.1)[:, :8, 0, 0] += 0.3 * pairs.T
    state["final_conv.0.bias"].zero_()
    for block in ("encoding_blocks.0", f"decoding_blocks.{last}"):
        for layer in range(network.size.num_layers):
            weight = state[f"{block}.tfc.H.{layer}.0.weight"].mul_(0.3)
            weight[:, :, 1, 1] += torch.eye(growth)
        state[f"{block}.tdf.4.weight"].mul_(0.2)
    # A little of the negative side passes too, so that small values are not lost.
    state["first_conv.1.bias"].fill_(0.2)
    state[f"encoding_blocks.0.tfc.H.{innermost}.1.bias"].fill_(0.2)
    state[f"us.{last}.1.weight"].mul_(0.5)
    state[f"us.{last}.1.bias"].fill_(0.7)
