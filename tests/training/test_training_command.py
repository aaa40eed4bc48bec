"""The command: making and scoring the starter, and what it says of wrong input."""

import errno
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from my_submission.errors import DemixError
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.stems import STEMS
from my_submission.systems.starter import TFC_TDF
from training.__main__ import main
from training.evaluate import evaluate_starter, save_json, song_scores, table_text
from training.hydra_command import CONFIGS
from training.phase1.options import ModelOptions
from training.starter import StarterOptions, make_starter
from training.stopping import Children


@pytest.fixture
def two_songs(songs: Path) -> Path:
    """Give `songs` without most of them: whole networks take their time."""
    for name in "cde":
        shutil.rmtree(songs / name)
    return songs


def test_scores_of_the_starter_and_of_a_quarter_of_the_mixture(
    two_songs: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate-starter", "--songs", str(two_songs), "--models", str(models / "starter")]
    assert main([*arguments, "--json", str(tmp_path / "scores.json")]) == 0
    result = json.loads((tmp_path / "scores.json").read_text())
    assert set(result["songs"]) == set("ab")
    # The drums network of the fixture gives 0.3 of the mixture, whole as it is.
    assert result["starter"]["drums"] == pytest.approx(result["quarter_mixture"]["drums"], abs=0.5)
    for row in ("starter", "quarter_mixture"):
        means = [result[row][stem] for stem in STEMS]
        assert result[row]["mean"] == pytest.approx(np.mean(means), abs=1e-3)
    assert "quarter_mixture" in capsys.readouterr().out


def test_perfect_and_quarter_estimates_score_as_the_formula_says(rng: np.random.Generator) -> None:
    stems = rng.normal(0, 0.1, (4, 2, 50_000)).astype(np.float32)
    assert song_scores(stems, stems)["mean"] > 60
    # Error of a quarter: 9/16 of the stem and 1/16 of each of the three others, equally strong.
    quarter = np.broadcast_to(stems.sum(axis=0) / 4, stems.shape)
    expected = 10 * np.log10(16 / (9 + 3))
    assert song_scores(stems, quarter)["mean"] == pytest.approx(expected, abs=0.1)


def test_the_table_shows_the_gain(two_songs: Path, models: Path) -> None:
    result = evaluate_starter(two_songs, models / "starter")
    lines = table_text(result).splitlines()
    assert lines[0].split()[-1] == "mean" and len(lines) == 4
    assert lines[-1].startswith("2 songs")


def test_scores_that_have_no_place_are_not_computed(
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("training.__main__.evaluate_starter", None)
    arguments = ["evaluate-starter", "--songs", str(tmp_path), "--models", str(models / "starter")]
    for path, reason in (
        (tmp_path / "missing" / "scores.json", f"there is no folder {tmp_path}/missing"),
        (tmp_path, "is a folder"),
    ):
        assert main([*arguments, "--json", str(path)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"{path}: {reason}")


def test_scores_that_cannot_be_written_leave_the_older_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scores.json"
    save_json({"starter": 1.23456}, path)

    def no_space(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(DemixError, match=r"scores\.json: no space left"):
        save_json({"starter": 2}, path)
    assert json.loads(path.read_text()) == {"starter": 1.2346}
    assert list(tmp_path.iterdir()) == [path]


def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate-starter", "--songs", str(tmp_path), "--models", str(tmp_path)]) == 1
    assert main(["starter", "--songs", str(tmp_path), "-j", "0"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "-j 0" in lines[1]


@pytest.mark.parametrize(
    ("option", "value"),
    [("--minutes", "0"), ("--minutes", "-5"), ("--minutes", "nan"), ("-j", "0"), ("--hours", "0")],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_made(
    option: str,
    value: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", "false")  # nothing is to be run
    assert main(["starter", option, value]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{option} {value}: give ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stem", STEMS)
def test_networks_are_trained_for_the_transform_they_run_on(stem: str) -> None:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("config", ["experiment=starter", f"model=starter_{stem}"])
    values = {str(name): value for name, value in config.model.items() if name != "_target_"}
    options = ModelOptions.checked(values)
    assert options.target_name == stem
    assert options.inference == TFC_TDF[options.target_name]


def test_the_starter_is_made_of_songs_alone(
    two_songs: Path, models: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made"
    out.mkdir()
    for stem in ("bass", "other", "vocals"):
        (out / f"{stem}.onnx").write_bytes((models / "starter" / f"{stem}.onnx").read_bytes())
    options = StarterOptions(
        songs=two_songs,
        decoded=tmp_path / "decoded",
        run=tmp_path / "run",
        out=out,
        stems=["drums"],
        overrides=[
            *("model.num_blocks=3", "model.num_layers=1", "model.growth=8", "model.band=64"),
            *("model.bottleneck_factor=8", "model.num_frames=16", "trainer.max_steps=2"),
            *("datamodule.num_workers=0", "datamodule.validation_songs=1", "logger=csv"),
        ],
        mixer_overrides=["trainer.max_steps=2", "datamodule.validation_songs=1", "logger=csv"],
    )
    with Children() as children:
        make_starter(options, children)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*(f"{stem}.onnx" for stem in STEMS), "mixer.ckpt"]
    )
    assert OnnxNetwork(out / "drums.onnx").metadata["steps"] == "2"
    assert np.isfinite(evaluate_starter(two_songs, out)["starter"]["mean"])
    # What is made goes on, and says whose run it was where that fails.
    wrong = replace(options, overrides=[*options.overrides, "model.lr=1"])
    with pytest.raises(DemixError, match="training of drums"), Children() as children:
        make_starter(wrong, children)
    assert "lr" in capfd.readouterr().err
