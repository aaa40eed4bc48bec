"""The onnxruntime backend: a TFC-TDF network in its published file format."""

from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from my_submission.errors import DemixError
from my_submission.stems import Audio

LOAD_ERRORS = (
    errors.EngineError,
    errors.EPFail,
    errors.Fail,
    errors.InvalidArgument,
    errors.InvalidGraph,
    errors.InvalidProtobuf,
    errors.NoModel,
    errors.NoSuchFile,
    errors.NotImplemented,
    errors.RuntimeException,
    UnicodeDecodeError,  # for a damaged string in the file
    IndexError,  # for a network without an input or an output
)
RUN_ERRORS = (errors.EPFail, errors.Fail, errors.RuntimeException)


class OnnxNetwork:
    """A network ``[batch, 4, dim_f, num_frames]`` to the same shape, run by onnxruntime.

    Args:
        path: The ONNX file, with one input and one output and only the batch axis dynamic.
        device: ``cpu``, or ``cuda:N``.

    Raises:
        DemixError: The file is missing, corrupt or another kind of network, or the device did not
            take it.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        if not path.is_file():
            raise DemixError(f"{path}: no such file")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # An arena would keep the largest pass's activations for good, beside other networks'.
        options.enable_cpu_mem_arena = False
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=[provider(device)], enable_fallback=0
            )
            # Names and axes are decoded only now.
            inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
            shape = inputs[0].shape if len(inputs) == len(outputs) == 1 else []
            output_shape = outputs[0].shape if outputs else []
            self._input, self._output = inputs[0].name, outputs[0].name
            self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        except LOAD_ERRORS as error:
            reason = str(error).split("\n")[0][:160]
            raise DemixError(
                f"{path}: not a usable ONNX file ({reason}); fetch it again"
            ) from error
        self._require_device(device)
        is_sized = [isinstance(length, int) for length in shape] == [False, True, True, True]
        if not is_sized or shape[1] != 4:
            raise DemixError(
                f"{path}: not a TFC-TDF network: its input is {shape}, "
                "expected [batch, 4, dim_f, num_frames]"
            )
        if {port.type for port in (*inputs, *outputs)} != {"tensor(float)"}:
            raise DemixError(f"{path}: its numbers are {inputs[0].type}, expected tensor(float)")
        if output_shape[1:] != shape[1:]:
            raise DemixError(
                f"{path}: not a TFC-TDF network: its output is {output_shape} for {shape}"
            )
        self.path = path
        self.dim_f: int = shape[2]
        self.num_frames: int = shape[3]

    def __call__(self, spectrogram: Audio) -> Audio:
        """Map ``[batch, 4, dim_f, num_frames]`` float32 to the same shape.

        Raises:
            DemixError: onnxruntime failed, for instance for want of memory.
        """
        feed = {self._input: np.ascontiguousarray(spectrogram, dtype=np.float32)}
        try:
            estimate: Audio = self._session.run([self._output], feed)[0]
        except RUN_ERRORS as error:
            reason = str(error).split("\n")[0][:160]
            raise DemixError(f"{self.path}: onnxruntime could not run it ({reason})") from error
        return estimate

    def _require_device(self, device: str) -> None:
        # Without a GPU the CUDA provider logs an error and the session falls back to the CPU.
        wanted = "CPUExecutionProvider" if device == "cpu" else "CUDAExecutionProvider"
        got = self._session.get_providers()[0]
        if got != wanted:
            raise DemixError(
                f"device {device}: onnxruntime gave {got} instead of {wanted}; "
                "install onnxruntime-gpu with a CUDA that fits it, or use -d cpu"
            )


def provider(device: str) -> str | tuple[str, dict[str, int]]:
    """Name the execution provider for `device`, as onnxruntime takes it."""
    if device == "cpu":
        return "CPUExecutionProvider"
    return "CUDAExecutionProvider", {"device_id": int(device.partition(":")[2] or 0)}
