"""Networks of the `demucs` package, read from its own file format as data.

A ``.th`` package names the network's class and its arguments beside the weights. The demucs
package unpickles all of that; here a file can name the classes below and nothing more. It can
neither run code nor make a network before its arguments and weights were looked at.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from torch import Tensor

from my_submission.compute import Compute
from my_submission.errors import DemixError
from my_submission.networks.checkpoints import load_checkpoint, load_strictly, require_tensors
from my_submission.networks.cores import workers
from my_submission.networks.demucs_fast import accelerate
from my_submission.networks.freed_memory import give_back_freed_memory
from my_submission.networks.gpu import float32_products
from my_submission.stems import SAMPLE_RATE, STEMS

BATCH_SECONDS = {"cpu": 16, "cuda": 64}
"""Sound that passes a network at once. A batch fills a GPU; on a CPU two short segments go side by
side, and more would take memory."""

MAX_SEGMENT = 600
"""Seconds; no network was made for segments of this length."""
MOST_LAYERS = 100
LARGEST_NUMBER = 1 << 20
"""Of the arguments of networks. A few bytes can ask for more layers than a life has seconds."""
COUNTS = frozenset("depth dconv_depth end_iters lstm_layers t_layers wiener_iters".split())
"""Arguments that say how often something is done or made."""

RUN_ERRORS = (
    *(RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError),
    *(ArithmeticError, MemoryError, NameError),
)
"""What a network raises whose arguments are sound one by one and do not go together."""


class DemucsName:
    """What a file gets for a class that it names; it makes nothing of its arguments."""


class HDemucsName:
    """As `DemucsName`."""


class HTDemucsName:
    """As `DemucsName`."""


class FractionText:
    """What a file gets for `Fraction`: of short numbers only, since long ones take for ever."""

    def __new__(cls, *parts: object) -> Fraction:  # type: ignore[misc]
        """Make the fraction, from its text or from its two numbers.

        Raises:
            ValueError: It is not such a fraction.
        """
        text = "/".join(str(part) for part in parts)
        if not re.fullmatch(r"[0-9]{1,9}(/[0-9]{1,9})?", text):
            raise ValueError(f"not a fraction: {text[:40]}")
        return Fraction(text)


NETWORKS: dict[object, type] = {
    DemucsName: Demucs,
    HDemucsName: HDemucs,
    HTDemucsName: HTDemucs,
}
SAFE_CLASSES = [
    (DemucsName, "demucs.demucs.Demucs"),
    (HDemucsName, "demucs.hdemucs.HDemucs"),
    (HTDemucsName, "demucs.htdemucs.HTDemucs"),
    (FractionText, "fractions.Fraction"),
]
"""What a file may name, and what it gets instead."""


class PackagedNetwork:
    """A network of the package, as `DemucsSeparator` runs it.

    On a CPU its heavy layers are replaced by faster ones (`accelerate`); on a GPU torch's autocast
    chooses what runs in low precision.

    Attributes:
        network: `Demucs`, `HDemucs` or `HTDemucs` of the package.
        sources: The names of its outputs, in order.
        segment: Seconds that it is to see at once.
        batch_size: Segments that use its device well.
    """

    def __init__(
        self, path: Path, network: Any, segment: float | Fraction | None, compute: Compute
    ) -> None:
        self._path = path
        self.network = network
        self._device = torch.device(compute.device)
        self._dtype = compute.dtype
        self._allow_tf32 = compute.allow_tf32
        self.sources: Sequence[str] = list(network.sources)
        if segment is not None:
            network.segment = segment
        self.segment: float | Fraction = network.segment
        self.batch_size = max(1, int(BATCH_SECONDS[self._device.type] / self.segment))
        # HDemucs takes any length as it is, HTDemucs only its own.
        self._valid_length: Callable[[int], int] = getattr(network, "valid_length", int)

    @property
    def kind(self) -> object:
        """Give the same for networks of the same sizes."""
        return type(self.network), sum(tensor.numel() for tensor in self.network.parameters())

    def valid_length(self, length: int) -> int:
        """Give how many samples it must see to estimate `length` of them."""
        with self._one_line_errors():
            return self._valid_length(length)

    def batch_kind(self, length: int) -> int:
        """Let segments share a batch where it sees equally many samples."""
        return self.valid_length(length)

    def estimates(self, segments: Sequence[Tensor]) -> Iterator[Tensor]:
        """Map equally long segments ``[2, n]`` to ``[sources, 2, n]``.

        Raises:
            DemixError: The network failed, for want of memory or because its arguments do not go
                together.
        """
        with self._one_line_errors():
            estimates = list(self._estimates(segments))
        yield from estimates

    @contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        try:
            yield
        except RUN_ERRORS as error:
            raise DemixError(f"{self._path}: torch could not run it ({_reason(error)})") from error

    def _estimates(self, segments: Sequence[Tensor]) -> Iterator[Tensor]:
        if self._device.type == "cpu":
            # A long segment takes the most memory of all passes: what was freed before it is not to
            # be held beside, nor what it frees beside others. Passes of short segments would lose
            # time by having to ask for their memory anew.
            is_long = self.segment > BATCH_SECONDS["cpu"]
            if is_long:
                give_back_freed_memory()
            yield from side_by_side(lambda segment: self.network(segment[None])[0], segments)
            if is_long:
                give_back_freed_memory()
            return
        is_low = self._dtype != torch.float32
        with (
            float32_products(allow_tf32=self._allow_tf32),
            torch.autocast(self._device.type, self._dtype, enabled=is_low),
        ):
            together = self.network(torch.stack(list(segments)).to(self._device))
        yield from together.float().cpu()


def load_demucs_package(
    path: Path, compute: Compute | None = None, segment: float | Fraction | None = None
) -> PackagedNetwork:
    """Load a network of Demucs v3 or v4 (`Demucs`, `HDemucs` or `HTDemucs` of the package).

    Args:
        path: A ``.th`` file of the demucs package.
        compute: How to run it; by default exactly, on the CPU.
        segment: Seconds that it is to see at once; by default what the file says.

    Returns:
        The network in evaluation mode.

    Raises:
        DemixError: The file is unreadable, corrupt, no such package or not for stereo at 44.1 kHz
            and our stems; it wants anything to run; or it is quantised, which only diffq can read.
    """
    package = load_checkpoint(path, SAFE_CLASSES)
    if not isinstance(package, Mapping) or not {"klass", "args", "kwargs", "state"} <= set(package):
        raise DemixError(f"{path}: not a package of Demucs: it has no class, arguments and state")
    named = package["klass"]
    network_class = NETWORKS.get(named) if isinstance(named, type) else None
    if network_class is None:
        raise DemixError(f"{path}: its network is {str(named)[:80]!r}, not one of Demucs")
    state = package["state"]
    if isinstance(state, Mapping) and "__quantized" in state:
        raise DemixError(f"{path}: its weights are quantised, which demix does not read")
    weights = dict(require_tensors(path, state))
    network = _empty_network(path, network_class, package["args"], package["kwargs"], weights)
    if (network.samplerate, network.audio_channels) != (SAMPLE_RATE, 2):
        raise DemixError(
            f"{path}: made for {network.samplerate} Hz and {network.audio_channels} channels, "
            f"not for {SAMPLE_RATE} Hz and stereo"
        )
    if not set(STEMS) <= set(network.sources):
        raise DemixError(f"{path}: it gives {network.sources}, not {', '.join(STEMS)}")
    # Published in half precision, computed in single: copying into the parameters converts.
    load_strictly(network.to_empty(device="cpu"), weights, path, network_class.__name__)
    compute = compute or Compute()
    compute.note(path.name, "torch")
    network = network.eval().requires_grad_(False).to(compute.device)
    if torch.device(compute.device).type == "cpu":
        accelerate(network, compute.dtype)
    return PackagedNetwork(path, network, segment, compute)


def _empty_network(
    path: Path,
    network_class: type,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    weights: Mapping[str, Tensor],
) -> Any:
    """Make a network without memory for its weights, of the arguments that a file gives."""
    # The packages carry arguments that later versions of the classes dropped, as demucs does.
    signature = inspect.signature(network_class)
    try:
        known = {name: value for name, value in kwargs.items() if name in signature.parameters}
        arguments = signature.bind(*args, **known).arguments
        for name, value in arguments.items():
            _require_moderate(name, value)
        with torch.device("meta"):
            network = network_class(**arguments)
        is_sound = 0.1 <= float(network.segment) <= MAX_SEGMENT
    except RUN_ERRORS as error:
        raise DemixError(
            f"{path}: no Demucs network has its arguments ({_reason(error)})"
        ) from error
    if not is_sound or isinstance(network.segment, str):
        raise DemixError(f"{path}: no Demucs network has segments of {network.segment} s")
    size = sum(parameter.numel() for parameter in network.parameters())
    if size != sum(value.numel() for value in weights.values()):
        raise DemixError(
            f"{path}: not the weights of {network_class.__name__}: it has {size} parameters"
        )
    return network


def _require_moderate(name: str, value: object) -> None:
    """Refuse an argument that no network was made with.

    Raises:
        ValueError: It is a tensor, a number beyond reason, or names that are no list of strings.
    """
    most = MOST_LAYERS if name in COUNTS else LARGEST_NUMBER
    # Segments have a limit of their own.
    is_beyond = isinstance(value, int | float) and not abs(value) <= most and name != "segment"
    if isinstance(value, Tensor) or is_beyond:
        raise ValueError(f"{name} is {str(value)[:40]}")
    if name == "sources" and not (
        isinstance(value, list | tuple) and all(isinstance(source, str) for source in value)
    ):
        raise ValueError(f"sources are {str(value)[:80]}")


def _reason(error: BaseException) -> str:
    return str(error).split("\n")[0][:160] or type(error).__name__


def side_by_side(
    network: Callable[[Tensor], Tensor], segments: Sequence[Tensor]
) -> Iterator[Tensor]:
    """Run a network on segments, each on its share of the threads that torch may use."""
    threads = torch.get_num_threads()
    count = min(threads, len(segments))
    if count == 1:
        yield from map(network, segments)
        return

    def run(segment: Tensor) -> Tensor:
        with torch.inference_mode():  # holds for a thread
            return network(segment)

    yield from list(workers(count, threads // count).map(run, segments))
