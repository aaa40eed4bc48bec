"""`evaluate_locally.py`: the protocol of 2023 over a folder of songs, and its scores."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import evaluate_locally
from evaluator.scoring import score_song
from evaluator.sound import STEMS
from my_submission.aicrowd_wrapper import AIcrowdWrapper
from my_submission.errors import DemixError
from tests.scaling_separator import SEPARATOR, ScalingSeparator
from tests.song_folders import write_song

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def settings(models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take the small networks and no folders of the shell's; give SIGTERM its handler back."""
    monkeypatch.setenv("DEMIX_MODELS", str(models))
    for variable in ("AICROWD_DATASET_DIR", "AICROWD_PUBLIC_SHARED_DIR"):
        # Set first, so that it is as it was after the program itself has removed it.
        monkeypatch.setenv(variable, "")
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def songs(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Give a folder with two songs and their references."""
    for name in ("b song", "a"):
        write_song(tmp_path / "songs" / name, rng)
    return tmp_path / "songs"


@pytest.fixture
def scaling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Separate without networks, which takes no time."""
    monkeypatch.setattr(SEPARATOR, ScalingSeparator)


def failure(capsys: pytest.CaptureFixture[str], *arguments: Path | str) -> str:
    """Run the program, which fails with one line; give it."""
    with pytest.raises(SystemExit) as end:
        evaluate_locally.main([str(argument) for argument in arguments])
    assert end.value.code == 1
    error = capsys.readouterr().err
    assert re.fullmatch("error: .+\n", error), error
    return error


def test_songs_are_separated_and_scored(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (songs / "notes").mkdir()
    (songs / "b song" / "vocals.wav").unlink()
    out = tmp_path / "new" / "out"
    evaluate_locally.main([str(songs), "--output", str(out)])
    printed = capsys.readouterr().out
    for line in (
        "skipped, for want of mixture.wav: notes\n",
        "1/2 a: ",
        "2/2 b song: ",
        "not scored, for want of references: b song\n",
        f"stems: {out}\n",
    ):
        assert line in printed
    assert all((out / name / f"{stem}.wav").is_file() for name in ("a", "b song") for stem in STEMS)
    expected = score_song(songs / "a", out / "a").as_dict()
    assert json.loads((out / "scores.json").read_text())["songs"] == {"a": expected}
    assert "the ideal ratio mask" in printed
    row = next(line for line in printed.splitlines() if "mean of 1 song" in line)
    assert re.findall(r"-?\d+\.\d+", row) == [f"{expected[key]:.3f}" for key in expected]


@pytest.mark.usefixtures("scaling")
def test_songs_without_references_are_separated_all_the_same(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in songs.rglob("drums.wav"):
        path.unlink()
    monkeypatch.setenv("AICROWD_DATASET_DIR", str(songs))
    monkeypatch.setenv("AICROWD_PUBLIC_SHARED_DIR", str(tmp_path / "shared"))
    evaluate_locally.main([])
    assert "not scored, for want of references: a, b song\n" in capsys.readouterr().out
    assert len(list((tmp_path / "shared" / "predictions").rglob("*.wav"))) == 8
    assert not (tmp_path / "shared" / "predictions" / "scores.json").exists()


@pytest.mark.usefixtures("scaling")
def test_arguments_come_before_the_environment(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AICROWD_DATASET_DIR", str(tmp_path / "none such"))
    monkeypatch.setenv("AICROWD_PUBLIC_SHARED_DIR", str(tmp_path / "shared"))
    evaluate_locally.main([str(songs), "--output", str(tmp_path / "out")])
    assert (tmp_path / "out" / "a" / "bass.wav").is_file()
    assert not (tmp_path / "shared").exists()


def test_wrong_folders_are_refused(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "none such does not exist" in failure(capsys, tmp_path / "none such")
    assert "is not a folder" in failure(capsys, songs / "a" / "bass.wav")
    assert "holds no songs" in failure(capsys, tmp_path / "songs" / "a")
    assert "holds the song itself" in failure(capsys, songs, "--output", songs)
    assert "cannot be made" in failure(capsys, songs, "--output", songs / "a" / "bass.wav")


@pytest.mark.usefixtures("scaling")
def test_a_song_that_cannot_be_separated_is_named_and_leaves_no_stems(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    evaluate_locally.main([str(songs), "--output", str(out)])
    (songs / "a" / "mixture.wav").write_bytes(b"no sound")
    assert "song a cannot be read" in failure(capsys, songs, "--output", out)
    soundfile.write(songs / "a" / "mixture.wav", np.zeros((0, 2)), 44_100)
    assert "song a: mixture of shape (0, 2)" in failure(capsys, songs, "--output", out)
    assert list((out / "a").iterdir()) == []
    (out / "a").rmdir()
    (out / "a").write_text("a file in the folder's place")
    soundfile.write(songs / "a" / "mixture.wav", np.zeros((9, 2)), 44_100)
    assert "File exists" in failure(capsys, songs, "--output", out)


def test_weights_and_stems_that_do_not_fit_are_one_line(
    songs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    soundfile.write(songs / "a" / "drums.wav", np.zeros((9, 2)), 44_100)
    assert "1000 samples" in failure(capsys, songs, "--output", tmp_path / "out")
    monkeypatch.setenv("DEMIX_MODELS", str(tmp_path))
    assert "weights of starter are missing" in failure(capsys, songs, "--output", tmp_path / "out")


def test_an_interrupted_run_says_so_and_leaves_no_stems(
    songs: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    out = tmp_path / "out"
    sound = rng.uniform(-0.1, 0.1, (60 * 44_100, 2))
    soundfile.write(songs / "a" / "mixture.wav", sound, 44_100)
    process = subprocess.Popen(
        [sys.executable, "-u", "evaluate_locally.py", str(songs), "--output", str(out)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "DEMIX_SYSTEM": "starter"},
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("starter runs on ")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (143, "error: interrupted\n")
    assert list(out.rglob("*.wav")) == []


@pytest.mark.usefixtures("scaling")
def test_a_failure_in_the_middle_of_a_song_removes_its_stems(
    songs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail_half_way(_wrapper: AIcrowdWrapper, path: str, *_stems: object) -> None:
        Path(path).mkdir()
        (Path(path) / "bass.wav").write_bytes(b"half a file")
        raise DemixError("the disk is full")

    monkeypatch.setattr(AIcrowdWrapper, "save_prediction", fail_half_way)
    error = failure(capsys, songs, "--output", tmp_path / "out")
    assert error == "error: song a: the disk is full\n"
    assert list((tmp_path / "out" / "a").iterdir()) == []
