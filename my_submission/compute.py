"""How networks are run: on which device, in which precision, by which backend."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Literal, get_args

import torch

from my_submission.devices import has_amx, resolve_device
from my_submission.errors import DemixError
from my_submission.measuring import measured_speed

Precision = Literal["exact", "fast"]
Backend = Literal["onnxruntime", "openvino", "numba", "torch"]
PrecisionChoice = Literal["auto", "exact", "fast"]
BackendChoice = Literal["auto", "onnxruntime", "openvino", "numba", "torch"]

ON_CPU_ONLY: tuple[Backend, ...] = ("openvino", "numba")


@dataclass
class Compute:
    """How a system's networks are run. A system hands it to each of them when it loads.

    Attributes:
        device: ``cpu`` or ``cuda:N``.
        precision: ``exact`` is float32 throughout; ``fast`` is whatever takes the least time and
            rounds more; docs/benchmarks.md says how far from exact.
        dtype: What the heavy arithmetic of ``fast`` is done in: float32 where the device has
            nothing faster.
        backend: What must run the TFC-TDF networks; None for what is best for each file.
        runners: What runs each file, by its name; filled while networks load.
    """

    device: str = "cpu"
    precision: Precision = "exact"
    dtype: torch.dtype = torch.float32
    backend: Backend | None = None
    runners: dict[str, str] = field(default_factory=dict)

    @property
    def allow_tf32(self) -> bool:
        """Whether a GPU may round to TF32 what it multiplies in float32."""
        return self.precision == "fast" and self.device != "cpu"

    @property
    def could_be_faster(self) -> bool:
        """Whether the device is fast in low precision and is not used so."""
        return self.dtype is torch.float32 and (
            measured_speed(self.device).fast_dtype is not torch.float32
        )

    def note(self, file: str, backend: str, dtype: torch.dtype | str | None = None) -> None:
        """Remember what runs a file, for whoever wants to know.

        Args:
            file: Its name.
            backend: What runs it.
            dtype: What in; by default the heavy arithmetic's.
        """
        self.runners[file] = f"{backend}, {str(dtype or self.dtype).removeprefix('torch.')}"

    def summary(self) -> str:
        """Say on one line what runs which files."""
        files: dict[str, list[str]] = {}
        for file, runner in self.runners.items():
            files.setdefault(runner, []).append(file)
        return "; ".join(f"{', '.join(names)}: {runner}" for runner, names in files.items())

    def onnx_runs(self) -> list[tuple[Backend, torch.dtype]]:
        """List what may run an ONNX file and what in, the fastest first.

        Not all can run every network.
        """
        if self.device != "cpu":
            return [(self.backend or "onnxruntime", torch.float32)]
        # In float32 numba has the least arithmetic; in bfloat16 it needs AMX, openvino does not.
        runs: list[tuple[Backend, torch.dtype]] = [("numba", torch.float32)]
        if self.dtype is torch.float32:
            runs.append(("openvino", torch.float32))
        else:
            runs.insert(0, ("openvino", self.dtype))
            if has_amx():
                runs.insert(0, ("numba", self.dtype))
        runs += [("onnxruntime", torch.float32), ("torch", torch.float32)]
        if self.backend is not None:
            return [run for run in runs if run[0] == self.backend]
        return [run for run in runs[:-1] if is_installed(run[0])]


def resolve_compute(
    device: str = "auto",
    precision: PrecisionChoice = "auto",
    backend: BackendChoice = "auto",
) -> Compute:
    """Turn what the user asked for into how networks are run on this machine.

    Args:
        device: As `resolve_device` takes it.
        precision: ``auto`` is ``fast`` where low precision is measured to be fast, else ``exact``.
        backend: What must run the TFC-TDF networks, or ``auto``.

    Raises:
        DemixError: A name is unknown, or the device or the backend is not there.
    """
    for name, choice, choices in (
        ("precision", precision, get_args(PrecisionChoice)),
        ("backend", backend, get_args(BackendChoice)),
    ):
        if choice not in choices:
            *most, last = choices
            raise DemixError(f"{name} {choice!r} is unknown: use {', '.join(most)} or {last}")
    device = resolve_device(device)
    if backend != "auto":
        require_backend(backend, device)
    dtype = torch.float32 if precision == "exact" else measured_speed(device).fast_dtype
    if precision == "auto":
        precision = "exact" if dtype is torch.float32 else "fast"
    return Compute(device, precision, dtype, None if backend == "auto" else backend)


def require_backend(backend: Backend, device: str) -> None:
    """Refuse a backend that cannot be used.

    Raises:
        DemixError: It is not installed, or not for `device`.
    """
    if device != "cpu" and backend in ON_CPU_ONLY:
        raise DemixError(
            f"backend {backend} is for CPUs, not {device}: use -d cpu or --backend auto"
        )
    if not is_installed(backend):
        raise DemixError(
            f"backend {backend} is not installed: pip install {backend}, or use --backend auto"
        )


def is_installed(backend: Backend) -> bool:
    """Tell whether a backend's package is there, without importing it."""
    return find_spec(backend) is not None
