"""Small networks of the demucs package with random weights, in its own file format."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from demucs.states import load_model

SOURCES = ["drums", "bass", "other", "vocals"]

TINY: dict[type, dict[str, Any]] = {
    Demucs: {"channels": 4, "depth": 3, "segment": 2},
    HDemucs: {"channels": 4, "segment": 2},
    HTDemucs: {
        "channels": 8,
        "bottom_channels": 16,
        "t_layers": 1,
        "t_heads": 2,
        "segment": Fraction(7, 5),
    },
}
"""The arguments of networks that take a moment."""


def package(network_class: type, seed: int = 0, **arguments: Any) -> dict[str, Any]:
    """Make what a ``.th`` file of the demucs package holds, weights in half precision."""
    kwargs = {"sources": SOURCES, **TINY[network_class], **arguments}
    torch.manual_seed(seed)
    state = network_class(**kwargs).state_dict()
    return {
        "klass": network_class,
        "args": (),
        "kwargs": kwargs,
        "state": {name: value.half() for name, value in state.items()},
        "training_args": {"seed": seed},
    }


def write_package(path: Path, network_class: type, seed: int = 0, **arguments: Any) -> None:
    """Write such a file."""
    torch.save(package(network_class, seed, **arguments), path)


def packages_network(path: Path) -> Any:
    """Load a network as the package itself does."""
    return load_model(path).eval()  # type: ignore[no-untyped-call]
