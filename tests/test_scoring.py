"""The challenge's SDR: its conventions, from arrays, files and folders."""

import json
import tracemalloc
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.console import Console

from evaluator import scoring, sound
from evaluator.baselines import Baselines
from evaluator.errors import EvaluatorError
from evaluator.report import (
    CEILING_NAME,
    FLOOR_NAME,
    print_scores,
    write_scores,
)
from evaluator.scoring import (
    SongScore,
    mean_score,
    score_folder,
    score_song,
    sdr,
    sdr_of_files,
)
from evaluator.sound import STEMS, Block
from tests.audio.sound_files import steady_tone
from tests.song_folders import write_song, write_wav


def naive_sdr(reference: Block, estimate: Block) -> float:
    """The formula, sample by sample."""
    signal = error = 0.0
    for r, e in zip(reference.ravel().tolist(), estimate.ravel().tolist(), strict=True):
        signal += r * r
        error += (r - e) * (r - e)
    return float(10 * np.log10((signal + 1e-7) / (error + 1e-7)))


def uniform_scores(name: str, value: float) -> SongScore:
    return SongScore(name, dict.fromkeys(STEMS, value))


def baselines(floor: float, ceiling: float) -> Baselines:
    return Baselines(uniform_scores(FLOOR_NAME, floor), uniform_scores(CEILING_NAME, ceiling))


def test_sdr_is_the_published_formula(rng: np.random.Generator) -> None:
    reference, estimate = rng.normal(size=(2, 2, 500))
    assert sdr(reference, estimate) == pytest.approx(naive_sdr(reference, estimate), rel=1e-12)


def test_an_error_of_a_tenth_is_20_db(rng: np.random.Generator) -> None:
    reference = rng.normal(size=(2, 500))
    assert sdr(reference, 0.9 * reference) == pytest.approx(20, abs=1e-6)


@pytest.mark.parametrize("reference_gain", [0.0, 1e-6, 1.0])
def test_an_estimate_of_zeros_is_0_db(rng: np.random.Generator, reference_gain: float) -> None:
    reference = reference_gain * rng.normal(size=(2, 500))
    assert sdr(reference, np.zeros((2, 500))) == 0


def test_noise_on_a_silent_reference_is_a_finite_bad_score() -> None:
    assert sdr(np.zeros(10), np.ones(10)) == pytest.approx(10 * np.log10(1e-7 / (10 + 1e-7)))


def test_a_perfect_estimate_scores_what_the_energy_allows() -> None:
    assert sdr(np.ones(10), np.ones(10)) == pytest.approx(10 * np.log10((10 + 1e-7) / 1e-7))


@given(
    arrays(np.float32, (2, 2, 5), elements=st.floats(-1e6, 1e6, width=32)),
    st.permutations(range(5)),
)
def test_sdr_is_finite_whatever_the_samples_and_their_order(pair: Block, order: list[int]) -> None:
    score = sdr(*pair)
    assert np.isfinite(score)
    assert sdr(*pair[:, :, order]) == pytest.approx(score, abs=1e-9)


@pytest.mark.parametrize(
    ("reference", "estimate", "complaint"),
    [
        (np.zeros((2, 3)), np.zeros((2, 4)), "shape"),
        (np.zeros((2, 0)), np.zeros((2, 0)), "no samples"),
        (np.zeros(2), np.array([0, np.nan]), "NaN"),
        (np.array([np.inf, 0]), np.zeros(2), "NaN"),
    ],
)
def test_arrays_that_cannot_be_compared(reference: Block, estimate: Block, complaint: str) -> None:
    with pytest.raises(EvaluatorError, match=complaint):
        sdr(reference, estimate)


@pytest.mark.parametrize("block_frames", [1, 64, 65, 999, 1000, 1001])
def test_the_score_of_files_does_not_depend_on_the_block(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, block_frames: int
) -> None:
    reference, estimate = rng.uniform(-1, 1, (2, 1000, 2))
    write_wav(tmp_path / "r.wav", reference)
    write_wav(tmp_path / "e.wav", estimate)
    monkeypatch.setattr(sound, "BLOCK_FRAMES", block_frames)
    score = sdr_of_files(tmp_path / "r.wav", tmp_path / "e.wav")
    assert score == pytest.approx(sdr(reference, estimate), rel=1e-12)


