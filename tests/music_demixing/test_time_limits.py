"""The limits of set-up and songs, and the alarms that keep them."""

import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from evaluator.errors import EvaluatorError
from evaluator.time_limit import TimeLimitError, time_limit
from tests.music_demixing.predictors import QuarterPredictor, assert_no_alarm


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
