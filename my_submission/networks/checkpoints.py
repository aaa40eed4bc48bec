"""Checkpoints as data: tensors by name, and nothing that could run."""

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from my_submission.errors import DemixError

CORRUPT = (
    *(OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(AssertionError, ImportError, OverflowError, pickle.UnpicklingError, struct.error),
)
"""What torch raises for damaged files, depending on the damaged byte."""


def load_state_dict(path: Path) -> Mapping[str, Tensor]:
    """Read a checkpoint of named tensors without running any code that it may carry.

    Raises:
        DemixError: The file is unreadable, corrupt, or holds anything but named tensors.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except CORRUPT as error:
        reason = str(error).strip().split("\n")[0][:120] or type(error).__name__
        raise DemixError(
            f"{path}: cannot be read as a checkpoint of tensors ({reason}); fetch it again"
        ) from error
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise DemixError(f"{path}: not a checkpoint: expected named tensors only")
    for name, value in state.items():
        is_plain = value.layout == torch.strided and not value.is_meta
        if not (is_plain and value.is_floating_point() and bool(value.isfinite().all())):
            raise DemixError(f"{path}: {name} is not a dense tensor of finite numbers")
    return state


def load_strictly(
    network: nn.Module, state: Mapping[str, Tensor], path: Path, description: str
) -> None:
    """Make `state` the weights of `network`; every name and shape must fit.

    Raises:
        DemixError: One does not.
    """
    try:
        network.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        first = str(error).split("\n\t")[1] if "\n\t" in str(error) else str(error)
        raise DemixError(f"{path}: not the weights of {description}: {first.strip()}") from error
