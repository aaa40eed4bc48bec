"""The openvino backend computes what onnxruntime computes, and close to it in bfloat16."""

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from my_submission.errors import DemixError
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.networks.openvino_runtime import (
    OpenvinoNetwork,
    flatten_linear_layers,
    import_openvino,
)
from my_submission.networks.tfc_tdf import TfcTdfSize
from my_submission.networks.tfc_tdf_file import UnsupportedError
from my_submission.stems import Audio
from tests.conftest import write_scaling_network
from tests.tfc_tdf_files import (
    GROUP_NORM_SIZE,
    NUM_FRAMES,
    SIZE,
    write_network,
    write_one_operation,
)

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of a small network with BatchNorm."""
    return write_network(tmp_path_factory.mktemp("networks") / "net.onnx")


def spectrograms(rng: np.random.Generator, batch: int) -> Audio:
    """Give random input of the small networks."""
    return 10 * rng.standard_normal((batch, 4, SIZE.dim_f, NUM_FRAMES)).astype(np.float32)


def decibels(found: Audio, expected: Audio) -> float:
    """Give the ratio of the expected energy to that of the difference."""
    return float(10 * np.log10(np.sum(expected**2) / np.sum((found - expected) ** 2)))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("size", [SIZE, GROUP_NORM_SIZE])
def test_a_network_equals_onnxruntime(
    tmp_path: Path, rng: np.random.Generator, size: TfcTdfSize, batch: int
) -> None:
    path = write_network(tmp_path / "net.onnx", size)
    found, expected = OpenvinoNetwork(path), OnnxNetwork(path)
    for name in ("path", "dim_f", "num_frames", "metadata"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.dtype == torch.float32
    x = spectrograms(rng, batch)
    assert found(x).dtype == np.float32
    assert np.abs(found(x) - expected(x)).max() < 1e-5 * np.abs(expected(x)).max()
    # Strides must not matter, as they do not in numpy.
    np.testing.assert_array_equal(found(np.asfortranarray(x)), found(x))


def test_bfloat16_stays_close(path: Path, rng: np.random.Generator) -> None:
    exact, fast = OpenvinoNetwork(path), OpenvinoNetwork(path, low_precision=True)
    assert fast.dtype == torch.bfloat16
    x = spectrograms(rng, 2)
    assert decibels(fast(x), exact(x)) > 40


def test_a_network_with_group_norm_is_left_in_float32(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    path = write_network(tmp_path / "net.onnx", GROUP_NORM_SIZE)
    exact, fast = OpenvinoNetwork(path), OpenvinoNetwork(path, low_precision=True)
    assert fast.dtype == torch.float32
    x = spectrograms(rng, 1)
    np.testing.assert_array_equal(fast(x), exact(x))


def compiled(path: Path, *, flatten: bool) -> tuple[Any, Any]:
    """Give a network's graph and what openvino makes of it, in float32."""
    core = import_openvino().Core()
    model = core.read_model(path)
    model.reshape([1, 4, SIZE.dim_f, NUM_FRAMES])
    if flatten:
        flatten_linear_layers(model)
    return model, core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


@pytest.mark.parametrize("size", [SIZE, GROUP_NORM_SIZE])
def test_flattening_changes_no_value(
    tmp_path: Path, rng: np.random.Generator, size: TfcTdfSize
) -> None:
    path = write_network(tmp_path / "net.onnx", size)
    x = spectrograms(rng, 1)
    expected, found = (compiled(path, flatten=flatten)[1](x)[0] for flatten in (False, True))
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_no_linear_layer_is_left_in_four_dimensions(path: Path) -> None:
    model, network = compiled(path, flatten=True)
    shapes = [n.input(0).get_shape() for n in model.get_ops() if n.get_type_name() == "MatMul"]
    assert len(shapes) == 2 * SIZE.num_blocks
    assert {len(shape) for shape in shapes} == {2}
    # Openvino writes graphs anew. This is what it runs, with one copy of each layer's weights.
    layers = [
        node
        for node in network.get_runtime_model().get_ops()
        if node.get_rt_info()["layerType"] in ("MatMul", "FullyConnected")
    ]
    weights = Counter(int(np.prod(node.input(1).get_shape())) for node in layers)
    levels = [SIZE.dim_f >> level for level in (0, 1, 2, 1, 0)]
    assert weights == Counter(
        bins * bins // SIZE.bottleneck_factor for bins in levels for _ in range(2)
    )


