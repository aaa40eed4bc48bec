"""Export of a trained network to the file format that the published systems use."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from my_submission.errors import DemixError

NUM_FRAMES = 256
"""Frames of the exported network, as in its system's table."""

TOLERANCE = 1e-5
"""Largest difference between the file's output and the network's, relative to the peak."""

OPSET = 17


def export_onnx(
    network: nn.Module,
    path: Path,
    *,
    dim_f: int,
    num_frames: int = NUM_FRAMES,
    metadata: Mapping[str, str],
    seed: int = 0,
) -> float:
    """Write a network as ONNX, with a dynamic batch axis and nothing else dynamic.

    The file appears under its name only after onnxruntime has computed the same from it as torch
    from the network.

    Args:
        network: Maps `[batch, 4, dim_f, num_frames]` to the same shape; put in evaluation mode,
            so that batch normalisation is folded into the convolutions before it.
        path: The file; its folder is made.
        dim_f: Frequency bins.
        num_frames: Frames.
        metadata: Written into the file.
        seed: Of the spectrogram that is compared.

    Returns:
        The largest difference, relative to the peak.

    Raises:
        DemixError: The file computes something else than the network.
    """
    network.eval()
    generator = torch.Generator().manual_seed(seed)
    example = 10 * torch.randn(2, 4, dim_f, num_frames, generator=generator)
    buffer = io.BytesIO()
    with torch.no_grad():
        torch.onnx.export(
            network,
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

    difference = _difference(network, content, example)
    if not difference <= TOLERANCE:
        raise DemixError(
            f"{path}: the exported network differs from the trained one by {difference:.1e} "
            f"of the peak, allowed is {TOLERANCE:.0e}; it has not been written"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_bytes(content)
    temporary.replace(path)
    return difference


def _difference(network: nn.Module, content: bytes, example: Tensor) -> float:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found = session.run(["output"], {"input": example.numpy()})[0]
    with torch.no_grad():
        expected = network(example).numpy()
    return float(np.abs(found - expected).max() / np.abs(expected).max())
