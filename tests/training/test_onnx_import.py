"""ONNX files come back into torch, and training can start from them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from my_submission.errors import DemixError
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.networks.tfc_tdf import TfcTdf, TfcTdfSize
from my_submission.networks.torch_tfc_tdf import load_tfc_tdf
from tests.conftest import write_scaling_network
from tests.golden_data import golden
from tests.tfc_tdf_files import GROUP_NORM_SIZE, NUM_FRAMES, SIZE, random_network, write_network
from training.__main__ import main
from training.export import export_onnx
from training.network import ScaledTfcTdf
from training.onnx_import import import_onnx, unfold_norms
from training.treble import WithTreble


def assert_computes_what(path: Path, network: nn.Module) -> None:
    """Demand that torch gives what onnxruntime does, to 1e-5 of the peak."""
    file = OnnxNetwork(path)
    spec = 20 * torch.randn(2, 4, file.dim_f, file.num_frames)
    expected = file(spec.numpy())
    with torch.no_grad():
        found = network(spec).numpy()
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("stem", ["bass", "drums", "other", "vocals"])
@pytest.mark.parametrize("system", ["leaderboard_a", "leaderboard_b"])
def test_files_in_the_published_form_come_back(system: str, stem: str) -> None:
    path = golden(f"models/{system}/{stem}.onnx")
    network = import_onnx(path)
    assert isinstance(network, TfcTdf)
    assert_computes_what(path, network)


@pytest.mark.parametrize(
    "size",
    [
        SIZE,
        TfcTdfSize(dim_f=64, num_blocks=1, num_layers=1, growth=4, bottleneck_factor=64),
        TfcTdfSize(dim_f=96, num_blocks=7, num_layers=3, growth=3, bottleneck_factor=5),
    ],
)
def test_sizes_are_read_off_the_file(size: TfcTdfSize, tmp_path: Path) -> None:
    path = write_network(tmp_path / "network.onnx", size)
    network = import_onnx(path)
    assert isinstance(network, TfcTdf)
    widths = [
        [value.shape for value in one.state_dict().values()] for one in (network, TfcTdf(size))
    ]
    assert widths[0] == widths[1]
    assert_computes_what(path, network)


@pytest.mark.parametrize("dim_f", [64, 100])
def test_scaled_networks_come_back(dim_f: int, tmp_path: Path) -> None:
    scaled = ScaledTfcTdf(SIZE, torch.linspace(9, 0.5, 64))
    scaled.network = random_network()
    network: nn.Module = scaled
    if dim_f > 64:
        network = WithTreble(scaled, torch.rand(dim_f - 64))
    path = tmp_path / "network.onnx"
    export_onnx(network, path, dim_f=dim_f, num_frames=NUM_FRAMES, metadata={})
    found = import_onnx(path)
    assert type(found) is type(network)
    assert_computes_what(path, found)


def test_the_starter_comes_back() -> None:
    path = Path(__file__).parents[2] / "models" / "starter" / "vocals.onnx"
    assert isinstance(import_onnx(path), WithTreble)


def test_other_networks_are_refused(tmp_path: Path) -> None:
    grouped = write_network(tmp_path / "grouped.onnx", GROUP_NORM_SIZE)
    scaling = tmp_path / "scaling.onnx"
    write_scaling_network(scaling, 0.5, dim_f=64, num_frames=16)
    for path in (grouped, scaling):
        with pytest.raises(DemixError, match="not a TFC-TDF network with BatchNorm") as error:
            import_onnx(path)
        assert "\n" not in str(error.value)


def test_a_file_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    path = write_network(tmp_path / "network.onnx")
    model = onnx.load(path)
    # The walk does not look at what a Softplus would be between two layers that it knows.
    output = model.graph.node[-1].output[0]
    model.graph.node[-1].output[0] = "before"
    model.graph.node.append(onnx.helper.make_node("Softplus", ["before"], [output]))
    onnx.save(model, path)
    with pytest.raises(DemixError, match="torch computes something else"):
        import_onnx(path)


def test_unfolded_norms_compute_the_same_and_can_be_trained(tmp_path: Path) -> None:
    trained = random_network()
    path = write_network(tmp_path / "network.onnx")
    spec = 3 * torch.randn(6, 4, 64, NUM_FRAMES)
    folded, unfolded = import_onnx(path), import_onnx(path)
    unfold_norms(unfolded, spec)
    assert_computes_what(path, unfolded)
    with torch.no_grad():
        expected = trained(spec)
        errors = [
            float((one.train()(spec) - expected).square().mean() / expected.square().mean())
            for one in (folded, unfolded)
        ]
    # Norms over the batch take the folded factors away.
    assert errors[1] < 1e-4 < 0.1 < errors[0]


def test_the_command_writes_a_checkpoint_with_the_published_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_network(tmp_path / "network.onnx")
    assert main(["import", str(path), str(tmp_path / "network.pt")]) == 0
    assert f"{replace(SIZE)}" in capsys.readouterr().out
    assert_computes_what(path, load_tfc_tdf(tmp_path / "network.pt"))
    assert main(["import", str(path), str(tmp_path / "network.ckpt")]) == 1
    assert main(["import", str(tmp_path / "none.onnx"), str(tmp_path / "network.pt")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2
