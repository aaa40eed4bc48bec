"""The metrics beside the challenge's SDR: golden values of other programs, and conventions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from museval import evaluate

from evaluator.errors import EvaluatorError
from evaluator.metrics import BaselineSums, FrameSdr, SeparationSums, Sounds, median_of_frames
from evaluator.results import Metrics
from evaluator.scoring import sdr
from evaluator.song_scores import ScoringJob, SongResult, score_job
from evaluator.sound import STEMS, Block
from tests.scored_songs import known_song, write_known_song
from tests.song_folders import write_wav

GOLDEN: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "golden_scores" / "scores.json").read_text()
)["songs"]


def score_folder(folder: Path, metrics: Metrics = "all", run: Path | None = None) -> SongResult:
    """Score what `write_known_song` has written."""
    files = {
        kind: {stem: folder / kind / f"{stem}.wav" for stem in STEMS} for kind in ("data", "run")
    }
    job = ScoringJob(
        "song",
        folder / "data",
        folder / "data" / "mixture.wav",
        files["data"],
        files["run"],
        {"separation_seconds": 2.5},
        metrics,
        run,
    )
    return score_job(job)


@pytest.mark.parametrize(
    "golden", GOLDEN, ids=lambda song: f"{song['sample_rate']} Hz, {song['num_channels']} channels"
)
def test_scores_are_those_of_other_programs(tmp_path: Path, golden: dict[str, Any]) -> None:
    form = (golden["num_samples"], golden["sample_rate"], golden["num_channels"])
    write_known_song(tmp_path, *form)
    scores = score_folder(tmp_path).scores
    assert scores["null_depth_db"] == pytest.approx(golden["numpy"]["null_depth_db"], abs=1e-6)
    for index, stem in enumerate(STEMS):
        found = scores["scores"][stem]
        for metric in ("global_sdr", "si_sdr"):
            assert found[metric] == pytest.approx(golden["numpy"][metric][index], abs=1e-6)
        for metric, frames in golden["museval 0.4.1 evaluate, by frame"].items():
            expected = np.median(np.round(frames[index], 5))
            assert found[metric] == pytest.approx(expected, abs=1e-6)
        # In one frame, version 4 is version 3. Ours is rounded as museval's files are.
        for metric, values in golden.get("mir_eval 0.8.2 bss_eval_images", {}).items():
            assert found[metric] == pytest.approx(np.round(values[index], 5), abs=1e-6)
        floor = scores["floor"]["quarter_mixture"][stem]
        assert floor["global_sdr"] < found["global_sdr"]


def separation(reference: Block, estimate: Block) -> tuple[float, float]:
    """Global SDR and SI-SDR of one source."""
    sums = SeparationSums(1)
    sums.add(reference[None], estimate[None])
    return sums.sdr()[0], sums.si_sdr()[0]


def naive_si_sdr(reference: Block, estimate: Block) -> float:
    target = np.vdot(reference, estimate) / np.vdot(reference, reference) * reference
    error = estimate - target
    return float(10 * np.log10((np.vdot(target, target) + 1e-7) / (np.vdot(error, error) + 1e-7)))


@pytest.mark.parametrize("noise", [1e-3, 1e-2, 1.0, 100.0])
@pytest.mark.parametrize("gain", [1.0, -0.5, 1e-3, 20.0])
def test_si_sdr_is_the_published_formula(
    rng: np.random.Generator, noise: float, gain: float
) -> None:
    reference, error = rng.normal(size=(2, 500, 2))
    estimate = gain * reference + noise * error
    assert separation(reference, estimate)[1] == pytest.approx(
        naive_si_sdr(reference, estimate), abs=1e-6
    )


def test_si_sdr_does_not_depend_on_the_estimates_gain(rng: np.random.Generator) -> None:
    reference, error = rng.normal(size=(2, 5000, 2))
    scores = [separation(reference, g * (reference + error))[1] for g in (0.1, 1.0, 10.0)]
    assert scores == pytest.approx([scores[0]] * 3, abs=1e-6)


def test_silence_and_zeros_have_finite_scores(rng: np.random.Generator) -> None:
    sound, zeros = rng.normal(size=(500, 2)), np.zeros((500, 2))
    assert separation(sound, zeros) == separation(zeros, zeros) == (0, 0)
    of_silence = separation(zeros, sound)
    assert of_silence[0] == of_silence[1] < -90
    assert separation(sound, sound)[1] > 90


@given(arrays(np.float32, (2, 7, 2), elements=st.floats(-1e4, 1e4, width=32)))
def test_scores_are_finite_whatever_the_samples(pair: Block) -> None:
    scores = separation(*pair.astype(np.float64))
    assert np.isfinite(scores).all()
    assert scores[0] == pytest.approx(sdr(*pair), abs=1e-6)


def naive_frames(references: Sounds, estimates: Sounds, window: int) -> list[float | None]:
    """Frame by frame, stem by stem, as museval does it."""
    length = references.shape[1]
    starts = range(0, length - window + 1, window) if window < length else [0]
    rows: list[list[float]] = [[] for _ in references]
    for start in starts:
        true, found = (sounds[:, start : start + window] for sounds in (references, estimates))
        silent = any(not source.sum(axis=1).any() for sounds in (true, found) for source in sounds)
        for row, r, e in zip(rows, true, found, strict=True):
            error = np.sum((r - e) ** 2)
            row.append(np.nan if silent or not error else 10 * np.log10(np.sum(r**2) / error))
    return [median_of_frames(row) for row in rows]


@pytest.mark.parametrize("length", [1, 99, 100, 101, 250, 1000, 1049])
@pytest.mark.parametrize("block", [1, 64, 100, 301, 5000])
def test_frames_do_not_depend_on_the_blocks(
    rng: np.random.Generator, length: int, block: int
) -> None:
    references, estimates = rng.normal(size=(2, 4, length, 2))
    references[1, 100:200] = 0
    estimates[2, 300:400] = [1, -1]
    estimates[0, 500:600] = references[0, 500:600]
    frames = FrameSdr(4, length, 100)
    for start in range(0, length, block):
        frames.add(references[:, start : start + block], estimates[:, start : start + block])
    assert frames.medians() == pytest.approx(naive_frames(references, estimates, 100), abs=1e-9)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([1.0, np.nan, 3.0], 2.0),
        ([np.inf, 1.0, -np.inf], 1.0),
        ([np.nan], None),
        ([0.123456789], 0.12346),
    ],
)
def test_medians_leave_out_what_museval_leaves_out(
    frames: list[float], expected: float | None
) -> None:
    assert median_of_frames(frames) == expected


def test_the_floors_sdr_is_what_museval_gives() -> None:
    mixture, references, _ = known_song(5000)
    references[1, 1000:2000] = 0
    quarters = np.stack([mixture / 4] * 4)
    sums = BaselineSums(5000, 1000, with_frames=True)
    sums.add(references, quarters)
    frames = evaluate(references, quarters, win=1000, hop=1000)[0]
    assert np.isnan(frames[:, 1]).all()
    expected = [np.nanmedian(np.round(row, 5)) for row in frames]
    found = sums.scores()
    assert [found[stem]["SDR"] for stem in STEMS] == pytest.approx(expected, abs=1e-6)
    assert [found[stem]["global_sdr"] for stem in STEMS] == pytest.approx(
        [sdr(r, mixture / 4) for r in references], abs=1e-9
    )
    for stem, reference in zip(STEMS, references, strict=True):
        si_sdr = separation(reference, mixture / 4)[1]
        assert found[stem]["si_sdr"] == pytest.approx(si_sdr, abs=1e-9)


@pytest.mark.parametrize("kind", ["data", "run"])
def test_museval_scores_no_song_with_a_silent_stem(tmp_path: Path, kind: str) -> None:
    write_known_song(tmp_path, 1000, 44_100)
    write_wav(tmp_path / kind / "drums.wav", np.zeros((1000, 1)))
    result = score_folder(tmp_path, run=tmp_path / "out")
    what = "reference" if kind == "data" else "estimate"
    assert result.note is not None
    assert result.note.startswith("song: museval ")
    assert f"the {what} of drums" in result.note
    for stem in STEMS:
        scores = result.scores["scores"][stem]
        assert [scores[metric] for metric in ("SDR", "SIR", "ISR", "SAR")] == [None] * 4
        assert np.isfinite([scores["global_sdr"], scores["si_sdr"]]).all()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["song"]


def test_estimates_of_zeros_leave_the_whole_mixture(tmp_path: Path) -> None:
    write_known_song(tmp_path, 1000, 44_100)
    for stem in STEMS:
        write_wav(tmp_path / "run" / f"{stem}.wav", np.zeros((1000, 1)))
    scores = score_folder(tmp_path, "global").scores
    assert scores["null_depth_db"] == 0
    assert [scores["scores"][stem]["global_sdr"] for stem in STEMS] == [0] * 4


def test_without_museval(tmp_path: Path) -> None:
    write_known_song(tmp_path, 6000, 44_100)
    fast, whole = (score_folder(tmp_path, metrics).scores for metrics in ("global", "all"))
    for stem in STEMS:
        for scores in (fast["scores"][stem], fast["floor"]["quarter_mixture"][stem]):
            assert scores["SDR"] is None
        same = ("global_sdr", "si_sdr")
        assert {name: fast["scores"][stem][name] for name in same} == {
            name: whole["scores"][stem][name] for name in same
        }


@pytest.mark.parametrize(
    ("kind", "name", "sound", "complaint"),
    [
        ("run", "drums", np.ones((999, 1)), "drums.wav has 999 samples"),
        ("data", "mixture", np.ones((999, 1)), "mixture.wav has 999 samples"),
        ("run", "drums", np.ones((1000, 2)), "drums.wav has 2 channels"),
        ("data", "drums", np.full((1000, 1), np.nan), "drums.wav holds NaN"),
    ],
)
def test_files_that_do_not_fit(
    tmp_path: Path, kind: str, name: str, sound: Block, complaint: str
) -> None:
    write_known_song(tmp_path, 1000, 44_100)
    write_wav(tmp_path / kind / f"{name}.wav", sound)
    with pytest.raises(EvaluatorError, match=complaint):
        score_folder(tmp_path, "global")


def test_a_mono_song_is_compared_in_both_channels(tmp_path: Path) -> None:
    files = write_known_song(tmp_path, 1000, 44_100)
    mono = score_folder(tmp_path, "global").scores
    _, _, estimates = known_song(1000)
    for path, estimate in zip(files["run"].values(), estimates, strict=True):
        write_wav(path, np.repeat(estimate, 2, axis=1))
    stereo = score_folder(tmp_path, "global").scores
    for stem in STEMS:
        assert stereo["scores"][stem]["si_sdr"] == pytest.approx(
            mono["scores"][stem]["si_sdr"], abs=1e-6
        )
    assert stereo["null_depth_db"] == pytest.approx(mono["null_depth_db"], abs=1e-6)
