"""The submission as the grader starts it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import predict
from evaluator.errors import EvaluatorError
from evaluator.sound import STEMS
from my_submission.errors import DemixError
from tests.song_folders import write_song

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Give back the handler of SIGTERM, which a program sets for good."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def songs(
    tmp_path: Path, rng: np.random.Generator, models: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Give a folder with two songs and their references, set up as the grader does."""
    folder = tmp_path / "data"
    for name in ("b song", "a"):
        write_song(folder / name, rng)
    monkeypatch.setenv("TEST_DATASET_PATH", str(folder))
    monkeypatch.setenv("RESULTS_DATASET_PATH", str(tmp_path / "r"))
    monkeypatch.setenv("DEMIX_MODELS", str(models))
    monkeypatch.delenv("AICROWD_IS_GRADING", raising=False)
    return folder


@pytest.mark.parametrize("error", [DemixError("no weights"), EvaluatorError("no songs")])
def test_predict_prints_known_errors_as_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail(_predictor: object) -> None:
        raise error

    monkeypatch.setattr("my_submission.predictor.DemixPredictor.run", fail)
    with pytest.raises(SystemExit, match="1"):
        predict.main()
    assert capsys.readouterr().err == f"error: {error}\n"


@pytest.mark.usefixtures("songs")
def test_predict_runs_the_submission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTIAL_RUN_MUSIC_NAMES", "a")
    predict.main()
    for stem in STEMS:
        assert soundfile.info(tmp_path / "r" / "a" / f"{stem}.wav").frames == 1000
    assert (tmp_path / "r" / "scores.json").is_file()


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (8000, 1), (192_000, 6)])
def test_stems_have_the_mixtures_rate_and_length(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int, channels: int
) -> None:
    monkeypatch.setenv("PARTIAL_RUN_MUSIC_NAMES", "a")
    soundfile.write(songs / "a" / "mixture.wav", np.zeros((1234, channels)), rate)
    shutil.rmtree(songs / "b song")
    for stem in STEMS:
        (songs / "a" / f"{stem}.wav").unlink()
    predict.main()
    for stem in STEMS:
        info = soundfile.info(tmp_path / "r" / "a" / f"{stem}.wav")
        assert (info.samplerate, info.frames, info.channels) == (rate, 1234, 2)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_no_stems_and_says_so(
    songs: Path, tmp_path: Path, rng: np.random.Generator, number: int, status: int
) -> None:
    sound = rng.uniform(-0.1, 0.1, (120 * 44_100, 2)).astype(np.float32)
    soundfile.write(songs / "a" / "mixture.wav", sound, 44_100)
    process = subprocess.Popen(
        [sys.executable, "predict.py"], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list((tmp_path / "r").rglob("*.part")):
        assert time.monotonic() < deadline, "the run never began to write"
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (status, "error: interrupted\n")
    assert [path for path in (tmp_path / "r").rglob("*") if path.is_file()] == []


GRADERS_COPY = """
import os


class MusicDemixingPredictor:
    def __init__(self, model_name="baseline"):
        self.songs = os.environ["TEST_DATASET_PATH"]
        self.results = os.environ["RESULTS_DATASET_PATH"]

    def prediction_setup(self):
        raise NotImplementedError

    def prediction(self, **paths):
        raise NotImplementedError

    def run(self):
        self.prediction_setup()
        for name in os.listdir(self.songs):
            os.makedirs(os.path.join(self.results, name))
            stems = {
                f"{stem}_file_path": os.path.join(self.results, name, stem + ".wav")
                for stem in ("bass", "drums", "other", "vocals")
            }
            mixture = os.path.join(self.songs, name, "mixture.wav")
            self.prediction(mixture_file_path=mixture, **stems)
            assert all(os.path.isfile(path) for path in stems.values())
        print("the grader's copy ran")
"""


def test_the_submission_runs_on_the_graders_copy_of_the_evaluator(
    tmp_path: Path, models: Path, rng: np.random.Generator
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(
        REPOSITORY / "my_submission",
        tree / "my_submission",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (tree / "models").mkdir()
    shutil.copy(REPOSITORY / "models" / "manifest.toml", tree / "models")
    for name in ("predict.py", "run.sh"):
        shutil.copy(REPOSITORY / name, tree)
    (tree / "evaluator").mkdir()
    # In the grader this repository is not installed: leave only the tree to import from.
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nsys.path = [path for path in sys.path if path != {str(REPOSITORY)!r}]\n"
    )
    (tree / "evaluator" / "music_demixing.py").write_text(GRADERS_COPY)
    song = tmp_path / "songs" / "a"
    write_song(song, rng)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path),
        "TEST_DATASET_PATH": str(tmp_path / "songs"),
        "RESULTS_DATASET_PATH": str(tmp_path / "results"),
        "DEMIX_MODELS": str(models),
        "DEMIX_SYSTEM": "starter",
    }

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["./run.sh"], cwd=tree, env=environment, capture_output=True, text=True, check=False
        )

    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert "the grader's copy ran" in done.stdout
    for stem in STEMS:
        assert soundfile.info(tmp_path / "results" / "a" / f"{stem}.wav").frames == 1000

    environment["DEMIX_SYSTEM"] = "none_such"
    shutil.rmtree(tmp_path / "results")
    failed = run()
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ")
    assert failed.stderr.count("\n") == 1


def test_the_files_that_the_grader_reads() -> None:
    settings = json.loads((REPOSITORY / "aicrowd.json").read_text())
    assert settings["challenge_id"] == settings["grader_id"] == "evaluations-api-music-demixing"
    assert isinstance(settings["authors"], list)
    assert settings["external_dataset_used"] is True  # generated songs
    assert settings["description"]
    assert (REPOSITORY / "apt.txt").read_text().split() == ["ffmpeg", "libsndfile1"]
    assert os.access(REPOSITORY / "run.sh", os.X_OK)
