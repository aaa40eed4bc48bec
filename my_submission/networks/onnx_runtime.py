"""The onnxruntime backend: a TFC-TDF network in its published file format."""

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime.capi import onnxruntime_pybind11_state as errors
from torch import Tensor

from my_submission.devices import load_shared_cuda
from my_submission.errors import DemixError
from my_submission.networks.gpu import gpu, run_on
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
RUN_ERRORS = (errors.EPFail, errors.Fail, errors.RuntimeException, RuntimeError)


class OnnxNetwork:
    """A network ``[batch, 4, dim_f, num_frames]`` to the same shape, run by onnxruntime.

    Args:
        path: The ONNX file, with one input and one output and only the batch axis dynamic.
        device: ``cpu``, or ``cuda:N``.
        allow_tf32: Let a GPU round to TF32, 10 bits behind the point, what it multiplies.

    Attributes:
        device: Where `on_device` takes and gives spectrograms.

    Raises:
        DemixError: The file is missing, corrupt or another kind of network, or the device did not
            take it.
    """

    def __init__(self, path: Path, device: str = "cpu", *, allow_tf32: bool = False) -> None:
        if not path.is_file():
            raise DemixError(f"{path}: no such file")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what fails is an exception, and not lines beside it
        # An arena would keep the largest pass's activations for good, beside other networks'.
        options.enable_cpu_mem_arena = False
        self.device = torch.device(device)
        providers = [provider(self.device, allow_tf32=allow_tf32)]
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=providers, enable_fallback=0
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
        self._require_device()
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
        self._run_options = onnxruntime.RunOptions()
        if self.device.type == "cuda":
            # A run ends when its work is queued: what comes next is queued behind it.
            self._run_options.add_run_config_entry("disable_synchronize_execution_providers", "1")

    def __call__(self, spectrogram: Audio) -> Audio:
        """Map ``[batch, 4, dim_f, num_frames]`` float32 to the same shape, in main memory.

        Raises:
            DemixError: onnxruntime failed, for instance for want of memory.
        """
        contiguous = np.ascontiguousarray(spectrogram, dtype=np.float32)
        return run_on(self.device, contiguous, self.on_device)

    def on_device(self, spectrogram: Tensor) -> Tensor:
        """Map ``[batch, 4, dim_f, num_frames]`` float32 to the same shape, both on `device`.

        On a GPU this queues work on the stream `Gpu.compute`, which is to be torch's current one.

        Raises:
            DemixError: onnxruntime failed, for instance for want of memory.
        """
        spectrogram = spectrogram.contiguous()
        estimate = torch.empty_like(spectrogram)
        # onnxruntime reads and writes the tensors where they are.
        binding = self._session.io_binding()
        place = (self.device.type, self.device.index or 0, np.float32, tuple(spectrogram.shape))
        binding.bind_input(self._input, *place, spectrogram.data_ptr())
        binding.bind_output(self._output, *place, estimate.data_ptr())
        try:
            self._session.run_with_iobinding(binding, self._run_options)
        except RUN_ERRORS as error:
            reason = str(error).split("\n")[0][:160]
            raise DemixError(f"{self.path}: onnxruntime could not run it ({reason})") from error
        return estimate

    def _require_device(self) -> None:
        # Without a GPU the CUDA provider logs an error and the session falls back to the CPU.
        wanted = f"{self.device.type.upper()}ExecutionProvider"
        got = self._session.get_providers()[0]
        if got != wanted:
            raise DemixError(
                f"device {self.device}: onnxruntime gave {got} instead of {wanted}; "
                "install onnxruntime-gpu with a CUDA that fits it, or use -d cpu"
            )


def provider(device: torch.device, *, allow_tf32: bool) -> str | tuple[str, dict[str, str]]:
    """Name the execution provider for `device`, as onnxruntime takes it.

    Raises:
        DemixError: There is no such GPU.
    """
    if device.type == "cpu":
        return "CPUExecutionProvider"
    load_shared_cuda()
    return "CUDAExecutionProvider", {
        "device_id": str(device.index or 0),
        "use_tf32": str(int(allow_tf32)),
        "user_compute_stream": str(gpu(device).compute.cuda_stream),
        # The default tries every algorithm of every convolution anew for each size of batch.
        "cudnn_conv_algo_search": "HEURISTIC",
        # The default doubles what it holds whenever it needs more.
        "arena_extend_strategy": "kSameAsRequested",
    }
