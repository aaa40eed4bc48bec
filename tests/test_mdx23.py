"""The submission under the protocol of the Sound Demixing Challenge 2023."""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from evaluator.sound import STEMS
from my_submission import DemixError, predictor, user_config
from my_submission.aicrowd_wrapper import AIcrowdWrapper
from my_submission.stems import SAMPLE_RATE
from my_submission.systems import SYSTEMS
from tests.scaling_separator import SEPARATOR, ScalingSeparator

REPOSITORY = Path(__file__).parents[1]

FORMS = [(44_100, 2), (48_000, 1), (8000, 6)]
"""Sample rates and numbers of channels of mixtures."""


@pytest.fixture(autouse=True)
def settings(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the small networks, and no folders that the shell names."""
    monkeypatch.setenv("DEMIX_MODELS", str(models))
    monkeypatch.delenv("AICROWD_DATASET_DIR", raising=False)
    monkeypatch.delenv("AICROWD_PUBLIC_SHARED_DIR", raising=False)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a mixture of each form."""
    songs = tmp_path_factory.mktemp("songs")
    rng = np.random.default_rng(0)
    for rate, channels in FORMS:
        folder = songs / f"{rate} Hz – ünï"
        folder.mkdir()
        sound = rng.uniform(-0.4, 0.4, (rate // 4 + 7, channels))
        soundfile.write(folder / "mixture.wav", sound, rate, subtype="PCM_24")
    return songs


@pytest.fixture(scope="module")
def ours(songs: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of what our wrapper has written for `songs`."""
    predictions = tmp_path_factory.mktemp("ours")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEMIX_MODELS", str(models))
        run_wrapper(songs, predictions)
    return predictions


def run_wrapper(songs: Path, predictions: Path) -> None:
    wrapper = AIcrowdWrapper(str(songs), str(predictions))
    for song in sorted(songs.iterdir()):
        assert wrapper.separate_music_file(song.name) is True


def test_the_wrapper_writes_stems_at_the_mixtures_rate_and_length(songs: Path, ours: Path) -> None:
    for song in songs.iterdir():
        mixture = soundfile.info(song / "mixture.wav")
        assert {path.name for path in (ours / song.name).iterdir()} == {
            f"{stem}.wav" for stem in STEMS
        }
        for stem in STEMS:
            info = soundfile.info(ours / song.name / f"{stem}.wav")
            assert (info.samplerate, info.frames) == (mixture.samplerate, mixture.frames)
            assert (info.channels, info.subtype) == (2, "PCM_16")


def test_the_environment_names_the_wrappers_folders(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "predictions").mkdir()
    monkeypatch.setenv("AICROWD_DATASET_DIR", str(songs))
    monkeypatch.setenv("AICROWD_PUBLIC_SHARED_DIR", str(tmp_path))
    wrapper = AIcrowdWrapper("none such", "nor such")
    assert wrapper.dataset_dir == str(songs)
    assert wrapper.predictions_dir == str(tmp_path / "predictions")
    assert wrapper.instruments == wrapper.model.instruments == list(STEMS)


def test_the_wrapper_wants_both_folders(songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folders in (("none such", str(songs)), (str(songs), "none such")):
        with pytest.raises(AssertionError, match=r"^none such - No such directory$"):
            AIcrowdWrapper(*folders)
    monkeypatch.chdir(songs)
    with pytest.raises(AssertionError, match=r"^\./public_dataset/ - No such directory$"):
        AIcrowdWrapper()


def test_the_wrapper_refuses_other_stems_and_fails_as_the_challenge_does(songs: Path) -> None:
    wrapper = AIcrowdWrapper(str(songs), str(songs))
    sounds = {stem: np.zeros((5, 2)) for stem in STEMS}
    rates = dict.fromkeys(STEMS, SAMPLE_RATE)
    wrapper.check_output(sounds, rates)
    for wrong_sounds, wrong_rates in (
        ({**sounds, "piano": np.zeros((5, 2))}, rates),
        ({"bass": np.zeros((5, 2))}, rates),
        (sounds, {}),
    ):
        with pytest.raises(AssertionError, match="are needed"):
            wrapper.check_output(wrong_sounds, wrong_rates)
    for part in (wrapper, wrapper.model):
        with pytest.raises(NameError, match=r"^no such song$"):
            part.raise_aicrowd_error("no such song")


def test_networks_are_loaded_once_and_by_the_constructor(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []

    class Counting(ScalingSeparator):
        def __init__(self, system: str, **_options: object) -> None:
            loaded.append(system)

    monkeypatch.setattr(SEPARATOR, Counting)
    AIcrowdWrapper(str(songs), str(tmp_path))
    assert loaded == ["starter"]
    run_wrapper(songs, tmp_path)
    assert loaded == ["starter"] * 2  # the second wrapper's own, and nothing per song


KITS_COPY = """
import os

import soundfile as sf

from my_submission.user_config import MySeparationModel


class AIcrowdWrapper:
    def __init__(self, dataset_dir="./public_dataset/", predictions_dir="./evaluator_outputs/"):
        self.model = MySeparationModel()
        self.instruments = ["bass", "drums", "other", "vocals"]
        if "AICROWD_PUBLIC_SHARED_DIR" in os.environ:
            predictions_dir = os.environ["AICROWD_PUBLIC_SHARED_DIR"] + "/predictions"
        self.predictions_dir = predictions_dir
        self.dataset_dir = os.environ.get("AICROWD_DATASET_DIR", dataset_dir)
        assert os.path.isdir(self.dataset_dir) and os.path.isdir(self.predictions_dir)

    def separate_music_file(self, foldername):
        mixture, rate = sf.read(os.path.join(self.dataset_dir, foldername, "mixture.wav"))
        arrays, rates = self.model.separate_music_file(mixture, rate)
        assert sorted(arrays) == sorted(rates) == self.instruments == self.model.instruments
        os.mkdir(os.path.join(self.predictions_dir, foldername))
        for name in self.instruments:
            path = os.path.join(self.predictions_dir, foldername, name + ".wav")
            sf.write(path, data=arrays[name], samplerate=rates[name])
        return True
"""

GRADER = """
import importlib.util
import os
import my_submission
from my_submission.aicrowd_wrapper import AIcrowdWrapper

assert my_submission.__file__.startswith(os.getcwd()), my_submission.__file__
assert importlib.util.find_spec("evaluator") is None
wrapper = AIcrowdWrapper()
assert all(wrapper.separate_music_file(name) for name in os.listdir(wrapper.dataset_dir))
"""


def test_the_kits_copy_of_the_wrapper_writes_the_same_files(
    songs: Path, ours: Path, tmp_path: Path
) -> None:
    (tmp_path / "shared" / "predictions").mkdir(parents=True)
    tree = tmp_path / "tree"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "my_submission", tree / "my_submission", ignore=ignore)
    (tree / "my_submission" / "aicrowd_wrapper.py").write_text(KITS_COPY)
    (tree / "models").mkdir()
    shutil.copy(REPOSITORY / "models" / "manifest.toml", tree / "models")
    # In the grader this repository is not installed: leave only the tree to import from.
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nsys.path = [path for path in sys.path if path != {str(REPOSITORY)!r}]\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "AICROWD_DATASET_DIR": str(songs),
        "AICROWD_PUBLIC_SHARED_DIR": str(tmp_path / "shared"),
        "DEMIX_SYSTEM": "starter",
    }
    command = [sys.executable, "-c", GRADER]
    done = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("starter on ") == 1
    files = sorted(ours.rglob("*.wav"))
    assert len(files) == len(FORMS) * len(STEMS)
    for path in files:
        theirs = tmp_path / "shared" / "predictions" / path.relative_to(ours)
        assert path.read_bytes() == theirs.read_bytes()


def test_stems_are_those_of_the_predictor_of_2021(songs: Path, tmp_path: Path) -> None:
    model = user_config.MySeparationModel()
    submission = predictor.DemixPredictor()
    for song in songs.iterdir():
        paths = [tmp_path / song.name / f"{stem}.wav" for stem in STEMS]
        submission.prediction(str(song / "mixture.wav"), *map(str, paths))
        stems, rates = model.separate_music_file(*soundfile.read(song / "mixture.wav"))
        for stem, path in zip(STEMS, paths, strict=True):
            expected, rate = soundfile.read(path, dtype="float32")
            assert rates[stem] == rate
            assert stems[stem].dtype == np.float32
            np.testing.assert_allclose(stems[stem], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_environment_names_the_system_for_both_protocols(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMIX_SYSTEM", system)
    configured = runpy.run_path(user_config.__file__)
    monkeypatch.setattr(predictor, "SYSTEM", configured["SYSTEM"])
    set_ups = [configured["MySeparationModel"], predictor.DemixPredictor().prediction_setup]

    monkeypatch.setenv("DEMIX_MODELS", str(tmp_path))
    for set_up in set_ups:
        with pytest.raises(DemixError, match=f"weights of {system} are missing") as caught:
            set_up()
        assert "\n" not in str(caught.value)

    loaded = []

    class Recorder:
        device = "cpu"

        def __init__(self, name: str, **_options: object) -> None:
            loaded.append(name)

    monkeypatch.setattr(SEPARATOR, Recorder)
    monkeypatch.setattr(predictor, "Separator", Recorder)
    for set_up in set_ups:
        set_up()
    assert loaded == [system, system]
