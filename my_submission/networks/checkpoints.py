"""Checkpoints as data: tensors by name, and nothing that could run."""

import pickle
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from my_submission.errors import DemixError

CORRUPT = (
    *(OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(AssertionError, ImportError, ArithmeticError, MemoryError),
    *(pickle.UnpicklingError, struct.error),
)
"""What torch raises for damaged files, depending on the damaged byte."""

WEIGHT_DTYPES = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})
COUNT_DTYPES = frozenset({torch.int32, torch.int64})
MOST_REPEATED = 1 << 26
"""Numbers of a tensor that repeats a few bytes of its file. Published ones hold paddings of zeros
like that, and a damaged one may claim any size."""


def load_checkpoint(path: Path, safe_classes: Sequence[tuple[type, str]] = ()) -> object:
    """Read a checkpoint without running any code that it may carry.

    Args:
        path: The file.
        safe_classes: What it may name beside tensors, numbers, strings and containers of these:
            what it gets, and the name that it uses.

    Raises:
        DemixError: The file is missing, unreadable, corrupt, or holds anything else.
    """
    try:
        with torch.serialization.safe_globals(list(safe_classes)):
            content: object = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DemixError(f"{path}: no such file") from error
    except CORRUPT as error:
        reason = str(error).strip().split("\n")[0][:120] or type(error).__name__
        raise DemixError(
            f"{path}: cannot be read as a checkpoint of tensors ({reason}); fetch it again"
        ) from error
    return content


def load_state_dict(path: Path) -> Mapping[str, Tensor]:
    """Read a checkpoint of named tensors without running any code that it may carry.

    Raises:
        DemixError: The file is unreadable, corrupt, or holds anything but named tensors.
    """
    return require_tensors(path, load_checkpoint(path))


def require_tensors(path: Path, state: object) -> Mapping[str, Tensor]:
    """Give `state`, read from `path`, if it is dense tensors of finite numbers by name.

    BatchNorm's counts are integers. What was saved as parameters comes as plain tensors.

    Raises:
        DemixError: It is anything else.
    """
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise DemixError(f"{path}: not a checkpoint: expected named tensors only")
    for name, value in state.items():
        if not (_is_dense(value, name) and bool(value.isfinite().all())):
            raise DemixError(f"{path}: {name} is not a dense tensor of finite numbers")
    return {name: value.detach() for name, value in state.items()}


def _is_dense(value: Tensor, name: str) -> bool:
    is_number = value.dtype in WEIGHT_DTYPES or (
        name.endswith(".num_batches_tracked") and value.dtype in COUNT_DTYPES
    )
    if not is_number or value.layout != torch.strided or value.device.type != "cpu":
        return False
    is_all_there = value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    return is_all_there or value.numel() <= MOST_REPEATED


def load_strictly(
    network: nn.Module, state: Mapping[str, Tensor], path: Path, description: str
) -> None:
    """Make `state` the weights of `network`, in float32; every name and shape must fit.

    Tensors in float32 become the weights themselves, so that those are in memory once.

    Raises:
        DemixError: One does not.
    """
    single = {
        name: value.float() if value.is_floating_point() else value for name, value in state.items()
    }
    # The demucs package has a loading of its own, which renames weights of old files and copies.
    is_own = type(network).load_state_dict is not nn.Module.load_state_dict
    try:
        network.load_state_dict(single, strict=True, **({} if is_own else {"assign": True}))
    except (RuntimeError, LookupError) as error:
        first = str(error).split("\n\t")[1] if "\n\t" in str(error) else str(error)
        raise DemixError(f"{path}: not the weights of {description}: {first.strip()}") from error
