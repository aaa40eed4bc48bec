"""Networks of the `demucs` package, read from its own file format without running what is in it.

A ``.th`` package names the network's class and its arguments beside the weights. The demucs
package unpickles all of that; here only the classes below can come out of a file.
"""

import inspect
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import torch
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs

from my_submission.errors import DemixError
from my_submission.networks.checkpoints import load_checkpoint, load_strictly, require_tensors
from my_submission.stems import SAMPLE_RATE

NETWORKS = (Demucs, HDemucs, HTDemucs)
SAFE_CLASSES = [*NETWORKS, Fraction]
"""What a file may hold beside tensors, numbers, strings and containers of these."""


def load_demucs_package(path: Path, device: str = "cpu") -> Demucs | HDemucs | HTDemucs:
    """Load a network of Demucs v3 or v4 (`Demucs`, `HDemucs` or `HTDemucs` of the package).

    Args:
        path: A ``.th`` file of the demucs package.
        device: ``cpu`` or ``cuda:N``.

    Returns:
        The network in evaluation mode, with the attributes ``sources``, the names of its outputs
        in order, and ``segment``, the seconds that it wants to see at once.

    Raises:
        DemixError: The file is unreadable, corrupt, no such package or not for stereo at 44.1 kHz;
            it wants to run anything; or it is quantised, which only diffq can read.
    """
    package = load_checkpoint(path, SAFE_CLASSES)
    if not isinstance(package, Mapping) or not {"klass", "args", "kwargs", "state"} <= set(package):
        raise DemixError(f"{path}: not a package of Demucs: it has no class, arguments and state")
    network_class, state = package["klass"], package["state"]
    if network_class not in NETWORKS:
        raise DemixError(f"{path}: its network is {network_class}, not one of Demucs")
    if isinstance(state, Mapping) and state.get("__quantized"):
        raise DemixError(f"{path}: its weights are quantised, which demix does not read")
    weights = require_tensors(path, state)
    # The packages carry arguments that later versions of the classes dropped, as demucs does.
    known = inspect.signature(network_class).parameters
    try:
        arguments = {name: value for name, value in package["kwargs"].items() if name in known}
        with torch.device("meta"):  # no random numbers for weights about to be replaced
            network = network_class(*package["args"], **arguments)
    except (TypeError, ValueError, AttributeError, AssertionError, RuntimeError) as error:
        raise DemixError(f"{path}: no Demucs network has its arguments ({error})") from error
    if (network.samplerate, network.audio_channels) != (SAMPLE_RATE, 2):
        raise DemixError(
            f"{path}: made for {network.samplerate} Hz and {network.audio_channels} channels, "
            f"not for {SAMPLE_RATE} Hz and stereo"
        )
    # Published in half precision, computed in single: copying into the parameters converts.
    load_strictly(network.to_empty(device="cpu"), weights, path, network_class.__name__)
    network.eval().requires_grad_(False).to(device)
    return network  # type: ignore[no-any-return]
