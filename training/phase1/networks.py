"""The network that a configuration describes, and what it measures of the data first."""

from pathlib import Path

import torch
from torch import Tensor, nn

from my_submission.errors import DemixError
from my_submission.networks.tfc_tdf import TfcTdf
from training.network import ScaledTfcTdf, bin_levels, start_as_mask
from training.phase1.options import ModelOptions
from training.treble import WithTreble, mean_share


def make_network(options: ModelOptions) -> nn.Module:
    """Make the network of `options` with random weights.

    Returns:
        Maps `[batch, 4, dim_f, frames]` to the same shape. What it measures of the data
        (`measure`) has no values yet.

    Raises:
        DemixError: The sizes fit no network.
    """
    network: nn.Module
    if options.scale_power is None:
        network = TfcTdf(options.size)
    else:
        network = ScaledTfcTdf(options.size, torch.ones(options.size.dim_f))
        start_as_mask(network.network)
    if options.band is not None:
        network = WithTreble(network, torch.zeros(options.dim_f - options.band))
    return network


def measures(options: ModelOptions) -> bool:
    """Tell whether the network holds anything that `measure` sets."""
    return options.scale_power is not None or options.band is not None


def measure(network: nn.Module, options: ModelOptions, mixture: Tensor, target: Tensor) -> None:
    """Set the usual level of each bin, and the target's share of those above the band.

    Args:
        network: Of `make_network`; changed in place.
        options: Its options.
        mixture: Spectrograms of training chunks, `[batch, 4, dim_f, frames]`.
        target: The target's, the same shape.
    """
    band = options.size.dim_f
    inner = network
    if isinstance(network, WithTreble):
        share = mean_share(target[:, :, band:], mixture[:, :, band:])
        network.share.copy_(share.reshape(network.share.shape))
        inner = network.network
    if isinstance(inner, ScaledTfcTdf) and options.scale_power is not None:
        levels = bin_levels(mixture[:, :, :band], options.scale_power)
        inner.scale.copy_(levels.reshape(inner.scale.shape))


def start_from(network: nn.Module, other: nn.Module, path: Path) -> None:
    """Take over another network's weights and measured levels.

    Args:
        network: Of `make_network`; changed in place.
        other: One of the same kind and sizes.
        path: Where that is from, for errors.

    Raises:
        DemixError: The two differ in kind or sizes.
    """
    state, own = other.state_dict(), network.state_dict()
    for name in sorted(own.keys() | state.keys()):
        shapes = [
            list(tensors[name].shape) if name in tensors else "missing" for tensors in (state, own)
        ]
        if shapes[0] != shapes[1]:
            raise DemixError(
                f"{path}: {name} is {shapes[0]}, the model's is {shapes[1]}: "
                "give the model the file's sizes"
            )
    network.load_state_dict(state)