def test_other_graphs_are_run_as_they_are(tmp_path: Path, rng: np.random.Generator) -> None:
    write_scaling_network(tmp_path / "net.onnx", 0.5, dim_f=64, num_frames=16)
    x = spectrograms(rng, 2)
    np.testing.assert_array_equal(OpenvinoNetwork(tmp_path / "net.onnx")(x), x * np.float32(0.5))


def test_songs_side_by_side_do_not_disturb_each_other(path: Path, rng: np.random.Generator) -> None:
    network = OpenvinoNetwork(path)
    inputs = [spectrograms(rng, batch) for batch in (1, 2, 1, 3)]
    alone = [network(x) for x in inputs]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(network, inputs * 5))
    for index, estimate in enumerate(together):
        np.testing.assert_array_equal(estimate, alone[index % len(alone)])


def test_a_missing_or_another_networks_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match="no such file"):
        OpenvinoNetwork(tmp_path / "net.onnx")
    write_scaling_network(tmp_path / "net.onnx", 1.0, channels=2)
    with pytest.raises(DemixError, match="not a TFC-TDF network"):
        OpenvinoNetwork(tmp_path / "net.onnx")


def test_any_damage_is_one_line(tmp_path: Path, rng: np.random.Generator) -> None:
    write_scaling_network(tmp_path / "whole.onnx", 1.0, dim_f=64, num_frames=16)
    whole = np.frombuffer((tmp_path / "whole.onnx").read_bytes(), np.uint8)
    refused = 0
    for _ in range(100):
        damaged = whole.copy()
        damaged[rng.integers(len(whole), size=3)] = rng.integers(256, size=3)
        (tmp_path / "net.onnx").write_bytes(damaged.tobytes())
        try:
            OpenvinoNetwork(tmp_path / "net.onnx")(np.zeros((1, 4, 64, 16), np.float32))
        except DemixError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 30


def test_what_openvino_cannot_load_or_run_is_one_line(
    path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("Check failed at some.cpp:1:\n\nno memory is left\n")

    network = OpenvinoNetwork(path)
    monkeypatch.setattr(network, "_compiled", type("Compiled", (), {"create_infer_request": fail}))
    with pytest.raises(DemixError, match=r"net\.onnx: openvino could not run it \(no memory is l"):
        network(spectrograms(rng, 1))
    monkeypatch.setattr(import_openvino().Core, "compile_model", fail)
    with pytest.raises(UnsupportedError, match=r"net\.onnx: openvino cannot load it \(no memory i"):
        OpenvinoNetwork(path)


def test_an_operation_that_openvino_lacks_is_left_to_other_backends(tmp_path: Path) -> None:
    write_one_operation(tmp_path / "net.onnx", "Bernoulli", dim_f=32, num_frames=8)
    assert OnnxNetwork(tmp_path / "net.onnx").dim_f == 32
    with pytest.raises(UnsupportedError, match=r"net\.onnx: openvino cannot load it .*Bernoulli"):
        OpenvinoNetwork(tmp_path / "net.onnx")


def test_without_openvino_the_remedy_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(DemixError, match=r"pip install openvino.*another --backend") as caught:
        OpenvinoNetwork(path)
    assert "\n" not in str(caught.value)


def test_nothing_is_reported_over_the_network(tmp_path: Path) -> None:
    code = """
import sys
import my_submission.separator
assert "openvino" not in sys.modules  # it takes time, which only who needs it should spend
from my_submission.networks.openvino_runtime import import_openvino
import_openvino().Core()
assert not [name for name in sys.modules if name.startswith("openvino_telemetry")]
import openvino_telemetry  # others may use it
"""
    home = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=home, check=True)
    assert not (tmp_path / "intel").exists()  # where it keeps who it reports


RUN_AND_RING = """
import signal, sys, threading
from pathlib import Path
from my_submission.networks.openvino_runtime import OpenvinoNetwork
networks = [OpenvinoNetwork(Path(sys.argv[1]))]
thread = threading.Thread(target=networks.clear)
thread.start()
thread.join()
signal.signal(signal.SIGALRM, lambda *_: print("rung"))
signal.raise_signal(signal.SIGALRM)
"""


def test_an_alarm_does_no_harm_after_another_thread_let_the_last_network_go(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN_AND_RING, str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "rung\n"), done.stderr
