"""Which device runs the networks. One that was asked for and is not there is an error."""

import contextlib
import functools
import io
import re

import onnxruntime
import torch

from my_submission.errors import DemixError


def resolve_device(device: str) -> str:
    """Turn what the user asked for into a device that is there.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:N``, or ``auto``: the first GPU that both torch and
            onnxruntime can use, else the CPU.

    Returns:
        ``cpu`` or ``cuda:N``.

    Raises:
        DemixError: The device is unknown or not there.
    """
    if device == "cpu":
        return device
    if device == "auto":
        return "cpu" if cuda_obstacle(0) else "cuda:0"
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    if match is None:
        raise DemixError(f"device {device!r} is unknown: use cpu, cuda, cuda:N or auto")
    index = int(match.group(1) or 0)
    if obstacle := cuda_obstacle(index):
        raise DemixError(f"device {device} is not there: {obstacle}; use -d cpu")
    return f"cuda:{index}"


@functools.cache
def has_amx() -> bool:
    """Tell whether this process may multiply by AMX, and ask the system for it."""
    # Torch's own words for it; there are no public ones.
    asked_for = ("_is_amx_tile_supported", "_init_amx")
    return all(getattr(torch.cpu, name, bool)() for name in asked_for)


def unused_gpu() -> str | None:
    """Say why ``auto`` passes over a GPU that is there, or None where none is or it is used."""
    return cuda_obstacle(0) if torch.cuda.is_available() else None


def cuda_obstacle(index: int) -> str | None:
    """Say why GPU number `index` cannot be used, or None when it can."""
    if not torch.cuda.is_available():
        return "torch finds no CUDA GPU"
    if index >= torch.cuda.device_count():
        return f"torch finds {torch.cuda.device_count()} CUDA GPU(s)"
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return "this onnxruntime has no CUDA (install onnxruntime-gpu: make install RUNTIME=gpu)"
    if mismatch := cuda_mismatch(torch.version.cuda, onnxruntime.cuda_version):
        return mismatch
    if not session_runs_on_cuda(index):
        reason = load_shared_cuda() or "its CUDA and cuDNN must fit the driver's"
        return f"onnxruntime cannot start on it ({reason})"
    return None


def cuda_mismatch(of_torch: str | None, of_onnxruntime: str) -> str | None:
    """Say which versions of CUDA torch and onnxruntime want, unless they can share one.

    Libraries of one major version serve every minor one; two versions in a process do not go
    together.

    Args:
        of_torch: Version that torch was built for, such as ``13.0``; None for none.
        of_onnxruntime: Likewise; empty for none.
    """
    if of_torch and of_torch.partition(".")[0] == of_onnxruntime.partition(".")[0]:
        return None
    wanted = [f"CUDA {version}" if version else "no CUDA" for version in (of_torch, of_onnxruntime)]
    return (
        f"torch is built for {wanted[0]}, onnxruntime for {wanted[1]} "
        "(install builds for the same major version)"
    )


@functools.cache
def load_shared_cuda() -> str:
    """Load the CUDA libraries that torch brought, so that onnxruntime finds and shares them.

    It looks for them where the linker does, which is not where torch's packages put them.

    Returns:
        Why a library is missing, in one line; empty where none is.
    """
    said = io.StringIO()
    with contextlib.redirect_stdout(said):  # it prints what it cannot load
        onnxruntime.preload_dlls()
    return said.getvalue().strip().split("\n")[0][:160]


# An ONNX model of one Identity node: enough to ask which provider a session really gets.
IDENTITY = bytes.fromhex(
    "080812003a370a100a017812017922084964656e746974791201695a0f0a0178120a0a08080112040a020801"
    "620f0a0179120a0a08080112040a02080142040a00100d"
)


def session_runs_on_cuda(index: int) -> bool:
    """Tell whether a session that asks for GPU number `index` gets it.

    onnxruntime-gpu lists CUDA wherever it is installed, and falls back to the CPU where CUDA's
    libraries are missing.
    """
    load_shared_cuda()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        IDENTITY,
        options,
        providers=[("CUDAExecutionProvider", {"device_id": index}), "CPUExecutionProvider"],
    )
    return bool(session.get_providers()[0] == "CUDAExecutionProvider")
