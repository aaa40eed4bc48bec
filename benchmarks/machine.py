"""What a measurement depends on beside the code: the machine and the versions of packages."""

import hashlib
import json
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from my_submission.cli.info import processor

PACKAGES = ("demucs llvmlite numba numpy onnxruntime onnxruntime-gpu openvino torch triton").split()
"""Those whose version may change a figure; they are named where they are installed."""

FEATURES = "avx2 avx512f avx512_bf16 avx512_fp16 amx_bf16 amx_fp16 asimd bf16 sve".split()
"""Flags of a processor that say what arithmetic it is fast in."""


@dataclass(frozen=True)
class Environment:
    """A machine with what is installed on it: figures of different ones are never mixed.

    Attributes:
        processor: Its name.
        cores: Those that this process may use.
        memory_gb: Main memory.
        features: Those of `FEATURES` that the processor has.
        gpu: Its name, where networks run on one; else empty.
        system: Operating system and version of Python.
        packages: Versions of those of `PACKAGES` that are installed.
    """

    processor: str
    cores: int
    memory_gb: int
    features: list[str] = field(default_factory=list)
    gpu: str = ""
    system: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Give a short name that no other environment has."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def title(self) -> str:
        """Name it in a heading."""
        device = f"{self.gpu}, beside " if self.gpu else ""
        return f"{device}{self.processor}, {self.cores} core{'s' if self.cores != 1 else ''}"

    def describe(self) -> str:
        """Tell what it is, in a paragraph."""
        amx = "AMX" if "amx_bf16" in self.features else "no AMX"
        flags = ", ".join(self.features) or "no flags known"
        packages = ", ".join(f"{name} {number}" for name, number in self.packages.items())
        return (
            f"{self.memory_gb} GB of memory, {self.gpu or 'no GPU'}, {amx} ({flags}); "
            f"{self.system}; {packages}."
        )


def this_environment(device: str = "cpu") -> Environment:
    """Look at the machine that this runs on.

    Args:
        device: ``cpu`` or ``cuda:N``: what networks run on.
    """
    is_cpu = torch.device(device).type == "cpu"
    flags = processor_flags()
    return Environment(
        processor=processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        features=[name for name in FEATURES if name in flags],
        gpu="" if is_cpu else torch.cuda.get_device_name(device),
        system=f"{platform.system()}, Python {platform.python_version()}",
        packages=installed(),
    )


def processor_flags() -> set[str]:
    """Read what the processor says it can do; nothing where there is no ``/proc/cpuinfo``."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.is_file() else ""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return set(found.group(1).split()) if found else set()


def installed() -> dict[str, str]:
    """Give the versions of those of `PACKAGES` that are installed."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
