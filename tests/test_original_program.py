"""What the benchmarks run as the original program of Leaderboard A."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from benchmarks import original_program
from benchmarks.original_run import FORMAT, OPSET, write_for_old_runtimes
from my_submission.audio import ArraySignal
from my_submission.separators.tfc_tdf import TfcTdfSeparator
from my_submission.stems import STEMS, Stem
from my_submission.systems.leaderboard_a import TFC_TDF
from tests.golden_data import golden


@pytest.mark.parametrize("stem", STEMS)
def test_a_stem_is_estimated_as_in_the_system(
    stem: Stem, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its own Python imports these when it runs.
    for name, module in (("np", np), ("torch", torch), ("onnxruntime", onnxruntime)):
        monkeypatch.setattr(original_program, name, module, raising=False)
    path, config = golden(f"models/leaderboard_a/{stem}.onnx"), TFC_TDF[stem]
    song = rng.standard_normal((2, 700_000)).astype(np.float32)
    write_for_old_runtimes(path, tmp_path / "old.onnx")
    theirs = original_program.tfc_tdf(
        song,
        str(tmp_path / "old.onnx"),
        n_fft=config.n_fft,
        dim_f=config.dim_f,
        num_frames=config.num_frames,
        trim=config.trim,
    )
    blocks = TfcTdfSeparator(path, config).stream(ArraySignal(song))
    ours = np.concatenate(list(blocks), axis=-1)
    assert np.abs(theirs - ours).max() < 1e-5 * np.abs(ours).max()


def test_networks_are_written_in_the_format_of_their_time(tmp_path: Path) -> None:
    write_for_old_runtimes(golden("models/leaderboard_a/bass.onnx"), tmp_path / "old.onnx")
    model = onnx.load(tmp_path / "old.onnx")
    assert (model.ir_version, model.opset_import[0].version) == (FORMAT, OPSET)
    assert not [a.name for n in model.graph.node for a in n.attribute if a.name == "training_mode"]
