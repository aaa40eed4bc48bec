"""Networks from one file format to another: the commands `export` and `import`."""

import io
from pathlib import Path

import torch
from torch import nn

from my_submission.errors import DemixError
from my_submission.networks.tfc_tdf import TfcTdf
from training.export import NUM_FRAMES, export_onnx
from training.files import write_whole
from training.loading import load_network
from training.onnx_import import import_onnx


def export_checkpoint(
    checkpoint: Path,
    path: Path,
    *,
    norm_groups: int | None = None,
    num_frames: int | None = None,
    n_fft: int | None = None,
) -> str:
    """Write the network of a checkpoint as ONNX; give a line about it.

    Args:
        checkpoint: A published ``.pt`` or ``.ckpt``, or one of phase 1; its parameters tell
            `dim_f`.
        path: The ONNX file, named ``.onnx``, for that is how separators know one.
        norm_groups: Groups of GroupNorm; None for what the checkpoint says, or for BatchNorm, which
            its statistics tell.
        num_frames: Frames of the exported network; None for what the checkpoint says, else 256.
        n_fft: Window length in samples that the network was trained on; a separator with another
            refuses the file. None for what the checkpoint says.

    Raises:
        DemixError: The checkpoint is corrupt or not such a network's, a number or the name does
            not fit or contradicts the checkpoint, `n_fft` is not known, the folder cannot be
            written, or the file computes something else.
    """
    if path.suffix != ".onnx":
        raise DemixError(f"{path}: an exported network's name ends with .onnx")
    loaded = load_network(checkpoint, norm_groups)
    frames = num_frames if num_frames is not None else loaded.num_frames or NUM_FRAMES
    if frames < 1 or frames % loaded.time_factor:
        raise DemixError(
            f"{checkpoint}: takes multiples of {loaded.time_factor} frames, not {frames}"
        )
    groups = {
        norm.num_groups for norm in loaded.network.modules() if isinstance(norm, nn.GroupNorm)
    }
    if norm_groups is not None and groups != {norm_groups}:
        own = f"GroupNorm with --norm-groups {groups.pop()}" if groups else "BatchNorm"
        raise DemixError(f"{checkpoint}: has {own}, not --norm-groups {norm_groups}")
    if None not in (n_fft, loaded.n_fft) and n_fft != loaded.n_fft:
        raise DemixError(f"{checkpoint}: was trained with --n-fft {loaded.n_fft}, not {n_fft}")
    n_fft = n_fft if n_fft is not None else loaded.n_fft
    if n_fft is None:
        raise DemixError(f"{checkpoint}: does not tell its n_fft: give --n-fft")
    if n_fft % 2 or n_fft // 2 + 1 < loaded.dim_f:
        raise DemixError(
            f"{checkpoint}: has {loaded.dim_f} bins, which n_fft {n_fft} does not give; "
            f"its own is even and at least {2 * loaded.dim_f - 2}"
        )
    difference = export_onnx(
        loaded.network,
        path,
        dim_f=loaded.dim_f,
        num_frames=frames,
        metadata={"n_fft": str(n_fft)},
    )
    return (
        f"{path}: dim_f {loaded.dim_f}, {frames} frames, n_fft {n_fft}, "
        f"differs by {difference:.1e} from torch"
    )


def import_network(file: Path, path: Path) -> str:
    """Write the network of an ONNX file as a checkpoint with the published names.

    Args:
        file: A published ONNX file, or another of the plain network.
        path: The checkpoint, named ``.pt``.

    Returns:
        A line about it.

    Raises:
        DemixError: As `import_onnx`; or the network scales its input, which the published names do
            not cover, or the checkpoint cannot be written.
    """
    if path.suffix != ".pt":
        raise DemixError(f"{path}: an imported network's name ends with .pt")
    network = import_onnx(file)
    if not isinstance(network, TfcTdf):
        raise DemixError(
            f"{file}: scales its input, which published checkpoints cannot hold; "
            "train from it by model.init_from="
        )
    content = io.BytesIO()
    torch.save(network.state_dict(), content)
    write_whole(path, content.getvalue())
    return f"{path}: {network.size}"
