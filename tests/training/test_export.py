"""Exported files compute what the trained networks do, or are not written."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from my_submission.errors import DemixError
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.networks.tfc_tdf import TfcTdfSize
from training.export import NotFiniteError, export_onnx
from training.network import ScaledTfcTdf

SIZE = TfcTdfSize(dim_f=32, num_blocks=5, num_layers=2, growth=4, bottleneck_factor=4)
METADATA = {"system": "starter", "stem": "bass", "n_fft": "16384"}


def trained_network() -> ScaledTfcTdf:
    """Give a network whose batch statistics are not those of the start."""
    torch.manual_seed(0)
    network = ScaledTfcTdf(SIZE, torch.linspace(10, 0.5, 32)).train()
    with torch.no_grad():
        for _ in range(30):
            network(10 * torch.randn(4, 4, 32, 16))
    return network.eval()


def test_the_file_computes_what_the_network_does(tmp_path: Path, rng: np.random.Generator) -> None:
    network = trained_network()
    path = tmp_path / "bass.onnx"
    assert export_onnx(network, path, dim_f=32, num_frames=16, metadata=METADATA) < 1e-5
    found = OnnxNetwork(path)
    assert (found.dim_f, found.num_frames) == (32, 16)
    assert found.metadata == METADATA
    for batch in (1, 3):
        spec = (20 * rng.standard_normal((batch, 4, 32, 16))).astype(np.float32)
        with torch.no_grad():
            expected = network(torch.from_numpy(spec)).numpy()
        assert np.abs(found(spec) - expected).max() < 1e-5 * np.abs(expected).max()


def test_the_file_has_the_published_form(tmp_path: Path) -> None:
    path = tmp_path / "bass.onnx"
    export_onnx(trained_network(), path, dim_f=32, num_frames=16, metadata=METADATA)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for (value,), name in ((session.get_inputs(), "input"), (session.get_outputs(), "output")):
        assert value.name == name
        assert isinstance(value.shape[0], str) and value.shape[1:] == [4, 32, 16]
    norms = [node for node in onnx.load(path).graph.node if node.op_type == "BatchNormalization"]
    convolutions = 1 + 2 * 5 + 2  # first, in blocks, down
    assert len(norms) == len([m for m in trained_network().modules() if _is_norm(m)]) - convolutions


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.BatchNorm2d)


class DiffersWhenExported(nn.Module):
    """Computes something else while it is being exported."""

    def forward(self, spec: Tensor) -> Tensor:
        """Scale the input."""
        return spec * (1.001 if torch.onnx.is_in_onnx_export() else 1.0)


def test_a_file_that_computes_something_else_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match=r"differs from the trained one by 1\.0e-03"):
        export_onnx(
            DiffersWhenExported(), tmp_path / "bass.onnx", dim_f=8, num_frames=4, metadata={}
        )
    assert not list(tmp_path.iterdir())


class Overflows(nn.Module):
    """Computes what float32 does not hold, from weights that it does."""

    def forward(self, spec: Tensor) -> Tensor:
        """Scale the input."""
        return spec * 1e30 * 1e30


def test_a_network_without_finite_output_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(NotFiniteError, match=r"bass\.onnx: .* its training has diverged"):
        export_onnx(Overflows(), tmp_path / "bass.onnx", dim_f=8, num_frames=4, metadata={})
    assert not list(tmp_path.iterdir())
