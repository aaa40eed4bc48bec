"""The files of a run: never replaced by worse ones, and never taken for what they are not."""

import os
import shutil
import stat
from pathlib import Path

import pytest
import torch

from my_submission.errors import DemixError
from my_submission.networks.onnx_runtime import OnnxNetwork
from tests.training.phase1_runs import ending
from training.phase1.checkpoint_files import AtomicIO

NAN = torch.tensor([1.0, float("nan")])


def files(run_dir: Path) -> dict[str, bytes]:
    """Read a run's checkpoints and networks."""
    return {path.name: path.read_bytes() for path in (run_dir / "checkpoints").iterdir()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a run of one epoch."""
    run_dir = tmp_path_factory.mktemp("run")
    assert ending(run_dir) == 0
    return run_dir


@pytest.fixture
def run_dir(made: Path, tmp_path: Path) -> Path:
    """Give a copy of it."""
    return shutil.copytree(made, tmp_path / "run")


@pytest.mark.parametrize(("found", "validations"), [("weights are", 0), ("the output is", 2)])
def test_a_diverged_run_keeps_what_it_had(
    found: str, validations: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["callbacks=diverging", "callbacks.last_checkpoint.every_n_steps=2"]
    more += [f"trainer.limit_val_batches={validations}"]
    assert ending(tmp_path, *more) == 1
    (line,) = capsys.readouterr().err.splitlines()
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert line == (
        f"error: training has diverged: {found} not finite after step 3; {last} still holds "
        "step 2; begin anew with a lower model.lr and another run_dir="
    )
    assert sorted(files(tmp_path)) == ["last.ckpt", "last.onnx"]
    state = torch.load(last, weights_only=True)
    assert state["global_step"] == 2
    assert all(value.isfinite().all() for value in state["state_dict"].values())
    assert OnnxNetwork(last.with_suffix(".onnx")).metadata["steps"] == "2"


def test_a_network_that_exports_as_another_replaces_nothing(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(run_dir)
    monkeypatch.setattr("training.export.TOLERANCE", 0.0)
    assert ending(run_dir, "trainer.max_epochs=2") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert ".onnx: the exported network differs from the trained one by" in line
    assert files(run_dir) == before


@pytest.mark.parametrize("part", ["state_dict", "current_model_state"])
def test_weights_that_are_not_finite_are_refused(part: str, tmp_path: Path) -> None:
    content = {"state_dict": {"weight": torch.ones(2)}, "global_step": 7, part: {"weight": NAN}}
    with pytest.raises(DemixError, match="not finite after step 7; no checkpoint was written"):
        AtomicIO().save_checkpoint(content, tmp_path / "best.ckpt")
    assert not list(tmp_path.iterdir())


def test_checkpoints_are_on_the_disk_before_they_replace_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, rename = os.fsync, Path.replace

    def watched_sync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        done.append("folder on the disk" if is_folder else "file on the disk")
        sync(descriptor)

    def watched_rename(self: Path, target: Path) -> Path:
        done.append("renamed")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(Path, "replace", watched_rename)
    content = {"state_dict": {"weight": torch.ones(2)}}
    AtomicIO().save_checkpoint(content, tmp_path / "last.ckpt")
    assert done == ["file on the disk", "renamed", "folder on the disk"]


def test_a_damaged_checkpoint_is_one_line(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last, best = (run_dir / "checkpoints" / name for name in ("last.ckpt", "best.ckpt"))
    remedy = f"delete it to begin anew, or from the best weights by model.init_from={best}"
    last.write_bytes(last.read_bytes()[:5000])
    assert ending(run_dir) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {last}: cannot be read as a checkpoint of tensors (")
    assert line.endswith(f"; if it is damaged, {remedy}")
    torch.save({"weight": torch.ones(1)}, last)
    assert ending(run_dir) == 1
    assert capsys.readouterr().err == f"error: {last}: is no checkpoint of a run; {remedy}\n"
    best.unlink()
    assert ending(run_dir) == 1
    assert capsys.readouterr().err.endswith("; delete it to begin anew\n")


def test_the_remedy_for_a_damaged_checkpoint_helps(run_dir: Path) -> None:
    last, best = (run_dir / "checkpoints" / name for name in ("last.ckpt", "best.ckpt"))
    last.unlink()
    assert ending(run_dir, f"model.init_from={best}") == 0
    assert torch.load(last, weights_only=True)["global_step"] == 3


@pytest.mark.parametrize("content", [b"", b"seed: 1\n", b"a: [", b"- 1\n", b"3", b"\xff\xfe\x00"])
def test_a_damaged_configuration_is_one_line(
    content: bytes, run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run_dir / "config.yaml"
    path.write_bytes(content)
    assert ending(run_dir) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {path}: is damaged, so that nobody knows what run this is: ")
