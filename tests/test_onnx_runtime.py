"""Only a sound network of the right shape is opened; anything else is one line."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from my_submission.errors import DemixError
from my_submission.networks import onnx_runtime
from my_submission.networks.onnx_runtime import OnnxNetwork, provider
from my_submission.separators.tfc_tdf import TfcTdfConfig, TfcTdfSeparator
from tests.conftest import write_scaling_network

CONFIG = TfcTdfConfig(n_fft=64, dim_f=32, num_frames=8, trim=32)
STREAM = 94_000


@pytest.fixture
def seeming_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks be loaded for a GPU, as far as onnxruntime takes them."""
    stand_in = SimpleNamespace(compute=SimpleNamespace(cuda_stream=STREAM))
    monkeypatch.setattr(onnx_runtime, "gpu", lambda device: stand_in)


def test_a_network_is_run(tmp_path: Path, rng: np.random.Generator) -> None:
    write_scaling_network(tmp_path / "net.onnx", 0.5, dim_f=32, num_frames=8)
    network = OnnxNetwork(tmp_path / "net.onnx")
    assert (network.dim_f, network.num_frames) == (32, 8)
    spectrogram = rng.standard_normal((3, 4, 32, 8)).astype(np.float32)
    np.testing.assert_array_equal(network(spectrogram), spectrogram * np.float32(0.5))
    # Strides must not matter, as they do not in numpy.
    transposed = np.asfortranarray(spectrogram)
    np.testing.assert_array_equal(network(transposed), network(spectrogram))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match="no such file"):
        OnnxNetwork(tmp_path / "net.onnx")
    with pytest.raises(DemixError, match="no such file"):
        TfcTdfSeparator(tmp_path / "net.onnx", CONFIG)


@pytest.mark.parametrize("content", [b"", b"not a protobuf", b"\x00" * 5000])
def test_a_corrupt_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(DemixError, match=r"net\.onnx"):
        OnnxNetwork(tmp_path / "net.onnx")


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, models: Path, keep: float) -> None:
    whole = (models / "starter" / "bass.onnx").read_bytes()
    (tmp_path / "net.onnx").write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(DemixError, match=r"net\.onnx"):
        OnnxNetwork(tmp_path / "net.onnx")


def test_another_number_of_channels_is_refused(tmp_path: Path) -> None:
    write_scaling_network(tmp_path / "net.onnx", 1.0, channels=2)
    with pytest.raises(DemixError, match="not a TFC-TDF network"):
        OnnxNetwork(tmp_path / "net.onnx")


def test_an_output_of_another_shape_is_refused(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("ReduceMean", ["input"], ["output"], axes=[2])],
        "mean",
        [value("input", onnx.TensorProto.FLOAT, ["b", 4, 32, 8])],
        [value("output", onnx.TensorProto.FLOAT, ["b", 4, 1, 8])],
    )
    opset = [onnx.helper.make_opsetid("", 13)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.save(model, str(tmp_path / "net.onnx"))
    with pytest.raises(DemixError, match="its output is"):
        OnnxNetwork(tmp_path / "net.onnx")


@pytest.mark.parametrize(("dim_f", "num_frames"), [(16, 8), (32, 16)])
def test_a_network_of_other_sizes_than_the_system_is_refused(
    tmp_path: Path, dim_f: int, num_frames: int
) -> None:
    write_scaling_network(tmp_path / "net.onnx", 1.0, dim_f, num_frames)
    with pytest.raises(DemixError, match="another system's"):
        TfcTdfSeparator(tmp_path / "net.onnx", CONFIG)


def test_a_network_of_another_stem_is_refused_by_what_its_file_says(tmp_path: Path) -> None:
    write_scaling_network(tmp_path / "net.onnx", 1.0, dim_f=32, num_frames=8)
    model = onnx.load(str(tmp_path / "net.onnx"))
    onnx.helper.set_model_props(model, {"n_fft": "128"})
    onnx.save(model, str(tmp_path / "net.onnx"))
    with pytest.raises(DemixError, match="made for n_fft 128, this stem needs 64"):
        TfcTdfSeparator(tmp_path / "net.onnx", CONFIG)


@pytest.mark.usefixtures("seeming_gpu")
def test_a_device_that_the_session_did_not_get_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scaling_network(tmp_path / "net.onnx", 1.0)
    # What onnxruntime-gpu does without a GPU: it logs and falls back to the CPU.
    session = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda path, options, **_others: session(path, options, providers=["CPUExecutionProvider"]),
    )
    with pytest.raises(DemixError, match="onnxruntime gave CPUExecutionProvider"):
        OnnxNetwork(tmp_path / "net.onnx", "cuda:1")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA GPU")
def test_a_gpu_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    write_scaling_network(tmp_path / "net.onnx", 1.0)
    with pytest.raises(DemixError, match="cuda:1 is not there: torch finds no CUDA GPU"):
        OnnxNetwork(tmp_path / "net.onnx", "cuda:1")


