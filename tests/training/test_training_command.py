"""The command: scoring, the Mixer, and what it says of wrong input."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from my_submission.networks.tfc_tdf import TfcTdf
from my_submission.separators.mixer import Mixer
from my_submission.stems import STEMS
from my_submission.systems.starter import TFC_TDF
from training.__main__ import main
from training.evaluate import evaluate_starter, song_scores, table_text
from training.export import NUM_FRAMES
from training.starter import DIM_F, StarterOptions, fit_options


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


def test_the_mixer_is_solved_over_the_networks(
    two_songs: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "starter"
    out.mkdir()
    for stem in STEMS:
        (out / f"{stem}.onnx").write_bytes((models / "starter" / f"{stem}.onnx").read_bytes())
    before = evaluate_starter(two_songs, models / "starter")["starter"]["mean"]
    assert main(["mixer", "--songs", str(two_songs), "--out", str(out)]) == 0
    assert "mixer.ckpt" in capsys.readouterr().out
    assert Mixer.load(out / "mixer.ckpt").weight.shape == (8, 10)
    assert evaluate_starter(two_songs, out)["starter"]["mean"] > before


def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate-starter", "--songs", str(tmp_path), "--models", str(tmp_path)]) == 1
    assert main(["mixer", "--songs", str(tmp_path / "nowhere")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "nowhere" in lines[1]


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("stem", STEMS)
def test_networks_are_trained_for_the_transform_they_run_on(
    stem: str, part: int, tmp_path: Path
) -> None:
    options = StarterOptions(
        songs=tmp_path, cache=tmp_path, run=tmp_path, out=tmp_path, minutes=3, narrow_minutes=2
    )
    name = next(known for known in STEMS if known == stem)
    fit = fit_options(name, options, part)
    assert fit.n_fft == TFC_TDF[name].n_fft
    # The bins above a narrower band are added when it is exported.
    assert fit.size.dim_f <= TFC_TDF[name].dim_f == DIM_F
    assert TFC_TDF[name].num_frames == NUM_FRAMES and NUM_FRAMES % fit.size.time_factor == 0
    assert fit.minutes == (3, 2)[part]


@pytest.mark.parametrize("stem", STEMS)
def test_the_narrower_network_is_a_part_of_the_wider(stem: str, tmp_path: Path) -> None:
    options = StarterOptions(songs=tmp_path, cache=tmp_path, run=tmp_path, out=tmp_path)
    name = next(known for known in STEMS if known == stem)
    with torch.device("meta"):
        wide, narrow = (
            TfcTdf(fit_options(name, options, part).size).state_dict() for part in (0, 1)
        )
    assert set(wide) == set(narrow)
    for key, value in narrow.items():
        fits = [own <= other for own, other in zip(value.shape, wide[key].shape, strict=True)]
        assert all(fits), key
