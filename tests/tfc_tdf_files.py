"""Files of small TFC-TDF networks, for tests of what runs them."""

from pathlib import Path

import onnx
import torch
from torch import nn

from my_submission.networks.tfc_tdf import TfcTdf, TfcTdfSize
from training.export import export_onnx

SIZE = TfcTdfSize(dim_f=64, num_blocks=5, num_layers=2, growth=8, bottleneck_factor=4)
GROUP_NORM_SIZE = TfcTdfSize(
    dim_f=64, num_blocks=5, num_layers=2, growth=8, bottleneck_factor=4, norm_groups=2
)
NUM_FRAMES, N_FFT = 16, 2048


def random_network(size: TfcTdfSize = SIZE) -> TfcTdf:
    """Make a network of random weights and statistics, the same one at every call."""
    torch.manual_seed(0)
    network = TfcTdf(size)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0, 0.2)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
            nn.init.normal_(module.running_mean, 0, 0.2)  # type: ignore[arg-type]
    return network.eval()


def write_network(path: Path, size: TfcTdfSize = SIZE, num_frames: int = NUM_FRAMES) -> Path:
    """Write such a network as ONNX, or for a name that ends with ``.pt`` as a checkpoint."""
    network = random_network(size)
    if path.suffix == ".pt":
        torch.save(network.state_dict(), path)
    else:
        metadata = {"n_fft": str(N_FFT)}
        export_onnx(network, path, dim_f=size.dim_f, num_frames=num_frames, metadata=metadata)
    return path


def write_one_operation(path: Path, operation: str, *, dim_f: int, num_frames: int) -> None:
    """Write a network of one ONNX operation, from one tensor to another."""
    input_, output = (
        onnx.helper.make_tensor_value_info(
            name, onnx.TensorProto.FLOAT, ["batch", 4, dim_f, num_frames]
        )
        for name in ("input", "output")
    )
    node = onnx.helper.make_node(operation, ["input"], ["output"])
    graph = onnx.helper.make_graph([node], operation, [input_], [output])
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
