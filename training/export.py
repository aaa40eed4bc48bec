"""Export of a network to the file format that the published systems use."""

import copy
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from my_submission.errors import DemixError
from my_submission.stems import Audio
from training.files import write_whole

NUM_FRAMES = 256
"""Frames of the exported network, as in its system's table."""

TOLERANCE = 1e-5
"""Largest difference between the file's output and the network's, relative to the peak."""

OPSET = 17


class NotFiniteError(DemixError):
    """A network that computes infinite numbers, or none."""


def export_onnx(
    network: nn.Module,
    path: Path,
    *,
    dim_f: int,
    num_frames: int = NUM_FRAMES,
    metadata: Mapping[str, str],
) -> float:
    """Write a network as ONNX, with a dynamic batch axis and nothing else dynamic.

    The file appears under its name only after onnxruntime has computed the same from it as torch
    from the network.

    Args:
        network: Maps `[batch, 4, dim_f, num_frames]` to the same shape; put in evaluation mode,
            so that batch normalisation is folded into the convolutions before it. Its
            GroupNorms are exported as `ExactGroupNorm`.
        path: The file; its folder is made.
        dim_f: Frequency bins.
        num_frames: Frames.
        metadata: Written into the file.

    Returns:
        The largest difference, relative to the peak.

    Raises:
        DemixError: The file computes something else than the network, or cannot be written.
        NotFiniteError: The network computes what is no finite number.
    """
    content, difference = onnx_content(
        network, path, dim_f=dim_f, num_frames=num_frames, metadata=metadata
    )
    write_whole(path, content)
    return difference


def onnx_content(
    network: nn.Module, path: Path, *, dim_f: int, num_frames: int, metadata: Mapping[str, str]
) -> tuple[bytes, float]:
    """Make and compare what `export_onnx` writes to `path`, and write nothing.

    Returns:
        The file's bytes, and the largest difference.

    Raises:
        DemixError: The file would compute something else than the network.
        NotFiniteError: The network computes what is no finite number.
    """
    network.eval()
    generator = torch.Generator().manual_seed(0)
    example = 10 * torch.randn(2, 4, dim_f, num_frames, generator=generator)
    buffer = io.BytesIO()
    with torch.no_grad():
        torch.onnx.export(
            _with_exact_norms(network),
            (example[:1],),
            buffer,  # type: ignore[arg-type]  # documented, left out of the annotation
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
            opset_version=OPSET,
            # The newer exporter needs packages that nothing else here does.
            dynamo=False,
        )
    model = onnx.load_model_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, dict(metadata))
    # Shape inference through the graph leaves the output's other axes symbolic.
    for axis, length in enumerate((4, dim_f, num_frames), start=1):
        model.graph.output[0].type.tensor_type.shape.dim[axis].dim_value = length
    onnx.checker.check_model(model)
    content = model.SerializeToString()

    with torch.no_grad():
        expected = network(example).numpy()
    if not np.isfinite(expected).all():
        raise NotFiniteError(
            f"{path}: has not been written, since the network's own output is not finite: "
            "its training has diverged"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found = session.run(["output"], {"input": example.numpy()})[0]
    difference = relative_difference(found, expected)
    if not difference <= TOLERANCE:
        raise DemixError(
            f"{path}: the exported network differs from the trained one by {difference:.1e} "
            f"of the peak, allowed is {TOLERANCE:.0e}; it has not been written"
        )
    return content, difference


class ExactGroupNorm(nn.Module):
    """Compute what a GroupNorm does, in operations that every runtime computes exactly enough.

    torch's exporter makes GroupNorm an InstanceNormalization over millions of values. Full-size
    networks then differ from torch by up to 4e-3 of the peak in onnxruntime and 2e-3 in OpenVINO,
    and with the operator GroupNormalization by 6e-3 and 2e-5. Here mean and variance are taken of
    one row of bins at a time and put together afterwards, which leaves less than 1e-5 in both.

    Args:
        norm: What it is to replace.

    Shape:
        Input and output `[batch, channels, frames, bins]`.
    """

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each group of channels over its channels, frames and bins."""
        groups, channels = self.norm.num_groups, self.norm.num_channels
        rows = x.reshape(x.shape[0], groups, -1, x.shape[3])
        row_mean = rows.mean(-1, keepdim=True)
        # A norm and no mean of squares, which would be one more tensor as large as the input.
        row_norm = torch.linalg.vector_norm(rows - row_mean, dim=-1, keepdim=True)
        mean = row_mean.mean(-2, keepdim=True)
        within = (row_norm.square() / x.shape[3]).mean(-2, keepdim=True)
        between = (row_mean - mean).square().mean(-2, keepdim=True)
        of_groups = (1, groups, channels // groups, 1)
        scale = self.norm.weight.reshape(of_groups) / (within + between + self.norm.eps).sqrt()
        shift = self.norm.bias.reshape(of_groups) - mean * scale
        normed: Tensor = x * scale.reshape(-1, channels, 1, 1) + shift.reshape(-1, channels, 1, 1)
        return normed


def _with_exact_norms(network: nn.Module) -> nn.Module:
    """Copy a network, with every GroupNorm in a form that exports exactly."""
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(parent, name, ExactGroupNorm(child))
    return network.eval()


def relative_difference(found: Audio, expected: Audio) -> float:
    """Give the largest difference, relative to the peak of what was expected."""
    difference, peak = np.abs(found - expected).max(), np.abs(expected).max()
    return float(difference / peak) if peak > 0 else float(difference)
