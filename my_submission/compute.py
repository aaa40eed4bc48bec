"""How networks are run: on which device, in which precision, by which backend."""

from dataclasses import dataclass, field
from typing import Literal

import torch

Precision = Literal["exact", "fast"]
Backend = Literal["onnxruntime", "openvino", "numba", "torch"]


@dataclass
class Compute:
    """How a system's networks are run. A system hands it to each of them when it loads.

    Attributes:
        device: ``cpu`` or ``cuda:N``.
        precision: ``exact`` is float32 throughout; ``fast`` is whatever takes the least time and
            stays within 45 dB of that.
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

    def note(self, file: str, backend: str, dtype: torch.dtype | None = None) -> None:
        """Remember what runs a file, for whoever wants to know."""
        self.runners[file] = f"{backend}, {str(dtype or self.dtype).removeprefix('torch.')}"

    def summary(self) -> str:
        """Say on one line what runs which files."""
        files: dict[str, list[str]] = {}
        for file, runner in self.runners.items():
            files.setdefault(runner, []).append(file)
        return "; ".join(f"{', '.join(names)}: {runner}" for runner, names in files.items())
