"""`demix info`: what a bug report needs to say about a machine."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer

from my_submission.cli.options import ModelsOption

PACKAGES = (
    "demix demucs julius museval musdb numpy onnxruntime onnxruntime-gpu soundfile soxr torch"
).split()


def info(models: ModelsOption = None) -> None:
    """Show versions, devices, backends and which systems are ready."""
    for title, lines in (
        ("versions", _versions()),
        ("devices", _devices()),
        ("backends", _backends()),
        ("systems", _systems(models)),
    ):
        typer.echo(f"{title}:")
        for line in lines:
            typer.echo(f"  {line}")


def _versions() -> list[str]:
    import soundfile

    lines = [f"python {platform.python_version()} on {platform.platform()}"]
    for package in PACKAGES:
        try:
            lines.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    lines.append(f"libsndfile {soundfile.__libsndfile_version__}")
    ffmpeg = shutil.which("ffmpeg")
    lines.append(f"ffmpeg {ffmpeg or 'not found: only formats of libsndfile can be read'}")
    return lines


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

    from my_submission.devices import cuda_obstacle

    providers = ", ".join(onnxruntime.get_available_providers())
    obstacle = cuda_obstacle(0)
    return [
        f"onnxruntime: {providers}",
        f"torch: cpu{f', CUDA {torch.version.cuda}' if torch.version.cuda else ''}",
        f"GPU: {'cuda:0 is used by -d auto' if obstacle is None else f'not used: {obstacle}'}",
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
