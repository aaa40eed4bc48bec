"""The TFC-TDF separator: one stem by a network on complex spectrograms."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from my_submission.audio import Signal
from my_submission.chunking import trimmed_chunks
from my_submission.compute import Compute
from my_submission.errors import DemixError
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.networks.torch_tfc_tdf import TorchNetwork
from my_submission.stems import Audio
from my_submission.stft import HOP_LENGTH, Stft


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
        self._stft = Stft(config.n_fft, config.dim_f)

    def stream(self, mixture: Signal) -> Iterator[Audio]:
        """Estimate the stem of the whole song, as consecutive blocks ``[2, n]``."""
        return trimmed_chunks(
            mixture, self.estimate, chunk=self.config.chunk, trim=self.config.trim
        )

    def estimate(self, chunks: Audio) -> Audio:
        """Estimate the stem of chunks ``[batch, 2, chunk]``, in the same shape."""
        spectrogram = self._stft.spectrogram(torch.from_numpy(chunks))
        estimate = torch.from_numpy(self.network(spectrogram.numpy()))
        stem: Audio = self._stft.waveform(estimate).numpy()
        return stem


def open_network(path: Path, config: TfcTdfConfig, compute: Compute) -> OnnxNetwork | TorchNetwork:
    """Open a network in the backend that its file format is for.

    A checkpoint that was exported beside itself (`python -m training export`) is run as ONNX, which
    takes less time than torch.

    Raises:
        DemixError: The file is missing, corrupt or another kind of network.
    """
    exported = path.with_suffix(".onnx")
    if path == exported or exported.is_file():
        compute.note(exported.name, "onnxruntime", torch.float32)
        return OnnxNetwork(exported, compute.device)
    compute.note(path.name, "torch", torch.float32)
    return TorchNetwork(
        path, num_frames=config.num_frames, norm_groups=config.norm_groups, device=compute.device
    )
