"""Runs of phase 1 on noise, by its command."""

from pathlib import Path

from training.__main__ import main

CONFIGS = Path(__file__).parent / "configs"


def arguments(run_dir: Path, *more: str) -> list[str]:
    """Give the command's arguments for a run of one epoch of three steps, with `more`."""
    return [
        *("--config-dir", str(CONFIGS), "experiment=multigpu_drums", "model=tiny"),
        *("datamodule=tiny", "datamodule.batch_size=2", f"run_dir={run_dir}"),
        *("trainer.accelerator=cpu", "trainer.precision=32-true", "logger=csv"),
        *("trainer.max_epochs=1", "trainer.check_val_every_n_epoch=1", *more),
    ]


def ending(run_dir: Path, *more: str) -> int:
    """Run the command; give its exit status."""
    try:
        return main(arguments(run_dir, *more))
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code
