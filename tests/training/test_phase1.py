"""Phase 1 by its command: what a run leaves, and what it says of wrong input."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from my_submission.networks.onnx_runtime import OnnxNetwork
from training.__main__ import main

CONFIGS = Path(__file__).parent / "configs"


def arguments(run_dir: Path, *more: str) -> Sequence[str]:
    """Give the command's arguments for a run on noise, with `more`."""
    return [
        *("--config-dir", str(CONFIGS), "experiment=multigpu_drums", "model=tiny"),
        *("datamodule=tiny", "datamodule.batch_size=2", f"run_dir={run_dir}"),
        *("trainer.accelerator=cpu", "trainer.precision=32-true", "logger=csv"),
        *("trainer.max_epochs=1", "trainer.check_val_every_n_epoch=1", *more),
    ]


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
