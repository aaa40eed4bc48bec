"""Phase 1 by its command: what a run leaves, and what it says of wrong input."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from my_submission.errors import DemixError
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.networks.tfc_tdf import TfcTdf
from tests.tfc_tdf_files import write_network
from tests.training.phase1_runs import ending
from training.__main__ import main
from training.loading import load_network


def test_a_run_leaves_checkpoints_with_onnx_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_dir = tmp_path / "run"
    assert ending(run_dir) == 0
    assert "3 steps, validation" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    names = ["best.ckpt", "best.onnx", "last.ckpt", "last.onnx"]
    checkpoints = run_dir / "checkpoints"
    assert sorted(path.name for path in checkpoints.iterdir()) == names
    network = OnnxNetwork(checkpoints / "last.onnx")
    assert (network.dim_f, network.num_frames) == (64, 8)
    assert network.metadata == {"stem": "drums", "n_fft": "2048", "steps": "3"}
    assert torch.load(checkpoints / "last.ckpt", weights_only=True)["global_step"] == 3
    # A finished run is not trained again, and one with more epochs goes on.
    assert ending(run_dir) == 0
    assert "3 steps" in capsys.readouterr().out
    assert ending(run_dir, "trainer.max_epochs=2") == 0
    assert "6 steps" in capsys.readouterr().out


def test_averaged_weights_are_exported(tmp_path: Path) -> None:
    assert ending(tmp_path, "callbacks=ema", "model.lr=0.01") == 0
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    state = torch.load(checkpoint, weights_only=True)
    name = "network.first_conv.0.weight"
    assert not torch.equal(state["state_dict"][name], state["current_model_state"][name])
    spec = torch.randn(1, 4, 64, 8)
    found = OnnxNetwork(checkpoint.with_suffix(".onnx"))(spec.numpy())
    averaged = load_network(checkpoint).network
    assert isinstance(averaged, TfcTdf)
    current = TfcTdf(averaged.size).eval()
    current.load_state_dict(
        {
            name.removeprefix("network."): value
            for name, value in state["current_model_state"].items()
        }
    )
    with torch.no_grad():
        distances = [float(np.abs(net(spec).numpy() - found).max()) for net in (averaged, current)]
    assert distances[0] < 1e-5 and distances[1] > 1e-3


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["model.lrr=1"], "Could not override 'model.lrr'"),
        (["+model.lrr=1"], "model.lrr is no option"),
        (["model=ConvTDFNet_flute"], "Could not find 'model/ConvTDFNet_flute'"),
        (["nonsense"], "Error parsing override 'nonsense'"),
        (["model.num_frames=7"], "take multiples of 2"),
        (["model.num_blocks=4"], "no TFC-TDF network has the sizes"),
        (["model.loss=hinge"], "choose one of mse, l1, relative"),
        (["model.lr=fast"], "model.lr=fast: give a number"),
        (["model.growth=2.5"], "model.growth=2.5: give a whole number"),
        (["model.lr=0"], "give a number above 0"),
        (["model.init_from=none.onnx"], "none.onnx: no such file"),
        (["trainer.precision=7"], "Precision 7 is invalid"),
        (["trainer.accelerator=abacus"], "abacus"),
        (["trainer.max_epochs=-3"], "max_epochs"),
        (["datamodule=musdb18_hq"], "give datamodule.data_dir="),
        (["datamodule=musdb18_hq", "datamodule.data_dir=nowhere"], "nowhere: has no folder train"),
        (["datamodule=folders"], "datamodule.folders"),
        (["datamodule=folders", "datamodule.folders=[nowhere]"], "nowhere: no such folder"),
        (["callbacks=ema", "callbacks.ema.decay=2"], "callbacks.ema.decay=2"),
        (["run_dir=/proc/run"], "/proc/run"),
    ],
)
def test_wrong_input_is_one_line(
    more: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(tmp_path, *more) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line


def test_a_folder_of_another_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(tmp_path) == 0
    before = (tmp_path / "checkpoints" / "last.ckpt").read_bytes()
    capsys.readouterr()
    assert ending(tmp_path, "model.growth=8") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "holds a run with model.growth=4, not 8" in line
    assert (tmp_path / "checkpoints" / "last.ckpt").read_bytes() == before
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["model"]["growth"] == 4


@pytest.mark.parametrize("loss", ["l1", "relative"])
def test_options_train(loss: str, tmp_path: Path) -> None:
    options = [
        *(f"model.loss={loss}", "model.optimizer=adamw", "model.lr=0.01", "model.growth=8"),
        *("model.scale_power=0.75", "model.band=48", "trainer.gradient_clip_val=1.0"),
        *("trainer.precision=bf16-mixed", "trainer.max_epochs=12", "datamodule.songs=1"),
        *("trainer.check_val_every_n_epoch=6", "callbacks.make_onnx=null", "datamodule.jitter=0"),
    ]
    assert ending(tmp_path, *options) == 0
    with next(tmp_path.glob("csv/*/metrics.csv")).open() as file:
        rows = [row["train/loss_epoch"] for row in csv.DictReader(file)]
    losses = [float(value) for value in rows if value]
    assert len(losses) == 12 and min(losses[-3:]) < losses[0]


def test_training_starts_from_a_published_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_network(tmp_path / "published.onnx")
    sizes = ["model.num_blocks=5", "model.num_layers=2", "model.growth=8"]
    more = [*sizes, "model.bottleneck_factor=4", f"model.init_from={file}", "model.lr=1e-9"]
    assert ending(tmp_path / "run", *more) == 0
    trained = load_network(tmp_path / "run" / "checkpoints" / "last.ckpt").network
    expected = load_network(file).network
    spec = torch.randn(1, 4, 64, 16)
    with torch.no_grad():
        wanted = expected(spec)
        assert float((trained(spec) - wanted).abs().max() / wanted.abs().max()) < 0.1
    capsys.readouterr()
    assert ending(tmp_path / "other", *more, "model.growth=4") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "give the model the file's sizes" in line


class Harmful:
    """What an attacker would put into a checkpoint."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Say how to make it: by running a program."""
        return os.remove, (str(self.path),)


class Callback:
    """A class that a checkpoint names, as Lightning's did."""


def test_published_checkpoints_of_whole_runs_are_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published = torch.load(write_network(tmp_path / "network.pt"), weights_only=True)
    content = {
        "state_dict": published | {"window": torch.ones(8), "freq_pad": torch.zeros(1)},
        "callbacks": {Callback: {"best": Callback(), "score": np.float64(1.5)}},
        "hyper_parameters": {"n_fft": 2048, "dim_t": 16},
    }
    checkpoint = tmp_path / "epoch=9.ckpt"
    torch.save(content, checkpoint)
    out = tmp_path / "drums.onnx"
    assert main(["export", str(checkpoint), str(out), "--num-frames", "16"]) == 0
    assert OnnxNetwork(out).metadata == {"n_fft": "2048"}
    # A bare checkpoint does not tell its n_fft.
    assert main(["export", str(tmp_path / "network.pt"), str(out)]) == 1
    assert "give --n-fft" in capsys.readouterr().err


def test_nothing_in_a_checkpoint_runs(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    published = torch.load(write_network(tmp_path / "network.pt"), weights_only=True)
    torch.save({"state_dict": published, "x": Harmful(victim)}, tmp_path / "bad.ckpt")
    with pytest.raises(DemixError, match="cannot be read as a checkpoint"):
        load_network(tmp_path / "bad.ckpt")
    assert victim.exists()
