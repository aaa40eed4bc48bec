"""The torch backend: a TFC-TDF network from a checkpoint, for which the frames are free."""

from pathlib import Path

import numpy as np
import torch

from my_submission.errors import DemixError
from my_submission.networks.checkpoints import load_state_dict, load_strictly
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
    state = load_state_dict(path)
    try:
        size = size_from_state_dict(state, norm_groups)
        with torch.device("meta"):  # no random numbers for weights about to be replaced
            network = TfcTdf(size)
    except DemixError as error:
        raise DemixError(f"{path}: {error}") from error
    load_strictly(network.to_empty(device="cpu"), parameters_of(state), path, "a TFC-TDF network")
    return network.eval().requires_grad_(False).to(device)


class TorchNetwork:
    """A network ``[batch, 4, dim_f, num_frames]`` to the same shape, run by torch.

    Args:
        path: The checkpoint.
        num_frames: Frames that it is to be run on.
        norm_groups: Groups of GroupNorm; None for BatchNorm.
        device: ``cpu`` or ``cuda:N``.

    Raises:
        DemixError: The file is corrupt or not such a network's.
    """

    def __init__(
        self, path: Path, *, num_frames: int, norm_groups: int | None, device: str = "cpu"
    ) -> None:
        self._network = load_tfc_tdf(path, norm_groups, device)
        self._device = torch.device(device)
        size = self._network.size
        if num_frames % size.time_factor:
            raise DemixError(
                f"{path}: takes multiples of {size.time_factor} frames, not {num_frames}: "
                "is it another system's?"
            )
        self.path = path
        self.dim_f = size.dim_f
        self.num_frames = num_frames
        self.metadata: dict[str, str] = {}

    @torch.inference_mode()
    def __call__(self, spectrogram: Audio) -> Audio:
        """Map ``[batch, 4, dim_f, num_frames]`` float32 to the same shape."""
        contiguous = np.ascontiguousarray(spectrogram, dtype=np.float32)
        estimate: Audio = self._network(torch.from_numpy(contiguous).to(self._device)).cpu().numpy()
        return estimate
