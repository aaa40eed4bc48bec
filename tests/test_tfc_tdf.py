"""The TFC-TDF definition against the published file formats."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from my_submission.errors import DemixError
from my_submission.networks.tfc_tdf import (
    TfcTdf,
    TfcTdfSize,
    num_parameters,
    size_from_state_dict,
)
from my_submission.networks.torch_tfc_tdf import TorchNetwork, load_tfc_tdf
from tests.golden_data import golden

TINY = TfcTdfSize(dim_f=32, num_blocks=5, num_layers=2, growth=4, bottleneck_factor=4)


def onnx_parameters(path: Path) -> dict[str, Tensor]:
    """Read an exported network's parameters by their published names.

    The published export folds normalisation into the convolution before it, where there is one,
    and transposes the weights of linear layers.
    """
    graph = onnx.load(path).graph
    values = {
        item.name: torch.from_numpy(onnx.numpy_helper.to_array(item).copy())
        for item in graph.initializer
    }
    state = {name: value for name, value in values.items() if not name.startswith("onnx::")}
    for node in graph.node:
        # ".../H.0/H.0.0/Conv_output_0": the second last part is the module, the first its block.
        parts = node.output[0].strip("/").split("/")
        if node.op_type not in ("Conv", "MatMul") or node.output[0] == "output":
            continue
        module = parts[-2]
        if (len(parts) > 2 and parts[-3] in ("tdf",)) or module.startswith("tdf"):
            module = f"{parts[0]}.{module}"
        elif module.startswith("H."):
            module = f"{parts[0]}.tfc.{module}"
        weight = values[node.input[1]]
        state[f"{module}.weight"] = weight if node.op_type == "Conv" else weight.T
        if node.op_type == "Conv":
            state[f"{module}.bias"] = values[node.input[2]]
    return state


def with_identity_norms(state: dict[str, Tensor], size: TfcTdfSize) -> dict[str, Tensor]:
    """Complete a state whose normalisations were folded away."""
    full = TfcTdf(size).state_dict()
    for name, value in full.items():
        if name.endswith("num_batches_tracked"):
            continue
        if name in state:
            full[name] = state[name]
        else:
            kind = name.rsplit(".", 1)[1]
            one = (1 + nn.BatchNorm2d(1).eps) ** 0.5
            constant = {"weight": one, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
            full[name] = torch.full_like(value, constant[kind])
    return full


@pytest.mark.parametrize(
    ("system", "stem", "num_blocks"),
    [("leaderboard_a", "drums", 5), ("leaderboard_a", "bass", 5), ("leaderboard_b", "drums", 3)],
)
def test_the_network_computes_what_the_published_file_does(
    system: str, stem: str, num_blocks: int, rng: np.random.Generator
) -> None:
    path = golden(f"models/{system}/{stem}.onnx")
    size = TfcTdfSize(
        dim_f=2048, num_blocks=num_blocks, num_layers=1, growth=4, bottleneck_factor=64
    )
    state = onnx_parameters(path)
    assert set(state) <= set(TfcTdf(size).state_dict())
    network = TfcTdf(size).eval()
    network.load_state_dict(with_identity_norms(state, size))

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    frames = session.get_inputs()[0].shape[3]
    spec = rng.standard_normal((1, 4, 2048, frames)).astype(np.float32)
    expected = session.run(["output"], {"input": spec})[0]
    with torch.no_grad():
        found = network(torch.from_numpy(spec)).numpy()
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(("stem", "groups"), [("drums", 2), ("other", 2), ("bass", 4)])
def test_published_checkpoints_load_strictly(stem: str, groups: int) -> None:
    path = golden(f"models/leaderboard_c/{stem}.pt")
    state = torch.load(path, weights_only=True)
    network = load_tfc_tdf(path, norm_groups=groups)
    assert set(state) - set(network.state_dict()) == {"window", "freq_pad"}
    assert network.size == TfcTdfSize(
        dim_f=2048 if stem == "bass" else 3072,
        num_blocks=5,
        num_layers=1,
        growth=4,
        bottleneck_factor=64,
        norm_groups=groups,
    )
    assert not network.training


def test_the_full_size_network_has_as_many_parameters_as_published() -> None:
    size = TfcTdfSize(dim_f=2048, num_blocks=11, num_layers=3, growth=32, bottleneck_factor=8)
    with torch.device("meta"):
        network = TfcTdf(size)
    assert round(num_parameters(network) / 1e6, 2) == 7.42


@pytest.mark.parametrize("num_blocks", [1, 3, 5])
@pytest.mark.parametrize("norm_groups", [None, 2])
def test_the_size_can_be_read_off_a_checkpoint(num_blocks: int, norm_groups: int | None) -> None:
    size = TfcTdfSize(
        dim_f=48,
        num_blocks=num_blocks,
        num_layers=3,
        growth=6,
        bottleneck_factor=5,
        norm_groups=norm_groups,
    )
    assert size_from_state_dict(TfcTdf(size).state_dict(), norm_groups) == size


def test_the_output_has_the_input_s_shape() -> None:
    network = TfcTdf(TINY).eval()
    assert TINY.time_factor == 4
    for frames in (4, 20):
        assert network(torch.zeros(3, 4, 32, frames)).shape == (3, 4, 32, frames)


def test_examples_of_a_batch_do_not_touch_each_other() -> None:
    torch.manual_seed(0)
    network = TfcTdf(TINY).eval()
    spec = torch.randn(3, 4, 32, 8)
    with torch.no_grad():
        whole, alone = network(spec), network(spec[1:2])
    assert torch.allclose(whole[1:2], alone, atol=1e-6)


def test_time_can_be_shifted_by_the_downsampling() -> None:
    # Convolutional in time: far from the ends a shift of the input is a shift of the output.
    torch.manual_seed(0)
    network = TfcTdf(TINY).eval()
    spec = torch.zeros(1, 4, 32, 96)
    spec[..., 40:56] = torch.randn(1, 4, 32, 16)
    with torch.no_grad():
        moved = network(spec.roll(4, dims=-1))
        expected = network(spec).roll(4, dims=-1)
    assert torch.allclose(moved[..., 24:72], expected[..., 24:72], atol=1e-5)


def test_a_checkpoint_of_group_norm_needs_its_groups(tmp_path: Path) -> None:
    size = TfcTdfSize(
        dim_f=16, num_blocks=3, num_layers=1, growth=4, bottleneck_factor=4, norm_groups=2
    )
    torch.save(TfcTdf(size).state_dict(), tmp_path / "bass.pt")
    with pytest.raises(DemixError, match=r"bass\.pt: .*norm groups"):
        load_tfc_tdf(tmp_path / "bass.pt")


def test_a_checkpoint_of_batch_norm_knows_its_norms(tmp_path: Path) -> None:
    network = TfcTdf(TINY).eval()
    torch.save(network.state_dict(), tmp_path / "bass.ckpt")
    spec = torch.randn(1, 4, 32, 8)
    with torch.no_grad():
        assert torch.equal(load_tfc_tdf(tmp_path / "bass.ckpt")(spec), network(spec))


def test_a_checkpoint_with_a_name_too_few_or_too_many_is_an_error(tmp_path: Path) -> None:
    def load(state: dict[str, torch.Tensor]) -> None:
        torch.save(state, tmp_path / "bass.pt")
        load_tfc_tdf(tmp_path / "bass.pt")

    state = dict(TfcTdf(TINY).state_dict())
    with pytest.raises(DemixError, match="surplus"):
        load(state | {"surplus": torch.zeros(1)})
    del state["final_conv.0.bias"]
    with pytest.raises(DemixError, match=r"final_conv\.0\.bias"):
        load(state)
    del state["first_conv.0.weight"]
    with pytest.raises(DemixError, match=r"bass\.pt: .*first_conv\.0\.weight"):
        load(state)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoding_blocks.0.tdf.0.weight", torch.zeros(8)),
        ("encoding_blocks.0.tdf.0.weight", torch.zeros(0, 32)),
        ("encoding_blocks.0.tdf.0.weight", torch.zeros(40, 32)),
        ("first_conv.0.weight", torch.zeros(())),
        ("first_conv.0.weight", torch.zeros(0, 4, 1, 1)),
        ("first_conv.1.num_batches_tracked", torch.zeros(0, dtype=torch.int64)),
    ],
)
def test_weights_of_impossible_shapes_are_an_error(
    tmp_path: Path, name: str, value: torch.Tensor
) -> None:
    torch.save({**TfcTdf(TINY).state_dict(), name: value}, tmp_path / "bass.pt")
    with pytest.raises(DemixError, match=r"bass\.pt: "):
        load_tfc_tdf(tmp_path / "bass.pt")


def test_frames_that_do_not_fit_are_an_error(tmp_path: Path) -> None:
    torch.save(TfcTdf(TINY).state_dict(), tmp_path / "bass.pt")
    with pytest.raises(DemixError, match="multiples of 4 frames, not 30"):
        TorchNetwork(tmp_path / "bass.pt", num_frames=30, norm_groups=None)


@pytest.mark.parametrize(
    "size",
    [
        TfcTdfSize(dim_f=32, num_blocks=4, num_layers=1, growth=4, bottleneck_factor=4),
        TfcTdfSize(dim_f=30, num_blocks=5, num_layers=1, growth=4, bottleneck_factor=4),
        TfcTdfSize(dim_f=32, num_blocks=5, num_layers=1, growth=4, bottleneck_factor=16),
        TfcTdfSize(dim_f=32, num_blocks=5, num_layers=0, growth=4, bottleneck_factor=4),
        TfcTdfSize(
            dim_f=32, num_blocks=5, num_layers=1, growth=4, bottleneck_factor=4, norm_groups=3
        ),
    ],
)
def test_impossible_sizes_are_an_error(size: TfcTdfSize) -> None:
    with pytest.raises(DemixError, match="no TFC-TDF network"):
        TfcTdf(size)
