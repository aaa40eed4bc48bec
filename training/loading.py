"""Networks from files of every kind: ONNX, published checkpoints, and those of phase 1."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.serialization import get_unsafe_globals_in_checkpoint

from my_submission.errors import DemixError
from my_submission.networks.checkpoints import (
    CORRUPT,
    load_checkpoint,
    load_strictly,
    require_tensors,
)
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.networks.torch_tfc_tdf import tfc_tdf_of
from training.onnx_import import import_onnx
from training.phase1.networks import make_network
from training.phase1.options import ModelOptions

PREFIX = "network."
"""What the names of phase 1's checkpoints begin with, before the published ones."""


@dataclass(frozen=True)
class LoadedNetwork:
    """A network and what its file says of it.

    Attributes:
        network: In evaluation mode.
        dim_f: Bins of its spectrograms.
        time_factor: What the number of its frames must be a multiple of.
        n_fft: Window in samples that it was made for; None where the file does not say.
        num_frames: Frames of a pass; None where the file does not say.
    """

    network: nn.Module
    dim_f: int
    time_factor: int
    n_fft: int | None = None
    num_frames: int | None = None


def load_network(path: Path, norm_groups: int | None = None) -> LoadedNetwork:
    """Load a network to export it or to train from it.

    Args:
        path: An ONNX file (`import_onnx`), a published ``.pt`` or ``.ckpt``, or a checkpoint of
            phase 1, of which the averaged weights are taken where there are any.
        norm_groups: Groups of GroupNorm, which a published checkpoint does not tell.

    Raises:
        DemixError: The file is missing, corrupt or not such a network's.
    """
    if path.suffix == ".onnx":
        file, network = OnnxNetwork(path), import_onnx(path)
        n_fft = file.metadata.get("n_fft", "")
        return LoadedNetwork(
            network,
            file.dim_f,
            _time_factor(network),
            int(n_fft) if n_fft.isdecimal() else None,
            file.num_frames,
        )
    content = read_checkpoint(path)
    details: Any = {}
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        details = content.get("hyper_parameters", {})
        content = content["state_dict"]
    state = require_tensors(path, content)
    if not isinstance(details, Mapping):
        details = {}
    if any(name.startswith(PREFIX) for name in state):
        return _of_phase1(path, {name.removeprefix(PREFIX): state[name] for name in state}, details)
    network = tfc_tdf_of(state, path, norm_groups)
    n_fft = details.get("n_fft")
    return LoadedNetwork(
        network,
        network.size.dim_f,
        network.size.time_factor,
        n_fft if isinstance(n_fft, int) else None,
    )


def read_checkpoint(path: Path) -> object:
    """Read a checkpoint without running any code that it may carry.

    Lightning's checkpoints name classes of whatever the run had, such as callbacks. Each is
    replaced by one that does nothing.

    Raises:
        DemixError: The file is missing or corrupt.
    """
    names: list[str] = []
    try:
        if zipfile.is_zipfile(path):
            names = get_unsafe_globals_in_checkpoint(path)
    except CORRUPT:
        names = []  # what is wrong is said when it is loaded
    return load_checkpoint(path, [(type("Inert", (_Inert,), {}), name) for name in names])


class _Inert(dict[Any, Any]):
    """Stands for an instance of a class that a checkpoint names."""

    def __new__(cls, *_arguments: object, **_named: object) -> "_Inert":
        return super().__new__(cls)

    def __init__(self, *_arguments: object, **_named: object) -> None:
        super().__init__()

    def __setstate__(self, _state: object) -> None:
        """Take nothing."""


def _of_phase1(path: Path, state: Mapping[str, Any], details: Mapping[Any, Any]) -> LoadedNetwork:
    try:
        # The file that the run began with may be gone, and does not matter any more.
        options = ModelOptions.checked({**details, "init_from": None})
    except DemixError as error:
        raise DemixError(f"{path}: {error}") from error
    with torch.random.fork_rng(devices=[]):
        network = make_network(options)
    load_strictly(network, state, path, "the network that it describes")
    return LoadedNetwork(
        network.eval(),
        options.dim_f,
        options.size.time_factor,
        options.n_fft,
        options.inference.num_frames,
    )


def _time_factor(network: nn.Module) -> int:
    """Give what its frames must be a multiple of: one halving per level."""
    return int(2 ** sum(isinstance(module, nn.ConvTranspose2d) for module in network.modules()))
