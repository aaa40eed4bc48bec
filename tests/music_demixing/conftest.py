"""Fixtures of the tests of the grader's protocol of 2021."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from evaluator import aicrowd_helpers
from tests.music_demixing.predictors import VARIABLES
from tests.song_folders import write_song


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
