"""`demix info`: what a bug report needs to say about a machine."""

import os
import platform
import shutil
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer

from my_submission.cli.options import ModelsOption

PACKAGES = "demix demucs julius museval musdb numpy soundfile soxr".split()
"""Beside those of the backends."""


def info(models: ModelsOption = None) -> None:
    """Show versions, devices, backends and which systems are ready."""
    for title, lines in (
        ("versions", _versions()),
        ("devices", _devices()),
        ("backends", _backends()),
        ("speed of matrix products", _speeds()),
        ("auto chooses", _choices()),
        ("systems", _systems(models)),
    ):
        typer.echo(f"{title}:")
        for line in lines:
            typer.echo(f"  {line}")


def _versions() -> list[str]:
    import soundfile

    lines = [f"python {platform.python_version()} on {platform.platform()}"]
    lines += [f"{package} {found}" for package in PACKAGES if (found := _version(package))]
    lines.append(f"libsndfile {soundfile.__libsndfile_version__}")
    ffmpeg = shutil.which("ffmpeg")
    lines.append(f"ffmpeg {ffmpeg or 'not found: only formats of libsndfile can be read'}")
    return lines


def _version(*packages: str) -> str | None:
    """Give the version of the first of these that is installed."""
    for package in packages:
        with suppress(PackageNotFoundError):
            return version(package)
    return None


def _devices() -> list[str]:
    import torch

    lines = [
        f"cpu: {processor()}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}"
    ]
    lines += [
        f"cuda:{index}: {torch.cuda.get_device_name(index)}"
        for index in range(torch.cuda.device_count())
    ]
    return lines


def processor() -> str:
    """Name the processor; `platform.processor` is empty on most Linux systems."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _backends() -> list[str]:
    import onnxruntime
    import torch

    from my_submission.compute import Backend, is_installed
    from my_submission.devices import cuda_obstacle

    details: dict[Backend, str] = {
        "onnxruntime": ", ".join(onnxruntime.get_available_providers()),
        "openvino": "cpu",
        "numba": "cpu",
        "torch": f"cpu{f', CUDA {torch.version.cuda}' if torch.version.cuda else ''}",
    }
    lines = [
        f"{backend} {_version(backend, f'{backend}-gpu')}: {detail}"
        if is_installed(backend)
        else f"{backend}: not installed (pip install {backend})"
        for backend, detail in details.items()
    ]
    obstacle = cuda_obstacle(0)
    lines.append(f"GPU: {'used by -d auto' if obstacle is None else f'not used: {obstacle}'}")
    return lines


def _speeds() -> list[str]:
    from my_submission.devices import resolve_device
    from my_submission.measuring import WORTH_IT, measured_speed

    lines = []
    for device in dict.fromkeys(("cpu", resolve_device("auto"))):
        speed = measured_speed(device)
        low = str(speed.dtype).removeprefix("torch.")
        lines.append(
            f"{'cpu, one core' if device == 'cpu' else device}: "
            f"{speed.float32 / 1e12:.2f} TFLOP/s in float32, "
            f"{speed.low_precision / 1e12:.2f} in {low}; from {WORTH_IT} times the speed, "
            "--precision auto is fast"
        )
    return lines


def _choices() -> list[str]:
    from my_submission.compute import resolve_compute

    compute = resolve_compute()
    runs = [
        f"{backend} in {str(dtype).removeprefix('torch.')}"
        for backend, dtype in compute.onnx_runs()
    ]
    arithmetic = str(compute.dtype).removeprefix("torch.")
    return [
        f"-d {compute.device} --precision {compute.precision}, in {arithmetic}",
        f"for .onnx files the first that can of {', '.join(runs)}; for .pt files torch",
    ]


def _systems(models: Path | None) -> list[str]:
    from my_submission.systems import SYSTEMS
    from my_submission.weights import brief_remedy, models_folder, weight_files

    root = models_folder(models)
    lines = []
    for system in SYSTEMS:
        files = weight_files(system)
        missing = [weight for weight in files if not (root / system / weight.file).is_file()]
        if missing:
            lines.append(
                f"{system}: {len(missing)} of {len(files)} files are missing; "
                f"{brief_remedy(system, missing, models)}"
            )
        else:
            lines.append(f"{system}: weights in {root / system}")
    return lines
