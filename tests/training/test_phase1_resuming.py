"""A run that was stopped and gone on with is the run that never was."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.trainer import Trainer
from torch import Tensor

from tests.training.phase1_runs import arguments
from training.__main__ import main

ROOT = Path(__file__).parents[2]

OPTIONS = (
    *("trainer.max_epochs=3", "model.optimizer=adamw", "model.lr=0.01", "model.schedule=cosine"),
    "model.warmup_steps=2",
)


def assert_same(found: Any, expected: Any, where: str) -> None:
    """Demand that two checkpoints hold the same, bit by bit."""
    if isinstance(expected, Tensor):
        assert torch.equal(found, expected), where
    elif isinstance(expected, Mapping):
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            assert_same(found[key], value, f"{where}.{key}")
    elif isinstance(expected, Sequence) and not isinstance(expected, str):
        assert len(found) == len(expected), where
        for index, value in enumerate(expected):
            assert_same(found[index], value, f"{where}[{index}]")
    else:
        assert found == expected, where


def stopped(run_dir: Path, *more: str) -> int:
    """Run the command until it is disturbed; give its exit status."""
    with pytest.raises(SystemExit) as ending:
        main(arguments(run_dir, "callbacks=disturbed", *more))
    assert isinstance(ending.value.code, int)
    return ending.value.code


def contents(run_dir: Path) -> dict[str, Any]:
    """Read the last checkpoint, without what depends on the folder."""
    state: dict[str, Any] = torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)
    state["callbacks"] = {
        name: value for name, value in state["callbacks"].items() if "ModelCheckpoint" not in name
    }
    # Lightning counts differently what is left of an epoch that was interrupted.
    del state["loops"]
    return state


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give the last checkpoint of a run without a stop."""
    run_dir = tmp_path_factory.mktemp("whole")
    assert main(arguments(run_dir, "callbacks=ema", *OPTIONS)) == 0
    return contents(run_dir)


@pytest.mark.parametrize(
    ("step", "when", "signum", "saved_every"),
    [
        pytest.param(4, "step", signal.SIGTERM, 100, id="in the middle of an epoch"),
        pytest.param(5, "step", signal.SIGINT, 100, id="by Ctrl-C"),
        pytest.param(3, "step", signal.SIGTERM, 100, id="behind an epoch's last step"),
        pytest.param(6, "validation", signal.SIGTERM, 100, id="in validation"),
        pytest.param(5, "step", 0, 2, id="killed a step behind a checkpoint"),
        pytest.param(6, "validation", 0, 3, id="killed in validation"),
    ],
)
def test_going_on_changes_nothing(
    step: int,
    when: str,
    signum: int,
    saved_every: int,
    whole: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    disturbed = (
        *(f"callbacks.disturb.step={step}", f"callbacks.disturb.when={when}"),
        f"callbacks.disturb.signum={int(signum)}",
        f"callbacks.last_checkpoint.every_n_steps={saved_every}",
        *OPTIONS,
    )
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    if signum:
        assert stopped(tmp_path, *disturbed) == 128 + signum
        # Whoever runs this as a part of a program has its own handlers back.
        assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        (line,) = capsys.readouterr().err.splitlines()
        assert f"stopped after step {step}; the same command goes on" in line
    else:
        with pytest.raises(ZeroDivisionError):
            main(arguments(tmp_path, "callbacks=disturbed", *disturbed))
        capsys.readouterr()
    assert main(arguments(tmp_path, "callbacks=ema", *OPTIONS)) == 0
    assert "9 steps" in capsys.readouterr().out
    assert_same(contents(tmp_path), whole, "checkpoint")


def test_songs_go_on_where_they_were(songs: Path, tmp_path: Path) -> None:
    more = [
        *("datamodule=folders", f"datamodule.folders=[{songs}]", "datamodule.validation_songs=1"),
        *("datamodule.batch_size=12", "datamodule.num_workers=1", "trainer.max_epochs=2"),
        *("model.scale_power=0.75", "callbacks.make_onnx=null"),
    ]
    assert main(arguments(tmp_path / "whole", "callbacks=ema", *more)) == 0
    disturbed = ("callbacks.disturb.step=2", f"callbacks.disturb.signum={int(signal.SIGINT)}")
    assert stopped(tmp_path / "parts", *more, *disturbed) == 128 + signal.SIGINT
    assert main(arguments(tmp_path / "parts", "callbacks=ema", *more)) == 0
    found = contents(tmp_path / "parts")
    assert found["global_step"] > 6
    assert_same(found, contents(tmp_path / "whole"), "checkpoint")


HOLDER = """
import sys, time
from pathlib import Path
from training.locking import lock

with lock(Path(sys.argv[1]), wait=False):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_a_folder_that_another_process_trains_in_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / "run"], stdout=subprocess.PIPE, cwd=ROOT
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"locked\n"
        with pytest.raises(SystemExit, match="1"):
            main(arguments(tmp_path / "run"))
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{tmp_path / 'run'}: in use" in line
        assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]
        other.kill()
    assert main(arguments(tmp_path / "run")) == 0


def test_a_run_keeps_its_folder_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[int] = []

    def fit(*_arguments: object, **_options: object) -> None:
        command = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
        other = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=300, check=False)
        assert b"BlockingIOError" in other.stderr
        others.append(other.returncode)

    monkeypatch.setattr(Trainer, "fit", fit)
    for _ in range(2):  # in a new folder, and in one that is there
        assert main(arguments(tmp_path / "run")) == 0
    assert others == [1, 1]
