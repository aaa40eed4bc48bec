"""The original program of Leaderboard A, run beside ours with the libraries that it had."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import onnx

from benchmarks.full_size import TFC_TDF, demucs_parts
from benchmarks.one_run import ROOT, Run, run_program
from my_submission.stems import STEMS
from my_submission.systems.leaderboard_a import TFC_TDF_SHARE

ORIGINAL = "leaderboard_a"
"""The system that it is compared with."""
OPSET, FORMAT = 13, 7
"""The newest that onnxruntime 1.7 knows. Since then nothing has changed in these networks' layers
but what is of use in training only."""


def measure_original(python: str, models: Path, song: Path, out: Path | None = None) -> Run:
    """Separate `song` in a process of its own.

    Args:
        python: Python of an environment with torch 1.9.1, onnxruntime 1.7.0, demucs 2.0.3 and
            soundfile.
        models: Folder of the system's files.
        song: A 44.1 kHz stereo file.
        out: Folder for the stems; by default they are thrown away.

    Raises:
        RunError: It failed.
    """
    (demucs,) = demucs_parts(ORIGINAL)
    with tempfile.TemporaryDirectory() as scratch:
        networks = {stem: Path(scratch) / f"{stem}.onnx" for stem in STEMS}
        for stem, path in networks.items():
            write_for_old_runtimes(models / f"{stem}.onnx", path)
        sizes = {stem: asdict(config) for stem, config in TFC_TDF[ORIGINAL].items()}
        for size in sizes.values():
            del size["norm_groups"]
        given = {
            "song": str(song),
            "models": str(models),
            "out": str(out or scratch),
            "demucs": demucs.file,
            "networks": {stem: str(path) for stem, path in networks.items()},
            "sizes": sizes,
            "shares": TFC_TDF_SHARE,
        }
        program = ROOT / "benchmarks" / "original_program.py"
        return run_program([python, str(program), json.dumps(given)])


def write_for_old_runtimes(path: Path, copy: Path) -> None:
    """Write an ONNX file's network in the format of 2021."""
    model = onnx.load(path)
    model.ir_version = FORMAT
    model.opset_import[0].version = OPSET
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            kept = [item for item in node.attribute if item.name != "training_mode"]
            del node.attribute[:]
            node.attribute.extend(kept)
    onnx.save(model, copy)
