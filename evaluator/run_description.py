"""What the stems that a call separates depend on, for ``run.json`` and for each of its songs."""

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from evaluator.data_sets import DataSet
from evaluator.limits import available_cores
from my_submission.cli.info import processor
from my_submission.compute import Compute
from my_submission.weights import load_manifest, models_folder, sha256_of

PACKAGES = (
    "demucs numpy scipy torch onnxruntime onnxruntime-gpu openvino numba soundfile soxr musdb"
    " museval stempeg"
).split()
"""Those that separate, read and score."""


def describe_run(
    system: str,
    data: DataSet,
    compute: Compute,
    models: Path | None,
    deadline_seconds: float | None = None,
) -> dict[str, Any]:
    """Give the contents of ``run.json``, but for the warning: the origin of the call's stems.

    Args:
        system: its name.
        data: the songs.
        compute: how the system's networks are run.
        models: folder with one folder of weights per system, where the user named one.
        deadline_seconds: that each song may take, where there is a limit.

    Raises:
        DemixError: weights cannot be read.
    """
    return {
        "system": system,
        "data": str(data.root),
        "data_kind": data.kind,
        "subset": data.subset,
        "split": data.split,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "demix": _version("demix"),
        "machine": {
            "processor": processor(),
            "cores": available_cores(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
            "system": platform.platform(),
        },
        "packages": {
            "python": platform.python_version(),
            **{name: found for name in PACKAGES if (found := _version(name))},
        },
        "compute": compute.summary(),
        "device": compute.device,
        "precision": compute.precision,
        "deadline_seconds": deadline_seconds,
        "weights": weight_hashes(system, models),
    }


def weight_hashes(system: str, models: Path | None) -> dict[str, str]:
    """Give the SHA-256 of each of a system's files.

    Raises:
        DemixError: one cannot be read.
    """
    folder = models_folder(models) / system
    files = load_manifest().get(system, ())
    paths = {weight.file: folder / weight.file for weight in files}
    return {file: sha256_of(path) for file, path in paths.items() if path.is_file()}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
