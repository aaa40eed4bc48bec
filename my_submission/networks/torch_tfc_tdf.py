"""The torch backend: a TFC-TDF network from a checkpoint, for which the frames are free."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from my_submission.errors import DemixError
from my_submission.networks.checkpoints import load_state_dict, load_strictly
from my_submission.networks.gpu import float32_products, run_on
from my_submission.networks.tfc_tdf import TfcTdf, parameters_of, size_from_state_dict
from my_submission.stems import Audio


def load_tfc_tdf(path: Path, norm_groups: int | None = None, device: str = "cpu") -> TfcTdf:
    """Load a TFC-TDF network from a published ``.pt`` or ``.ckpt`` file.

    Args:
        path: Parameters by their published names; ``window`` and ``freq_pad`` are ignored.
        norm_groups: Groups of GroupNorm, which a checkpoint does not tell; not used where it
            holds BatchNorm's statistics.
        device: ``cpu`` or ``cuda:N``.

    Returns:
        The network in evaluation mode.

    Raises:
        DemixError: The file is corrupt or not such a network's.
    """
    return tfc_tdf_of(load_state_dict(path), path, norm_groups).to(device)


def tfc_tdf_of(state: Mapping[str, Tensor], path: Path, norm_groups: int | None) -> TfcTdf:
    """Make the network of published parameters; see `load_tfc_tdf`.

    Args:
        state: What was read from `path`.
        path: For errors.
        norm_groups: Groups of GroupNorm.
    """
    try:
        size = size_from_state_dict(state, norm_groups)
        with torch.device("meta"):  # no random numbers for weights about to be replaced
            network = TfcTdf(size)
    except DemixError as error:
        raise DemixError(f"{path}: {error}") from error
    load_strictly(network, parameters_of(state), path, "a TFC-TDF network")
    return network.eval().requires_grad_(False)


class TorchNetwork:
    """A network ``[batch, 4, dim_f, num_frames]`` to the same shape, run by torch.

    Args:
        path: The checkpoint.
        num_frames: Frames that it is to be run on.
        norm_groups: Groups of GroupNorm; None for BatchNorm.
        device: ``cpu`` or ``cuda:N``.
        dtype: What a network with GroupNorm computes in: float32, or float16 (see `halved`).
        allow_tf32: Let a GPU round float32 to TF32, 10 bits behind the point, in products.

    Attributes:
        device: Where `on_device` takes and gives spectrograms.
        dtype: What it computes in: float32 for a network with BatchNorm, whatever was asked for.

    Raises:
        DemixError: The file is corrupt or not such a network's.
    """

    def __init__(
        self,
        path: Path,
        *,
        num_frames: int,
        norm_groups: int | None,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        allow_tf32: bool = False,
    ) -> None:
        self._network = load_tfc_tdf(path, norm_groups, device)
        self.device = torch.device(device)
        size = self._network.size
        if num_frames % size.time_factor:
            raise DemixError(
                f"{path}: takes multiples of {size.time_factor} frames, not {num_frames}: "
                "is it another system's?"
            )
        self.dtype = torch.float32 if size.norm_groups is None else dtype
        if self.dtype != torch.float32:
            halved(self._network, self.dtype)
        self._allow_tf32 = allow_tf32
        self.path = path
        self.dim_f = size.dim_f
        self.num_frames = num_frames
        self.metadata: dict[str, str] = {}

    def __call__(self, spectrogram: Audio) -> Audio:
        """Map ``[batch, 4, dim_f, num_frames]`` float32 to the same shape, in main memory."""
        contiguous = np.ascontiguousarray(spectrogram, dtype=np.float32)
        return run_on(self.device, contiguous, self.on_device)

    @torch.inference_mode()
    def on_device(self, spectrogram: Tensor) -> Tensor:
        """Map ``[batch, 4, dim_f, num_frames]`` float32 to the same shape, both on `device`.

        On a GPU this queues work on torch's current stream.
        """
        if self.device.type == "cpu":
            estimate: Tensor = self._network(spectrogram)
        else:
            with float32_products(allow_tf32=self._allow_tf32):
                estimate = self._network(spectrogram)
        return estimate


HALVED_PRODUCTS = 2.0**-8
"""What products with skip connections are scaled by where they are float16. They come near 1000
with music, but a tone alone may drive one channel's norm to hundreds, and its product with the skip
beyond the largest float16, 65504. A power of two rounds nothing."""


def halved(network: TfcTdf, dtype: torch.dtype) -> None:
    """Let a network with GroupNorm compute in `dtype` between its first and its last layer.

    The type is float16: its 10 bits behind the point are as many as TF32 has, and bfloat16's 7 lose
    18 dB more, which is too much (`tests/test_half_precision.py`). What float16 lacks is range. A
    spectrogram of thousands meets float32 first and last; between them every norm makes what
    follows independent of the song's loudness, and products with skip connections are scaled by
    `HALVED_PRODUCTS`. A network with BatchNorm is not halved: it has no such bound, since each
    product with a skip connection raises the power of the loudness with which it grows.
    """
    scale = HALVED_PRODUCTS
    for up, block in zip(network.us, network.decoding_blocks, strict=True):
        # A factor in the norm's affine part passes the ReLU, the product and, with its bias scaled,
        # the next convolution; the norm behind that takes it away, if what it adds to the variance
        # is scaled as well.
        before: Any = up
        after: Any = block.get_submodule("tfc.H.0")
        for value in (before[1].weight, before[1].bias, after[0].bias):
            value.mul_(scale)
        after[1].eps *= scale**2
    for name, module in network.named_children():
        if name not in ("first_conv", "final_conv"):
            module.to(dtype)
    network.first_conv = nn.Sequential(network.first_conv, Convert(dtype))
    network.final_conv = nn.Sequential(Convert(torch.float32), network.final_conv)


class Convert(nn.Module):
    """Give what comes in as another type of number."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """Convert a tensor of any shape."""
        return x.to(self.dtype)
