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
from my_submission.budget.messages import Task
from my_submission.stems import SAMPLE_RATE
from my_submission.systems import SYSTEMS
from tests.scaling_separator import SEPARATOR, ScalingSeparator

REPOSITORY = Path(__file__).parents[1]

FORMS = [(44_100, 2), (48_000, 1), (8000, 6)]
"""Sample rates and numbers of channels of mixtures."""

CONTRACT_WRAPPER = """
import os
import soundfile as sf
from my_submission.user_config import MySeparationModel

class AIcrowdWrapper:
    def __init__(self, dataset_dir="./public_dataset/", predictions_dir="./evaluator_outputs/"):
        if "AICROWD_PUBLIC_SHARED_DIR" in os.environ:
            predictions_dir = os.environ["AICROWD_PUBLIC_SHARED_DIR"] + "/predictions"
        self.predictions_dir = predictions_dir
        self.dataset_dir = os.environ.get("AICROWD_DATASET_DIR", dataset_dir)
        for path in (self.dataset_dir, self.predictions_dir):
            assert os.path.exists(path), path + " - No such directory"
        self.model = MySeparationModel()
        self.instruments = ["bass", "drums", "other", "vocals"]

    def raise_aicrowd_error(self, msg):
        raise NameError(msg)

    def check_output(self, separated_music_arrays, output_sample_rates):
        for names in (sorted(separated_music_arrays), sorted(output_sample_rates)):
            assert names == self.instruments, "four stems are needed"

    def save_prediction(self, prediction_path, separated_music_arrays, output_sample_rates):
        os.makedirs(prediction_path, exist_ok=True)
        for name in self.instruments:
            path = os.path.join(prediction_path, name + ".wav")
            sf.write(path, data=separated_music_arrays[name], samplerate=output_sample_rates[name])

    def separate_music_file(self, foldername):
        mixture, rate = sf.read(os.path.join(self.dataset_dir, foldername, "mixture.wav"))
        arrays, rates = self.model.separate_music_file(mixture, rate)
        self.check_output(arrays, rates)
        self.save_prediction(os.path.join(self.predictions_dir, foldername), arrays, rates)
        return True
"""
"""A wrapper with the contract of the kit's, written for these tests; it is not the kit's code.

It has all members that the kit's evaluator uses, and imports only `MySeparationModel` from here.
"""

Wrapper = type[AIcrowdWrapper]


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


@pytest.fixture(params=["ours", "contract"])
def wrapper_class(request: pytest.FixtureRequest) -> Wrapper:
    """Give our wrapper, then the one that has only the kit's contract: both keep it alike."""
    if request.param == "ours":
        return AIcrowdWrapper
    contract: dict[str, Wrapper] = {}
    exec(CONTRACT_WRAPPER, contract)
    return contract["AIcrowdWrapper"]


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
    wrapper_class: Wrapper, songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "predictions").mkdir()
    monkeypatch.setenv("AICROWD_DATASET_DIR", str(songs))
    monkeypatch.setenv("AICROWD_PUBLIC_SHARED_DIR", str(tmp_path))
    wrapper = wrapper_class("none such", "nor such")
    assert wrapper.dataset_dir == str(songs)
    assert wrapper.predictions_dir == str(tmp_path / "predictions")
    assert wrapper.instruments == wrapper.model.instruments == list(STEMS)


def test_the_wrapper_wants_both_folders(
    wrapper_class: Wrapper, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folders in (("none such", str(songs)), (str(songs), "none such")):
        with pytest.raises(AssertionError, match=r"^none such - No such directory$"):
            wrapper_class(*folders)
    monkeypatch.chdir(songs)
    with pytest.raises(AssertionError, match=r"^\./public_dataset/ - No such directory$"):
        wrapper_class()


def test_the_wrapper_refuses_other_stems_and_fails_as_the_challenge_does(
    wrapper_class: Wrapper, songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = wrapper_class(str(songs), str(tmp_path))
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
        wrong = (wrong_sounds, wrong_rates)
        monkeypatch.setattr(wrapper.model, "separate_music_file", lambda *_, given=wrong: given)
        with pytest.raises(AssertionError, match="are needed"):
            wrapper.separate_music_file(next(songs.iterdir()).name)
        assert list(tmp_path.iterdir()) == []
    for part in (wrapper, wrapper.model):
        with pytest.raises(NameError, match=r"^no such song$"):
            part.raise_aicrowd_error("no such song")


def test_predictions_are_16_bit_files_that_clip_each_at_its_rate(
    wrapper_class: Wrapper, songs: Path, tmp_path: Path
) -> None:
    wrapper = wrapper_class(str(songs), str(songs))
    levels = dict(zip(STEMS, (-1.5, 0.25, 0.5, 1.5), strict=True))
    sounds = {stem: np.full((5, 2), level) for stem, level in levels.items()}
    rates = {stem: 8000 + index for index, stem in enumerate(STEMS)}
    for _ in range(2):  # into a folder that is made, and into one that is there
        wrapper.save_prediction(str(tmp_path / "song"), sounds, rates)
    for stem, level in levels.items():
        path = tmp_path / "song" / f"{stem}.wav"
        sound, rate = soundfile.read(path)
        assert (soundfile.info(path).subtype, rate) == ("PCM_16", rates[stem])
        np.testing.assert_array_equal(sound, np.full((5, 2), np.clip(level, -1, 1 - 2**-15)))


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


GRADER = """
import importlib.util
import os
import my_submission
from my_submission.aicrowd_wrapper import AIcrowdWrapper

assert my_submission.__file__.startswith(os.getcwd()), my_submission.__file__
assert importlib.util.find_spec("evaluator") is None
wrapper = AIcrowdWrapper()
assert wrapper.instruments == wrapper.model.instruments
songs = os.listdir(wrapper.dataset_dir)
assert all(wrapper.separate_music_file(name) for name in songs)
assert sorted(os.listdir(wrapper.predictions_dir)) == sorted(songs)
"""


def test_a_wrapper_with_the_kits_contract_writes_the_same_files_where_only_the_tree_is(
    songs: Path, ours: Path, tmp_path: Path
) -> None:
    (tmp_path / "shared" / "predictions").mkdir(parents=True)
    tree = tmp_path / "tree"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "my_submission", tree / "my_submission", ignore=ignore)
    (tree / "my_submission" / "aicrowd_wrapper.py").write_text(CONTRACT_WRAPPER)
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
    assert done.stdout.count("starter runs on ") == 1
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

        def __init__(self, name: str | Task, **_options: object) -> None:
            loaded.append(name.system if isinstance(name, Task) else name)

        def set_up(self, **_options: object) -> None:
            pass

    monkeypatch.setattr(SEPARATOR, Recorder)
    monkeypatch.setattr(predictor, "TimedSeparator", Recorder)
    for set_up in set_ups:
        set_up()
    assert loaded == [system, system]
