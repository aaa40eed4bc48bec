"""Phase 1 by its command: what a run leaves, and what it says of wrong input."""

from pathlib import Path

import pytest
import torch

from my_submission.networks.onnx_runtime import OnnxNetwork
from tests.training.phase1_runs import arguments
from training.__main__ import main


def test_a_run_leaves_checkpoints_with_onnx_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_dir = tmp_path / "run"
    assert main(arguments(run_dir)) == 0
    assert "3 steps, validation" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    names = ["best.ckpt", "best.onnx", "last.ckpt", "last.onnx"]
    assert sorted(path.name for path in (run_dir / "checkpoints").iterdir()) == names
    network = OnnxNetwork(run_dir / "checkpoints" / "last.onnx")
    assert (network.dim_f, network.num_frames) == (64, 8)
    assert network.metadata == {"stem": "drums", "n_fft": "2048", "steps": "3"}
    state = torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 3
