"""The TFC-TDF separator: one stem by a network on complex spectrograms."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from my_submission.audio import Signal
from my_submission.chunking import in_flight, trimmed_chunks
from my_submission.compute import Backend, Compute
from my_submission.costs import PassCost, ignore, seconds_of
from my_submission.errors import DemixError
from my_submission.networks.gpu import gpu, run_on
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.networks.openvino_runtime import OpenvinoNetwork
from my_submission.networks.tfc_tdf_file import UnsupportedError
from my_submission.networks.torch_tfc_tdf import TorchNetwork
from my_submission.stems import Audio
from my_submission.stft import HOP_LENGTH, Stft

if TYPE_CHECKING:
    from my_submission.networks.numba_tfc_tdf import NumbaNetwork


@dataclass(frozen=True, kw_only=True)
class TfcTdfConfig:
    """What a stem's network was made for.

    Attributes:
        n_fft: Window length in samples.
        dim_f: Frequency bins that the network sees, the lowest ones; the cutoff is
            ``dim_f / n_fft * 44100`` Hz.
        num_frames: STFT frames that one pass sees.
        trim: Samples dropped on each side of a pass's output.
        norm_groups: Groups of its GroupNorm, where a checkpoint cannot tell; None for BatchNorm.
    """

    n_fft: int
    dim_f: int
    num_frames: int
    trim: int
    norm_groups: int | None = None

    @property
    def chunk(self) -> int:
        """Samples that one pass sees."""
        return HOP_LENGTH * (self.num_frames - 1)


@runtime_checkable
class DeviceNetwork(Protocol):
    """A network that also takes and gives spectrograms as tensors on its own device."""

    device: torch.device
    """``cpu`` or ``cuda:N``."""

    def on_device(self, spectrogram: Tensor) -> Tensor:
        """Map ``[batch, 4, dim_f, num_frames]`` float32 to the same shape."""
        ...


class TfcTdfSeparator:
    """Estimates one stem from the mixture.

    Args:
        path: The stem's network: an ONNX file, or a checkpoint ``.pt`` that torch runs.
        config: The sizes that the system demands of it.
        compute: How to run it; by default exactly, on the CPU.

    Raises:
        DemixError: The file is not such a network, or its sizes are others.
    """

    def __init__(self, path: Path, config: TfcTdfConfig, compute: Compute | None = None) -> None:
        self.network = open_network(path, config, compute or Compute())
        found = (self.network.dim_f, self.network.num_frames)
        if found != (config.dim_f, config.num_frames):
            raise DemixError(
                f"{path}: made for dim_f and frames {found}, "
                f"this system needs {(config.dim_f, config.num_frames)}: is it another system's?"
            )
        made_for = self.network.metadata.get("n_fft", str(config.n_fft))
        if made_for != str(config.n_fft):
            raise DemixError(
                f"{path}: made for n_fft {made_for}, this stem needs {config.n_fft}: "
                "is it another stem's?"
            )
        self.config = config
        self._device = getattr(self.network, "device", torch.device("cpu"))
        self._stft = Stft(config.n_fft, config.dim_f)
        self.passed: Callable[[Sequence[float]], None] = ignore
        self.max_overlap = 1.0

    @property
    def kind(self) -> object:
        """Give the same for networks that cost the same."""
        size = self.network.path.stat().st_size
        # Values apart, files of one size hold one network; names in them differ by a few bytes.
        return type(self.network), self.config.dim_f, self.config.num_frames, size >> 12

    @property
    def samples(self) -> int:
        """Samples of the song that a pass covers."""
        return self.config.chunk - 2 * self.config.trim

    def probe(self) -> PassCost:
        """Measure a pass."""
        chunks = np.random.default_rng(0).uniform(-1, 1, (self.batch_size, 2, self.config.chunk))
        seconds = seconds_of(lambda: self.estimate(chunks.astype(np.float32)))
        return PassCost(
            seconds / self.batch_size,
            self.samples,
            at_once=self.batch_size,
        )

    @functools.cached_property
    def batch_size(self) -> int:
        """Chunks that one pass takes.

        A GPU takes what its memory allows when the first song comes; later the network itself fills
        a part of it. On a CPU a batch takes memory and saves no time.
        """
        if self._device.type == "cpu":
            return 1
        spectrogram_bytes = 4 * 4 * self.config.dim_f * self.config.num_frames
        return gpu(self._device).batch_size(spectrogram_bytes)

    def stream(self, mixture: Signal) -> Iterator[Audio]:
        """Estimate the stem of the whole song, as consecutive blocks ``[2, n]``."""
        return trimmed_chunks(
            mixture,
            self._estimates,
            chunk=self.config.chunk,
            trim=self.config.trim,
            batch_size=self.batch_size,
        )

    def estimate(self, chunks: Audio) -> Audio:
        """Estimate the stem of chunks ``[batch, 2, chunk]``, in the same shape."""
        return run_on(self._device, chunks, self._on_device)

    def _estimates(self, batches: Iterator[Audio]) -> Iterator[Audio]:
        if self._device.type == "cpu":
            estimates: Iterator[Audio] = map(self.estimate, batches)
        else:
            device = gpu(self._device)
            estimates = in_flight(batches, lambda chunks: device.start(chunks, self._on_device))
        for batch in estimates:
            self.passed([1.0] * len(batch))
            yield batch

    def _on_device(self, chunks: Tensor) -> Tensor:
        """Do what lies between sound and sound where the network is, so that only sound travels."""
        spectrogram = self._stft.spectrogram(chunks)
        if isinstance(self.network, DeviceNetwork):
            estimate = self.network.on_device(spectrogram)
        else:
            estimate = torch.from_numpy(self.network(spectrogram.numpy()))
        return self._stft.waveform(estimate)


class TfcTdfNetwork(Protocol):
    """What every backend offers: a network ``[batch, 4, dim_f, num_frames]`` to the same shape."""

    path: Path
    dim_f: int
    num_frames: int
    metadata: dict[str, str]

    def __call__(self, spectrogram: Audio) -> Audio:
        """Map a spectrogram, float32 in main memory."""
        ...


def open_network(path: Path, config: TfcTdfConfig, compute: Compute) -> TfcTdfNetwork:
    """Open a network in the backend that was asked for, else in the fastest that can run it.

    Only torch runs checkpoints, so it does whatever was asked for. One that was exported beside
    itself (`python -m training export`) is run as ONNX, which takes less time.

    Raises:
        DemixError: The file is missing, corrupt or another kind of network, or the backend that was
            asked for cannot run it.
    """
    exported = path.with_suffix(".onnx")
    if path == exported or (exported.is_file() and compute.backend != "torch"):
        return _open_onnx(exported, compute)
    network = TorchNetwork(
        path,
        num_frames=config.num_frames,
        norm_groups=config.norm_groups,
        device=compute.device,
        # bfloat16 would keep 31 dB of a network with GroupNorm.
        dtype=torch.float16 if compute.dtype == torch.float16 else torch.float32,
        allow_tf32=compute.allow_tf32,
    )
    compute.note(path.name, "torch", _rounded(network.dtype, compute))
    return network


def _open_onnx(path: Path, compute: Compute) -> TfcTdfNetwork:
    if compute.backend == "torch":
        raise DemixError(
            f"{path}: backend torch runs checkpoints (.pt), not ONNX files: use another --backend"
        )
    *others, last = compute.onnx_runs()
    for backend, dtype in others:
        try:
            return _run_by(backend, path, dtype, compute)
        except UnsupportedError:
            continue
    backend, dtype = last
    return _run_by(backend, path, dtype, compute)


def _run_by(backend: Backend, path: Path, dtype: torch.dtype, compute: Compute) -> TfcTdfNetwork:
    """Load a network, and note what runs it.

    Raises:
        UnsupportedError: This backend cannot run it so.
        DemixError: There is something wrong with the file.
    """
    low_precision = dtype is torch.bfloat16
    if backend == "onnxruntime":
        compute.note(path.name, backend, _rounded(torch.float32, compute))
        return OnnxNetwork(path, compute.device, allow_tf32=compute.allow_tf32)
    network: NumbaNetwork | OpenvinoNetwork
    if backend == "numba":
        network = _numba_network(path, low_precision=low_precision)
    else:
        network = OpenvinoNetwork(path, low_precision=low_precision)
    compute.note(path.name, backend, network.dtype)
    return network


def _numba_network(path: Path, *, low_precision: bool) -> "NumbaNetwork":
    try:
        # Late: it takes a second and 0.1 GB to import, and need not be installed.
        from my_submission.networks.numba_tfc_tdf import NumbaNetwork
    except ImportError as error:  # numba says so of a NumPy that is too new for it
        raise UnsupportedError(
            f"{path}: backend numba cannot be used ({error}): use another --backend"
        ) from error
    return NumbaNetwork(path, low_precision=low_precision)


def _rounded(dtype: torch.dtype, compute: Compute) -> torch.dtype | str:
    return "tf32" if dtype is torch.float32 and compute.allow_tf32 else dtype
