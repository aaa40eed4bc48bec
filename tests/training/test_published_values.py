"""What the published training's commands configure."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from benchmarks.full_size import tfc_tdf_size
from my_submission.stems import STEMS, Stem
from my_submission.systems import leaderboard_a, leaderboard_b
from training.hydra_command import CONFIGS
from training.phase1.options import ModelOptions


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("config", list(overrides))


def options_of(config: DictConfig) -> ModelOptions:
    return ModelOptions.checked(
        {str(name): value for name, value in config.model.items() if name != "_target_"}
    )


@pytest.mark.parametrize("stem", STEMS)
def test_leaderboard_a(stem: Stem) -> None:
    config = composed(f"experiment=multigpu_{stem}", f"model=ConvTDFNet_{stem}")
    options = options_of(config)
    assert options.target_name == stem
    assert options.inference == leaderboard_a.TFC_TDF[stem]
    assert options.size == tfc_tdf_size("leaderboard_a", stem)
    assert options.num_frames == 256
    assert (options.optimizer, options.loss, options.schedule) == ("rmsprop", "mse", "constant")
    assert options.lr == (2e-4 if stem == "vocals" else 1e-4)
    assert options.weight_decay == 0
    assert config.datamodule.batch_size == (8 if stem == "bass" else 16)
    assert config.datamodule.chunk_samples == 255 * 1024
    assert config.datamodule.augmentations is None
    assert config.datamodule.coherent_share == 0  # each source from a song of its own
    assert not config.datamodule.train_on_test
    assert config.trainer.check_val_every_n_epoch == 10
    assert config.trainer.precision == "auto"
    assert config.callbacks.early_stopping.monitor == "val/sdr"
    assert config.callbacks.early_stopping.patience == 500


@pytest.mark.parametrize("stem", STEMS)
def test_leaderboard_b(stem: Stem) -> None:
    config = composed(
        f"experiment=multigpu_{stem}",
        f"model=leaderboard_b_{stem}",
        "datamodule=leaderboard_b",
        "datamodule.validation_folders=[MDXDB21]",
    )
    options = options_of(config)
    assert options.target_name == stem
    assert options.inference == leaderboard_b.TFC_TDF[stem]
    assert options.size == tfc_tdf_size("leaderboard_b", stem)
    assert config.datamodule.train_on_test
    assert config.datamodule.batch_size == (8 if stem == "bass" else 16)
