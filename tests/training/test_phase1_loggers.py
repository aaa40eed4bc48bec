"""Where curves go, by what is installed and configured."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from lightning.pytorch.loggers import CSVLogger

from training.phase1 import loggers

SETTINGS = (*("WANDB_MODE", "WANDB_DISABLED", "WANDB_API_KEY", "WANDB_BASE_URL", "NETRC"),)


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away what this machine has."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def installed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Pretend that these are installed, and no other loggers."""
    monkeypatch.setattr(loggers, "find_spec", lambda name: name if name in names else None)
    for logger in ("WandbLogger", "TensorBoardLogger"):
        stand_in = type(logger, (SimpleNamespace,), {"__init__": take})
        monkeypatch.setattr(loggers, logger, stand_in)


def take(self: SimpleNamespace, *arguments: object, **named: object) -> None:
    """Keep what a logger is made with."""
    self.arguments, self.named = arguments, named


@pytest.mark.parametrize(
    ("setting", "value", "configured"),
    [
        ("WANDB_API_KEY", "0123", True),
        ("WANDB_MODE", "offline", True),
        ("WANDB_MODE", "disabled", False),
        ("WANDB_MODE", "online", False),
        ("WANDB_DISABLED", "true", False),
    ],
)
def test_wandb_is_configured_by_the_environment(
    setting: str, value: str, configured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not loggers.wandb_is_configured()
    monkeypatch.setenv(setting, value)
    assert loggers.wandb_is_configured() == configured


def test_wandb_is_configured_by_its_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password 0123\n")
    assert loggers.wandb_is_configured()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert not loggers.wandb_is_configured()
    (tmp_path / "netrc").write_text("machine wandb.example.org login user password 0123\n")
    assert loggers.wandb_is_configured()


def test_the_best_logger_there_is_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def name() -> str:
        return type(loggers.configured_logger(str(tmp_path / "run"), "project", "run")).__name__

    installed(monkeypatch, "wandb", "tensorboard")
    assert name() == "TensorBoardLogger"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert name() == "WandbLogger"
    installed(monkeypatch)
    assert name() == CSVLogger.__name__
    assert "pip install wandb" in capsys.readouterr().out


def test_a_run_that_goes_on_is_the_same_for_wandb(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed(monkeypatch, "wandb")
    runs = [loggers.wandb_logger(str(tmp_path / folder), "project", "run") for folder in "aab"]
    first, again, other = (vars(run)["named"] for run in runs)
    assert first == again
    assert first["id"] != other["id"]
    assert (first["project"], first["save_dir"]) == ("project", str(tmp_path / "a"))
