"""The openvino backend: TFC-TDF networks from ONNX files, in bfloat16 where a CPU is fast in it."""

import functools
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch

from my_submission.errors import DemixError
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.networks.tfc_tdf_file import UnsupportedError
from my_submission.stems import Audio

OWN_STATISTICS = frozenset({"GroupNormalization", "MVN", "ReduceL2", "ReduceMean", "ReduceSum"})
"""What a norm begins with that divides by what it finds in its input, as GroupNorm does."""


class OpenvinoNetwork:
    """A network ``[batch, 4, dim_f, num_frames]`` to the same shape, run by openvino on the CPU.

    Args:
        path: The ONNX file, as for `OnnxNetwork`.
        low_precision: Compute in bfloat16 what bears it; what goes in and comes out is float32
            all the same. Networks with GroupNorm lose too much by it and are left in float32.

    Attributes:
        dtype: What it computes in; a CPU without any bfloat16 takes float32 for it.

    Raises:
        UnsupportedError: The file holds what onnxruntime can run and openvino cannot.
        DemixError: The file is missing, corrupt or another kind of network, or openvino is not
            installed.
    """

    def __init__(self, path: Path, *, low_precision: bool = False) -> None:
        openvino = import_openvino()
        checked = OnnxNetwork(path)  # says what is wrong with a file; openvino tells less
        self.path = path
        self.dim_f, self.num_frames = checked.dim_f, checked.num_frames
        self.metadata = checked.metadata
        del checked
        try:
            core = _core()
            model = core.read_model(path)
            # One chunk at a time: a larger batch takes memory and saves no time on a CPU.
            model.reshape([1, 4, self.dim_f, self.num_frames])
            flatten_linear_layers(model)
            kinds = {node.get_type_name() for node in model.get_ops()}
            low_precision &= not kinds & OWN_STATISTICS
            self._compiled = core.compile_model(
                model,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": "bf16" if low_precision else "f32",
                    "PERFORMANCE_HINT": "LATENCY",
                },
            )
            is_low = self._compiled.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.bf16
            self.dtype = torch.bfloat16 if is_low else torch.float32
        except RuntimeError as error:
            raise UnsupportedError(f"{path}: openvino cannot load it ({_reason(error)})") from error
        self._pass = threading.Lock()

    def __call__(self, spectrogram: Audio) -> Audio:
        """Map ``[batch, 4, dim_f, num_frames]`` float32 to the same shape.

        Raises:
            DemixError: openvino failed, for instance for want of memory.
        """
        estimate = np.empty(spectrogram.shape, np.float32)
        # One pass has all cores, and its memory goes at its end: what it leaves would lie beside
        # what other networks need. A request would keep its input and output, too.
        with self._pass:
            try:
                request = self._compiled.create_infer_request()
                for chunk, out in zip(spectrogram, estimate, strict=True):
                    out[...] = request.infer([np.ascontiguousarray(chunk[None], np.float32)])[0][0]
                del request
                self._compiled.release_memory()
            except RuntimeError as error:
                raise DemixError(
                    f"{self.path}: openvino could not run it ({_reason(error)})"
                ) from error
        return estimate


def import_openvino() -> Any:
    """Import openvino, whose own import would report each use over the network.

    Raises:
        DemixError: It is not installed.
    """
    telemetry = "openvino_telemetry"
    is_hidden = "openvino" not in sys.modules and telemetry not in sys.modules
    if is_hidden:
        # As if it were not installed, which openvino puts up with.
        sys.modules[telemetry] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError as error:
        raise DemixError(
            f"backend openvino cannot be used ({_reason(error)}): "
            "install it (pip install openvino) or choose another --backend"
        ) from error
    finally:
        if is_hidden:
            del sys.modules[telemetry]
    return openvino


@functools.cache
def _core() -> Any:
    """Give the one core of the process, which is never let go.

    openvino's CPU plugin gives the thread that loads it another stack for signals. When it goes
    with the last core and network, and another thread lets go of these, that stack's memory goes
    but the stack stays: the next signal that has a handler (the alarm of a time limit, Ctrl-C)
    would end the process.
    """
    return import_openvino().Core()


def flatten_linear_layers(model: Any) -> None:
    """Write the TDF's linear layers as products of two matrices, a frame of a channel per row.

    In the file they are products of four dimensions, which openvino multiplies in float32 only,
    after it has made a copy of the weights for every channel in order to save the multiplication
    of the norm that follows: 0.5 GB for a published network. So that norm is applied by rows.

    Args:
        model: An `openvino.Model` with static shapes, changed in place.
    """
    ops = import_openvino().opset13
    for node in model.get_ordered_ops():
        if node.get_type_name() != "MatMul":
            continue
        values, weights = node.input_value(0), node.input_value(1)
        shape, out_shape = list(values.get_shape()), list(node.output(0).get_shape())
        is_layer = len(shape) == 4 and len(weights.get_shape()) == 2 and _is_constant(weights)
        attributes = node.get_attributes()
        if not is_layer or attributes["transpose_a"]:
            continue
        rows = ops.reshape(values, np.array([np.prod(shape[:-1]), shape[-1]]), special_zero=False)
        product = ops.matmul(rows, weights, False, attributes["transpose_b"])
        replaced = node.output(0)
        if (norm := _norm_after(node)) is not None:
            scale, shift = (
                ops.constant(np.broadcast_to(of_channel[:, None], shape[:-1]).reshape(-1, 1))
                for of_channel in _scale_and_shift(norm)
            )
            product = ops.add(ops.multiply(product, scale), shift)
            replaced = norm.output(0)
        restored = ops.reshape(product, np.array(out_shape), special_zero=False)
        replaced.replace(restored.output(0))
    model.validate_nodes_and_infer_types()


def _norm_after(node: Any) -> Any:
    """Give the BatchNorm that alone takes a node's output; None if there is no such one."""
    users = [port.get_node() for port in node.output(0).get_target_inputs()]
    if len(users) == 1 and users[0].get_type_name() == "BatchNormInference":
        norm = users[0]
        if all(_is_constant(norm.input_value(index)) for index in range(1, 5)):
            return norm
    return None


def _scale_and_shift(norm: Any) -> tuple[Audio, Audio]:
    """Give what a BatchNorm multiplies each channel by, and what it adds then."""
    gamma, beta, mean, variance = (
        norm.input_value(index).get_node().get_data().astype(np.float64) for index in range(1, 5)
    )
    scale = gamma / np.sqrt(variance + norm.get_attributes()["epsilon"])
    return scale.astype(np.float32), (beta - mean * scale).astype(np.float32)


def _is_constant(value: Any) -> bool:
    return bool(value.get_node().get_type_name() == "Constant")


def _reason(error: Exception) -> str:
    return str(error).strip().split("\n")[-1].strip()[:160]
