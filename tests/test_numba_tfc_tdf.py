"""The numba backend computes what onnxruntime computes, or says that it cannot."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from my_submission.devices import has_amx
from my_submission.errors import DemixError
from my_submission.networks import numba_tfc_tdf
from my_submission.networks.numba_tfc_tdf import NumbaNetwork
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.networks.tfc_tdf import TfcTdfSize
from my_submission.networks.tfc_tdf_file import UnsupportedError
from my_submission.stems import Audio
from tests.conftest import write_scaling_network
from tests.golden_data import golden
from tests.tfc_tdf_files import SIZE, write_network


def spectrogram(rng: np.random.Generator, network: OnnxNetwork | NumbaNetwork, n: int = 1) -> Audio:
    """Give random input for a network."""
    shape = (n, 4, network.dim_f, network.num_frames)
    return 10 * rng.standard_normal(shape).astype(np.float32)


def assert_same(found: Audio, expected: Audio) -> None:
    """Demand equality to 1e-5 of the peak."""
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    "size, num_frames",
    [
        (SIZE, 16),
        (SIZE, 48),
        (TfcTdfSize(dim_f=6, num_blocks=1, num_layers=1, growth=3, bottleneck_factor=2), 4),
        (TfcTdfSize(dim_f=96, num_blocks=3, num_layers=4, growth=20, bottleneck_factor=8), 264),
        (TfcTdfSize(dim_f=1024, num_blocks=7, num_layers=1, growth=32, bottleneck_factor=8), 32),
    ],
)
def test_a_network_equals_onnxruntime(
    tmp_path: Path, rng: np.random.Generator, size: TfcTdfSize, num_frames: int
) -> None:
    path = write_network(tmp_path / "net.onnx", size, num_frames)
    expected, found = OnnxNetwork(path), NumbaNetwork(path)
    assert (found.dim_f, found.num_frames) == (expected.dim_f, expected.num_frames)
    x = spectrogram(rng, found, 2)
    assert_same(found(x), expected(x))
    assert_same(found(x[::-1]), expected(x[::-1]))  # nothing is left of the pass before


@pytest.mark.parametrize("system", ["leaderboard_a", "leaderboard_b"])
@pytest.mark.parametrize("stem", ["bass", "drums"])
def test_a_published_network_equals_onnxruntime(
    rng: np.random.Generator, system: str, stem: str
) -> None:
    path = golden(f"models/{system}/{stem}.onnx")
    found = NumbaNetwork(path)
    x = spectrogram(rng, found)
    assert_same(found(x), OnnxNetwork(path)(x))


def test_networks_of_a_size_do_not_disturb_each_other(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    a = NumbaNetwork(write_network(tmp_path / "a.onnx"))
    b = NumbaNetwork(golden("models/leaderboard_a/bass.onnx"))
    x, y = spectrogram(rng, a), spectrogram(rng, b)
    alone = a(x), b(y)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: job[0](job[1]), [(a, x), (b, y)] * 4))
    for index, estimate in enumerate(together):
        np.testing.assert_array_equal(estimate, alone[index % 2])


@pytest.mark.parametrize("num_threads", [1, 2, 3])
def test_the_number_of_threads_changes_nothing(
    tmp_path: Path, rng: np.random.Generator, num_threads: int
) -> None:
    network = NumbaNetwork(write_network(tmp_path / "net.onnx"))
    x = spectrogram(rng, network)
    usual, threads = network(x), torch.get_num_threads()
    try:
        torch.set_num_threads(num_threads)
        found = network(x)
        assert torch.get_num_threads() == num_threads
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(found, usual)


def test_nothing_that_is_not_a_number_gets_lost(tmp_path: Path, rng: np.random.Generator) -> None:
    network = NumbaNetwork(write_network(tmp_path / "net.onnx"))
    x = spectrogram(rng, network)
    x[0, 0, 5, 5] = np.nan
    assert np.isnan(network(x)).any()


needs_amx = pytest.mark.skipif(not has_amx(), reason="a processor without AMX")


@needs_amx
@pytest.mark.parametrize(
    "size, num_frames",
    [
        (TfcTdfSize(dim_f=32, num_blocks=1, num_layers=2, growth=32, bottleneck_factor=2), 16),
        (TfcTdfSize(dim_f=128, num_blocks=5, num_layers=2, growth=32, bottleneck_factor=8), 64),
        (TfcTdfSize(dim_f=192, num_blocks=3, num_layers=3, growth=64, bottleneck_factor=6), 96),
    ],
)
def test_a_network_in_bfloat16_is_near_that_in_float32(
    tmp_path: Path, rng: np.random.Generator, size: TfcTdfSize, num_frames: int
) -> None:
    path = write_network(tmp_path / "net.onnx", size, num_frames)
    exact, found = NumbaNetwork(path), NumbaNetwork(path, low_precision=True)
    assert (exact.dtype, found.dtype) == (torch.float32, torch.bfloat16)
    x = spectrogram(rng, found, 2)
    expected, estimate = exact(x), found(x)
    assert estimate.dtype == np.float32
    error = np.square(estimate - expected).mean() / np.square(expected).mean()
    assert error < 10 ** (-35 / 10)  # 36 dB and more; a wrong bin or channel would leave about 0
    np.testing.assert_array_equal(found(x[::-1]), estimate[::-1])


@needs_amx
def test_in_bfloat16_too_the_number_of_threads_changes_nothing(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    size = TfcTdfSize(dim_f=128, num_blocks=3, num_layers=1, growth=32, bottleneck_factor=8)
    network = NumbaNetwork(write_network(tmp_path / "net.onnx", size, 64), low_precision=True)
    x, threads = spectrogram(rng, network), torch.get_num_threads()
    found = []
    try:
        for num_threads in (1, 2, 3):
            torch.set_num_threads(num_threads)
            found.append(network(x))
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


def test_without_amx_bfloat16_is_left_to_other_backends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba_tfc_tdf, "has_amx", lambda: False)
    with pytest.raises(UnsupportedError, match=r"net\.onnx: numba has bfloat16 .* AMX"):
        NumbaNetwork(write_network(tmp_path / "net.onnx"), low_precision=True)


@needs_amx
def test_sizes_that_make_no_tiles_of_bfloat16_are_left_to_other_backends(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"do not make whole tiles of bfloat16"):
        NumbaNetwork(write_network(tmp_path / "net.onnx"), low_precision=True)


def test_other_networks_are_left_to_other_backends(tmp_path: Path) -> None:
    write_scaling_network(tmp_path / "scaling.onnx", 0.5)
    with pytest.raises(UnsupportedError, match=r"scaling\.onnx: Mul where"):
        NumbaNetwork(tmp_path / "scaling.onnx")
    size = TfcTdfSize(
        dim_f=32, num_blocks=3, num_layers=1, growth=4, bottleneck_factor=4, norm_groups=2
    )
    with pytest.raises(UnsupportedError, match="where the published networks have Relu"):
        NumbaNetwork(write_network(tmp_path / "group_norm.onnx", size))


@pytest.mark.parametrize("dim_f, num_frames", [(30, 16), (32, 8)])
def test_sizes_that_make_no_tiles_are_left_to_other_backends(
    tmp_path: Path, dim_f: int, num_frames: int
) -> None:
    levels = 1 if dim_f == 30 else 2
    size = TfcTdfSize(
        dim_f=dim_f, num_blocks=2 * levels + 1, num_layers=1, growth=4, bottleneck_factor=2
    )
    with pytest.raises(UnsupportedError, match=f"{dim_f} bins and {num_frames} frames on {levels}"):
        NumbaNetwork(write_network(tmp_path / "net.onnx", size, num_frames))


def rewired(node_type: str) -> Callable[[onnx.GraphProto], None]:
    """Connect the first node of a kind to the input of the one before it."""

    def change(graph: onnx.GraphProto) -> None:
        index = next(i for i, node in enumerate(graph.node) if node.op_type == node_type)
        before = graph.node[index].input[0]
        maker = next(node for node in graph.node if before in node.output)
        graph.node[index].input[0] = maker.input[0]

    return change


def dilated(graph: onnx.GraphProto) -> None:
    """Spread the 3x3 convolutions out."""
    for node in graph.node:
        for item in node.attribute:
            if item.name in ("dilations", "pads") and node.op_type == "Conv" and "H." in node.name:
                item.ints[:] = [2] * len(item.ints)


@pytest.mark.parametrize("change", [rewired("MatMul"), rewired("Relu"), rewired("Add"), dilated])
def test_a_graph_that_only_looks_like_one_is_not_run_as_one(
    tmp_path: Path, change: Callable[[onnx.GraphProto], None]
) -> None:
    path = write_network(tmp_path / "net.onnx")
    model = onnx.load(path)
    change(model.graph)
    onnx.save(model, path)
    with pytest.raises(UnsupportedError, match=r"net\.onnx: "):
        NumbaNetwork(path)


@pytest.mark.parametrize("operation", ["Conv", "ConvTranspose", "BatchNormalization", "MatMul"])
@pytest.mark.parametrize("doubled", [1, 2])
def test_weights_that_do_not_fit_each_other_are_not_run(
    tmp_path: Path, operation: str, doubled: int
) -> None:
    path = write_network(tmp_path / "net.onnx")
    model = onnx.load(path)
    weights = {item.name: item for item in model.graph.initializer}
    refused = 0
    for node in [node for node in model.graph.node if node.op_type == operation]:
        if len(node.input) <= doubled or node.input[doubled] not in weights:
            continue
        item = weights[node.input[doubled]]
        before = onnx.TensorProto.FromString(item.SerializeToString())
        value = onnx.numpy_helper.to_array(item)
        item.CopyFrom(onnx.numpy_helper.from_array(np.concatenate([value] * 2), item.name))
        onnx.save(model, path)
        # onnxruntime refuses some when it loads them, and others only when it runs them.
        with pytest.raises(DemixError, match=r"net\.onnx: "):
            NumbaNetwork(path)
        refused += 1
        item.CopyFrom(before)
    assert refused or (operation, doubled) == ("MatMul", 2)


def test_a_missing_or_damaged_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match="no such file"):
        NumbaNetwork(tmp_path / "net.onnx")
    (tmp_path / "net.onnx").write_bytes(b"not a network")
    with pytest.raises(DemixError, match=r"not a usable ONNX file .*fetch it again"):
        NumbaNetwork(tmp_path / "net.onnx")
