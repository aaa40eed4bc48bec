"""The grader's protocol: folders, limits, checks and events; and the program that it runs."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from evaluator import aicrowd_helpers
from evaluator.errors import EvaluatorError
from evaluator.music_demixing import MusicDemixingPredictor
from evaluator.sound import STEMS
from evaluator.time_limit import TimeLimitError, time_limit
from tests.song_folders import write_song, write_wav

REPOSITORY = Path(__file__).parents[1]
VARIABLES = (
    "TEST_DATASET_PATH",
    "RESULTS_DATASET_PATH",
    "INFERENCE_SETUP_TIMEOUT_SECONDS",
    "INFERENCE_PER_MUSIC_TIMEOUT_SECONDS",
    "PARTIAL_RUN_MUSIC_NAMES",
    "AICROWD_IS_GRADING",
)


class QuarterPredictor(MusicDemixingPredictor):
    """Gives a quarter of the mixture as every stem, and notes what it was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.setups = 0
        self.songs: list[str] = []

    def prediction_setup(self) -> None:
        self.setups += 1

    def prediction(
        self,
        mixture_file_path: str,
        bass_file_path: str,
        drums_file_path: str,
        other_file_path: str,
        vocals_file_path: str,
    ) -> None:
        self.songs.append(Path(mixture_file_path).parent.name)
        mixture, rate = soundfile.read(mixture_file_path)
        paths = (bass_file_path, drums_file_path, other_file_path, vocals_file_path)
        for stem, path in zip(STEMS, paths, strict=True):
            self.write_stem(stem, Path(path), mixture / 4, rate)

    def write_stem(self, stem: str, path: Path, sound: Any, rate: int) -> None:
        assert path.name == f"{stem}.wav"
        write_wav(path, sound, rate)


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test no variables, an empty working directory and a fresh event connection."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "aicrowd_api", None)
    aicrowd_helpers._events.cache_clear()
    yield
    aicrowd_helpers._events.cache_clear()


