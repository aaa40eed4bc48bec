"""Training in several processes is training in one with the joint batch."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.training.phase1_runs import arguments
from training.__main__ import main

OPTIONS = (
    # A norm over the batch would be each process's own, as in the published training.
    *("model.norm_groups=2", "model.growth=8", "model.scale_power=0.75", "model.band=48"),
    *("callbacks=gradients", "datamodule.songs=3", "datamodule.jitter=0", "trainer.max_steps=1"),
    *("trainer.check_val_every_n_epoch=null", "trainer.val_check_interval=1"),
)


def test_two_processes_give_the_gradients_of_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(tmp_path / "one", *OPTIONS, "datamodule.batch_size=4")) == 0
    expected_lines = capsys.readouterr().out
    command = [sys.executable, "-m", "training", *arguments(tmp_path / "two", *OPTIONS)]
    two = subprocess.run(
        [*command, "trainer.devices=2", "trainer.strategy=ddp"],
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert two.returncode == 0, two.stderr
    gradients = [torch.load(tmp_path / name / "gradients.pt") for name in ("one", "two")]
    assert len(gradients[0]) > 20
    for name, expected in gradients[0].items():
        # Sums in another order; where they cancel, what is left is as small as its rounding.
        error = (gradients[1][name] - expected).abs().max()
        assert error <= 1e-5 * expected.abs().max() + 1e-9, name
    # Three songs are validated on, one by one process and two by the other; each counts once.
    scores = [re.findall(r"validation (\S+) dB", text) for text in (expected_lines, two.stdout)]
    assert len(scores[0]) == len(scores[1]) == 2  # from the first process alone
    assert float(scores[0][0]) == pytest.approx(float(scores[1][0]), rel=1e-3)
    assert abs(float(scores[0][0])) > 0.01