@pytest.mark.usefixtures("seeming_gpu")
def test_providers_carry_the_gpu_its_stream_and_what_it_may_round() -> None:
    assert provider(torch.device("cpu"), allow_tf32=False) == "CPUExecutionProvider"
    exact, fast = (provider(torch.device("cuda:2"), allow_tf32=allow)[1] for allow in (False, True))
    assert isinstance(exact, dict)
    assert (exact["device_id"], exact["user_compute_stream"]) == ("2", str(STREAM))
    assert exact["use_tf32"] == "0"
    assert fast == exact | {"use_tf32": "1"}


@pytest.mark.parametrize("strided", [False, True])
def test_tensors_are_read_and_written_where_they_are(
    tmp_path: Path, rng: np.random.Generator, strided: bool
) -> None:
    write_scaling_network(tmp_path / "net.onnx", 0.5, dim_f=32, num_frames=8)
    network = OnnxNetwork(tmp_path / "net.onnx")
    spectrogram = torch.from_numpy(rng.standard_normal((3, 4, 32, 8)).astype(np.float32))
    if strided:
        spectrogram = spectrogram.flip(0).transpose(2, 3).contiguous().transpose(2, 3)
    first, second = network.on_device(spectrogram), network.on_device(2 * spectrogram)
    assert first.device == network.device
    assert torch.equal(first, spectrogram * 0.5)
    assert torch.equal(second, spectrogram)


@pytest.mark.usefixtures("seeming_gpu")
def test_on_a_gpu_tensors_are_bound_and_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scaling_network(tmp_path / "net.onnx", 0.5, dim_f=32, num_frames=8)
    sound = onnxruntime.InferenceSession(
        str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"]
    )
    bound: dict[str, tuple[Any, ...]] = {}
    ran: list[onnxruntime.RunOptions] = []
    binding = SimpleNamespace(
        bind_input=lambda *arguments: bound.update(input=arguments),
        bind_output=lambda *arguments: bound.update(output=arguments),
    )
    session = SimpleNamespace(
        get_inputs=sound.get_inputs,
        get_outputs=sound.get_outputs,
        get_modelmeta=sound.get_modelmeta,
        get_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
        io_binding=lambda: binding,
        run_with_iobinding=lambda _binding, options: ran.append(options),
    )
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_words, **_options: session)
    network = OnnxNetwork(tmp_path / "net.onnx", "cuda:1")
    spectrogram = torch.zeros(3, 4, 32, 8)
    estimate = network.on_device(spectrogram)
    place = ("cuda", 1, np.float32, (3, 4, 32, 8))
    assert bound["input"] == ("input", *place, spectrogram.data_ptr())
    assert bound["output"] == ("output", *place, estimate.data_ptr())
    assert ran[0].get_run_config_entry("disable_synchronize_execution_providers") == "1"


def test_an_output_of_another_batch_is_an_error(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Concat", ["input", "input"], ["output"], axis=0)],
        "twice",
        [value("input", onnx.TensorProto.FLOAT, ["b", 4, 32, 8])],
        [value("output", onnx.TensorProto.FLOAT, ["c", 4, 32, 8])],
    )
    opset = [onnx.helper.make_opsetid("", 13)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.save(model, str(tmp_path / "net.onnx"))
    network = OnnxNetwork(tmp_path / "net.onnx")
    with pytest.raises(DemixError, match="could not run it"):
        network(np.zeros((1, 4, 32, 8), np.float32))


def test_any_damage_is_one_line(tmp_path: Path, rng: np.random.Generator) -> None:
    write_scaling_network(tmp_path / "whole.onnx", 1.0, dim_f=32, num_frames=8)
    whole = np.frombuffer((tmp_path / "whole.onnx").read_bytes(), np.uint8)
    refused = 0
    for _ in range(150):
        damaged = whole.copy()
        damaged[rng.integers(len(whole), size=3)] = rng.integers(256, size=3)
        (tmp_path / "net.onnx").write_bytes(damaged.tobytes())
        try:
            OnnxNetwork(tmp_path / "net.onnx")(np.zeros((1, 4, 32, 8), np.float32))
        except DemixError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("change", ["double", "fixed batch"])
def test_a_network_of_other_numbers_or_a_fixed_batch_is_refused(
    tmp_path: Path, change: str
) -> None:
    write_scaling_network(tmp_path / "net.onnx", 1.0, dim_f=32, num_frames=8)
    model = onnx.load(str(tmp_path / "net.onnx"))
    for port in (*model.graph.input, *model.graph.output):
        if change == "double":
            port.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
        else:
            port.type.tensor_type.shape.dim[0].dim_value = 2
    if change == "double":
        gain = onnx.numpy_helper.from_array(np.array(1.0), "gain")
        model.graph.initializer[0].CopyFrom(gain)
    onnx.save(model, str(tmp_path / "net.onnx"))
    with pytest.raises(DemixError, match=r"tensor\(double\)|not a TFC-TDF network"):
        OnnxNetwork(tmp_path / "net.onnx")