@pytest.fixture
def songs(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Give the default folder with two songs and their references."""
    for name in ("b song", "a"):
        write_song(tmp_path / "data" / "test" / name, rng)
    return tmp_path / "data" / "test"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Give the default folder of results, which is not there yet."""
    return tmp_path / "data" / "results" / "baseline"


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Put a package in the place of the grader's; gives the events that it gets."""
    registered: list[dict[str, Any]] = []

    class AIcrowdEvents:
        AICROWD_EVENT_INFO = "info"
        AICROWD_EVENT_SUCCESS = "success"
        AICROWD_EVENT_ERROR = "error"

        def register_event(self, **event: Any) -> None:
            registered.append(event)

    fake = SimpleNamespace(events=SimpleNamespace(AIcrowdEvents=AIcrowdEvents))
    monkeypatch.setitem(sys.modules, "aicrowd_api", fake)
    return registered


def assert_no_alarm() -> None:
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


def test_defaults(tmp_path: Path) -> None:
    predictor = MusicDemixingPredictor()
    assert Path(predictor.test_data_path) == tmp_path / "data" / "test"
    assert Path(predictor.results_data_path) == tmp_path / "data" / "results" / "baseline"
    assert predictor.inference_setup_timeout == 900
    assert predictor.inference_per_music_timeout == 240
    assert MusicDemixingPredictor("mine").results_data_path.endswith("data/results/mine")


def test_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in zip(VARIABLES, ("t", "r", "3", "2"), strict=False):
        monkeypatch.setenv(variable, value)
    predictor = MusicDemixingPredictor()
    assert (predictor.test_data_path, predictor.results_data_path) == ("t", "r")
    assert predictor.inference_setup_timeout == 3
    assert predictor.inference_per_music_timeout == 2
    assert predictor.get_music_folder_location("a") == os.path.join("t", "a")  # noqa: PTH118
    assert Path(predictor.get_music_file_location("a")) == Path("t/a/mixture.wav")
    assert Path(predictor.get_music_file_location("a", "bass")) == Path("r/a/bass.wav")
    assert Path("r/a").is_dir()


@pytest.mark.parametrize("value", ["", "0", "-3", "2.5", "soon"])
@pytest.mark.parametrize("variable", VARIABLES[2:4])
def test_limits_that_are_no_seconds(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(EvaluatorError, match=f"{variable} is {value!r}"):
        MusicDemixingPredictor()


def test_all_songs_are_separated_scored_and_kept(
    songs: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (songs / "notes").mkdir()
    (songs / ".hidden").mkdir()
    (songs / "README.md").write_text("songs")
    predictor = QuarterPredictor()
    predictor.run()
    assert predictor.setups == 1
    assert predictor.songs == ["a", "b song"]
    for song in predictor.songs:
        assert {path.stem for path in (results / song).iterdir()} == set(STEMS)
    scores = json.loads((results / "scores.json").read_text())
    assert list(scores["songs"]) == ["a", "b song"]
    # Two ways of adding up the same samples.
    assert scores["mean"] == pytest.approx(scores["quarter_of_mixture"], rel=1e-12)
    printed = capsys.readouterr().out
    assert "skipped, for want of mixture.wav: notes\n" in printed
    assert "2/2 b song: 0.0 s of 240 s" in printed
    assert "mean of 2 songs" in printed
    assert "a quarter of the mixture" in printed
    assert printed.endswith(f"stems: {results}\n")
    assert_no_alarm()


@pytest.mark.usefixtures("songs")
def test_scoring_gives_the_challenges_names() -> None:
    predictor = QuarterPredictor()
    predictor.evaluation()
    scores = predictor.scoring()
    assert list(scores) == ["a", "b song"]
    assert list(scores["a"]) == ["sdr_bass", "sdr_drums", "sdr_other", "sdr_vocals", "sdr"]
    assert scores["a"]["sdr"] == pytest.approx(np.mean(list(scores["a"].values())[:4]))


def test_songs_without_references_are_named(
    songs: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (songs / "a" / "bass.wav").unlink()
    QuarterPredictor().run()
    assert "not scored, for want of references: a\n" in capsys.readouterr().out
    assert list(json.loads((results / "scores.json").read_text())["songs"]) == ["b song"]
    (songs / "b song" / "vocals.wav").unlink()
    QuarterPredictor().run()
    assert "holds no references" in capsys.readouterr().out
    with pytest.raises(EvaluatorError, match="holds no references"):
        QuarterPredictor().scoring()


@pytest.mark.usefixtures("songs")
def test_partial_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTIAL_RUN_MUSIC_NAMES", " b song,")
    predictor = QuarterPredictor()
    predictor.run()
    assert predictor.songs == ["b song"]


@pytest.mark.usefixtures("songs")
@pytest.mark.parametrize("names", ["a, c song", ","])
def test_partial_runs_of_unknown_songs(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    monkeypatch.setenv("PARTIAL_RUN_MUSIC_NAMES", names)
    predictor = QuarterPredictor()
    with pytest.raises(EvaluatorError, match=r"no song .*c? .*there are: a, b song$"):
        predictor.run()
    assert predictor.setups == 0


def test_folders_without_songs(tmp_path: Path) -> None:
    predictor = QuarterPredictor()
    with pytest.raises(EvaluatorError, match=r"data/test does not exist: give a folder of songs$"):
        predictor.run()
    write_wav(tmp_path / "data" / "test" / "mixture.wav", np.zeros((10, 2)))
    write_wav(tmp_path / "data" / "test" / "a" / "song.wav", np.zeros((10, 2)))
    with pytest.raises(EvaluatorError, match=r"holds no songs: .* mixture\.wav"):
        predictor.run()
    predictor.test_data_path = str(tmp_path / "data" / "test" / "mixture.wav")
    with pytest.raises(EvaluatorError, match="is not a folder"):
        predictor.run()
    assert predictor.setups == 0


@pytest.mark.usefixtures("songs")
def test_results_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RESULTS_DATASET_PATH", str(tmp_path / "file"))
    with pytest.raises(EvaluatorError, match=r"cannot be made .*set RESULTS_DATASET_PATH"):
        QuarterPredictor().run()
    monkeypatch.setenv("RESULTS_DATASET_PATH", str(tmp_path / "r"))
    (tmp_path / "r" / "a" / "bass.wav").mkdir(parents=True)
    with pytest.raises(EvaluatorError, match=r"bass\.wav cannot be replaced"):
        QuarterPredictor().run()


def test_references_are_not_overwritten(songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (songs / "a" / "bass.wav").read_bytes()
    monkeypatch.setenv("RESULTS_DATASET_PATH", str(songs / ".." / "test"))
    with pytest.raises(EvaluatorError, match="holds the song itself"):
        QuarterPredictor().run()
    assert (songs / "a" / "bass.wav").read_bytes() == before


@pytest.mark.usefixtures("songs")
def test_the_setup_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_SETUP_TIMEOUT_SECONDS", "1")

    class Slow(QuarterPredictor):
        def prediction_setup(self) -> None:
            time.sleep(10)

    predictor = Slow()
    began = time.monotonic()
    with pytest.raises(TimeLimitError, match="the setup took longer than 1 s"):
        predictor.run()
    assert 1 <= time.monotonic() - began < 5
    assert predictor.songs == []
    assert_no_alarm()


@pytest.mark.usefixtures("songs")
def test_each_song_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_PER_MUSIC_TIMEOUT_SECONDS", "1")

    class SlowOnSecond(QuarterPredictor):
        def write_stem(self, stem: str, path: Path, sound: Any, rate: int) -> None:
            super().write_stem(stem, path, sound, rate)
            time.sleep(0.15 if self.songs == ["a"] else 10)

    with pytest.raises(TimeLimitError, match="song b song took longer than 1 s"):
        SlowOnSecond().run()
    assert_no_alarm()


@pytest.mark.usefixtures("songs")
def test_a_limit_that_the_prediction_ignores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_PER_MUSIC_TIMEOUT_SECONDS", "1")

    class Stubborn(QuarterPredictor):
        def prediction(self, *paths: str, **named: str) -> None:
            try:
                time.sleep(10)
            except TimeLimitError:
                super().prediction(*paths, **named)

    with pytest.raises(TimeLimitError, match="song a took longer"):
        Stubborn().run()


@pytest.mark.usefixtures("songs")
def test_the_alarm_is_cleared_when_interrupted(events: list[dict[str, Any]]) -> None:
    class Interrupted(QuarterPredictor):
        def prediction(self, *_paths: str, **_named: str) -> None:
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 230
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Interrupted().run()
    assert events[-1]["event_type"] == "error"
    assert_no_alarm()


def test_limits_nest() -> None:
    handler = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeLimitError, match="outer"), time_limit(0.2, "outer"):
        with pytest.raises(TimeLimitError, match="inner"), time_limit(0.05, "inner"):
            time.sleep(5)
        with time_limit(5, "another"):
            pass
        time.sleep(5)
    with pytest.raises(TimeLimitError, match="outer"), time_limit(0.05, "outer"):
        with time_limit(5, "inner"):
            busy_until = time.monotonic() + 0.1
            while time.monotonic() < busy_until:
                pass
        time.sleep(5)
    assert signal.getsignal(signal.SIGALRM) == handler
    assert_no_alarm()


def test_limits_need_the_main_thread() -> None:
    errors: list[str] = []

    def run() -> None:
        try:
            with time_limit(1, "late"):
                pass
        except EvaluatorError as error:
            errors.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "main thread" in errors[0]


def remove(path: Path) -> None:
    path.unlink()


def shorten(path: Path) -> None:
    write_wav(path, np.zeros((999, 2)))


def make_mono(path: Path) -> None:
    write_wav(path, np.zeros((1000, 1)))


def change_rate(path: Path) -> None:
    write_wav(path, np.zeros((1000, 2)), 48_000)


def spoil_last_sample(path: Path) -> None:
    sound = np.zeros((1000, 2))
    sound[-1, 1] = np.nan
    write_wav(path, sound)


def write_text(path: Path) -> None:
    path.write_text("la la la")


@pytest.mark.usefixtures("songs")
@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (remove, "is missing"),
        (shorten, "has 999 samples, 1000 are needed"),
        (make_mono, "has 1 channels, 2 are needed"),
        (change_rate, "has 48000 Hz, 44100 are needed"),
        (spoil_last_sample, "holds NaN"),
        (write_text, "cannot be read as sound"),
    ],
)
def test_stems_are_verified(
    results: Path, spoil: Callable[[Path], None], complaint: str, stem: str
) -> None:
    class Faulty(QuarterPredictor):
        def prediction(self, *paths: str, **named: str) -> None:
            super().prediction(*paths, **named)
            spoil(results / "a" / f"{stem}.wav")

    with pytest.raises(EvaluatorError, match=f"a/{stem}.wav {complaint}"):
        Faulty().run()


@pytest.mark.usefixtures("songs")
def test_an_earlier_runs_stem_does_not_count() -> None:
    QuarterPredictor().run()

    class Lazy(QuarterPredictor):
        def prediction(self, *_paths: str, **_named: str) -> None:
            pass

    with pytest.raises(EvaluatorError, match=r"bass\.wav is missing"):
        Lazy().run()


@pytest.mark.usefixtures("songs")
def test_verify_results_may_be_stricter() -> None:
    class Strict(QuarterPredictor):
        def verify_results(self, music_name: str) -> bool:
            return super().verify_results(music_name) and music_name != "a"

    with pytest.raises(EvaluatorError, match="song a: verify_results refused"):
        Strict().run()


@pytest.mark.usefixtures("songs")
def test_a_predictor_needs_a_prediction_but_no_setup() -> None:
    with pytest.raises(NotImplementedError):
        MusicDemixingPredictor().run()


@pytest.mark.usefixtures("songs")
def test_events_of_a_good_run(events: list[dict[str, Any]]) -> None:
    QuarterPredictor().run()
    assert [event["event_type"] for event in events] == ["info"] * 4 + ["success"]
    assert [event["message"] for event in events] == [
        "execution_started",
        *["execution_progress"] * 3,
        "execution_success",
    ]
    assert [event["payload"].get("progress") for event in events] == [None, 0, 0.5, 1, None]
    assert events[0]["payload"] == {"event_type": "music_demixing:execution_started"}


@pytest.mark.usefixtures("songs")
def test_events_of_a_failed_run(events: list[dict[str, Any]]) -> None:
    class Broken(QuarterPredictor):
        def prediction(self, *_paths: str, **_named: str) -> None:
            raise ValueError("broken network")

    with pytest.raises(ValueError, match="broken network"):
        Broken().run()
    assert [event["event_type"] for event in events] == ["info", "info", "error"]
    assert "ValueError: broken network" in events[-1]["payload"]["error"]


@pytest.mark.usefixtures("songs")
@pytest.mark.parametrize(
    ("value", "grading"), [("1", True), ("true", True), ("0", False), ("False", False), ("", False)]
)
def test_the_grader_scores_for_itself(
    results: Path, monkeypatch: pytest.MonkeyPatch, value: str, grading: bool
) -> None:
    monkeypatch.setenv("AICROWD_IS_GRADING", value)
    QuarterPredictor().run()
    assert (results / "scores.json").exists() is not grading


def test_a_broken_event_package_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "aicrowd_api.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "aicrowd_api")
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
        aicrowd_helpers.execution_start()