def test_an_mp3_is_what_it_is_in_any_blocks(tmp_path: Path) -> None:
    tone = steady_tone(100_000)
    write_wav(tmp_path / "r.wav", tone)
    soundfile.write(tmp_path / "e.mp3", tone, 44_100)
    expected = sdr(soundfile.read(tmp_path / "r.wav")[0], soundfile.read(tmp_path / "e.mp3")[0])
    assert expected > 40
    score = sdr_of_files(tmp_path / "r.wav", tmp_path / "e.mp3")
    assert score == pytest.approx(expected, abs=1e-6)


def test_memory_does_not_grow_with_the_song(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound, "BLOCK_FRAMES", 4096)
    peaks = []
    for seconds in (1, 10):
        path = tmp_path / f"{seconds}.wav"
        write_wav(path, rng.uniform(-1, 1, (seconds * 44_100, 2)))
        sdr_of_files(path, path)  # what is loaded on first use does not count
        tracemalloc.start()
        sdr_of_files(path, path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_references_may_be_wav_or_flac(
    tmp_path: Path, rng: np.random.Generator, suffix: str
) -> None:
    steps = rng.integers(-20_000, 20_000, (500, 2)).astype(np.int16)
    for folder in ("references", "estimates"):
        (tmp_path / folder).mkdir()
        for stem in STEMS:
            path = tmp_path / folder / f"{stem}{suffix}"
            soundfile.write(path, steps, 44_100, subtype="PCM_16")
    scores = score_song(tmp_path / "references", tmp_path / "estimates")
    perfect = sdr(steps / 32768, steps / 32768)
    assert scores.name == "references"
    assert scores.stems == dict.fromkeys(STEMS, pytest.approx(perfect))
    assert scores.song == pytest.approx(perfect)


@pytest.mark.parametrize(
    ("estimate", "rate", "complaint"),
    [
        (np.zeros((999, 2)), 44_100, "999 samples"),
        (np.zeros((1000, 1)), 44_100, "1 channels"),
        (np.zeros((1000, 2)), 48_000, "48000 Hz"),
        (np.full((1000, 2), np.nan), 44_100, "NaN"),
        (np.full((1000, 2), np.inf), 44_100, "NaN or infinite"),
    ],
)
def test_files_that_cannot_be_compared(
    tmp_path: Path, estimate: Block, rate: int, complaint: str
) -> None:
    write_wav(tmp_path / "r.wav", np.zeros((1000, 2)))
    write_wav(tmp_path / "e.wav", estimate, rate)
    with pytest.raises(EvaluatorError, match=complaint) as refusal:
        sdr_of_files(tmp_path / "r.wav", tmp_path / "e.wav")
    assert "e.wav" in str(refusal.value)


def test_files_that_are_missing_empty_or_no_sound(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("la la la")
    write_wav(tmp_path / "empty.wav", np.zeros((0, 2)))
    for name, complaint in (
        ("none.wav", "none.wav is missing"),
        ("text.wav", "text.wav cannot be read as sound"),
        ("empty.wav", "empty.wav holds no samples"),
    ):
        with pytest.raises(EvaluatorError, match=complaint):
            sdr_of_files(tmp_path / name, tmp_path / name)


def test_a_file_that_ends_before_its_header_says(tmp_path: Path, rng: np.random.Generator) -> None:
    steps = rng.integers(-20_000, 20_000, (200_000, 2)).astype(np.int16)
    whole, cut = tmp_path / "whole.flac", tmp_path / "cut.flac"
    soundfile.write(whole, steps, 44_100, subtype="PCM_16")
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    for reference, estimate in ((whole, cut), (cut, cut)):
        with pytest.raises(EvaluatorError, match=r"cut\.flac"):
            sdr_of_files(reference, estimate)


def test_a_song_without_a_stem_or_with_two_of_it(tmp_path: Path, rng: np.random.Generator) -> None:
    write_song(tmp_path / "song", rng)
    (tmp_path / "song" / "drums.wav").rename(tmp_path / "song" / "drums.mp3")
    with pytest.raises(EvaluatorError, match=r"song holds no drums\.wav or drums\.flac$"):
        score_song(tmp_path / "song", tmp_path / "song")
    write_wav(tmp_path / "song" / "drums.wav", np.zeros((1000, 2)))
    with pytest.raises(EvaluatorError, match=r"drums\.wav and drums\.mp3: remove"):
        score_song(tmp_path / "song", tmp_path / "song")


def test_score_folder_takes_all_songs_in_order(tmp_path: Path, rng: np.random.Generator) -> None:
    for name in ("b", "a"):
        write_song(tmp_path / "references" / name, rng)
        for stem in STEMS:
            write_wav(tmp_path / "estimates" / name / f"{stem}.wav", np.zeros((1000, 2)))
    (tmp_path / "references" / "notes").mkdir()
    scores = score_folder(tmp_path / "references", tmp_path / "estimates")
    assert scores == [uniform_scores("a", 0.0), uniform_scores("b", 0.0)]
    assert score_folder(tmp_path / "references", tmp_path / "estimates", names=["b"]) == scores[1:]


def test_score_folder_names_songs_without_estimates(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    names = [f"song {number:02}" for number in range(12)]
    for name in names:
        write_song(tmp_path / "references" / name, rng, num_frames=1)
    (tmp_path / "estimates").mkdir()
    with pytest.raises(EvaluatorError, match=r"no estimates of song 00, .*song 09 and 2 more"):
        score_folder(tmp_path / "references", tmp_path / "estimates")


def test_a_folder_without_references(tmp_path: Path) -> None:
    for path, complaint in (
        (tmp_path, "holds no references"),
        (tmp_path / "none", "none does not exist"),
    ):
        with pytest.raises(EvaluatorError, match=complaint):
            score_folder(path, tmp_path)


def test_mean_score_is_the_mean_over_songs() -> None:
    mean = mean_score([uniform_scores("a", 1.0), uniform_scores("b", 4.0)], name="both")
    assert mean == uniform_scores("both", 2.5)
    with pytest.raises(EvaluatorError, match="no songs"):
        mean_score([], name="none")


def test_the_table_has_all_rows_and_says_what_it_shows() -> None:
    text = StringIO()
    scores = [uniform_scores("[live] a", 1.0), uniform_scores("b", 4.0)]
    print_scores(scores, baselines(-1.5, 9.5), console=Console(file=text, width=120))
    table = text.getvalue()
    rows = {line.split("│")[1].strip(): line for line in table.splitlines() if "│" in line}
    assert list(rows) == ["[live] a", "b", "mean of 2 songs", FLOOR_NAME, CEILING_NAME]
    assert rows["mean of 2 songs"].count("2.500") == 5
    assert rows[FLOOR_NAME].count("-1.500") == 5
    assert rows[CEILING_NAME].count("9.500") == 5
    assert "not museval" in table
    assert "MUSDB18" in table


def test_the_table_without_floor_and_ceiling(capsys: pytest.CaptureFixture[str]) -> None:
    print_scores([uniform_scores("a", 1.0)])
    table = capsys.readouterr().out
    assert "mean of 1 song " in table
    assert FLOOR_NAME not in table
    assert CEILING_NAME not in table


def test_scores_are_kept_as_json(tmp_path: Path) -> None:
    path = tmp_path / "new" / "scores.json"
    write_scores(path, [uniform_scores("ü", 1.0)], baselines(-1.5, 9.5))
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["songs"]["ü"] == {**{f"sdr_{stem}": 1.0 for stem in STEMS}, "sdr": 1.0}
    assert document["mean"]["sdr"] == 1.0
    assert document["quarter_of_mixture"]["sdr_bass"] == -1.5
    assert document["ideal_ratio_mask"]["sdr"] == 9.5
    assert [entry.name for entry in path.parent.iterdir()] == ["scores.json"]


def test_scores_that_cannot_be_written_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "scores.json").mkdir()
    with pytest.raises(EvaluatorError, match=r"scores\.json cannot be written"):
        write_scores(tmp_path / "scores.json", [uniform_scores("a", 1.0)])
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.json"]


def test_messages_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(EvaluatorError) as refusal:
        scoring.songs_with_references(tmp_path / "two\nlines")
    assert "\n" not in str(refusal.value)
    assert r"two\nlines" in str(refusal.value)
