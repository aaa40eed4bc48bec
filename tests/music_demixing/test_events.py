"""What the grader is told, and that it scores for itself."""

import sys
from pathlib import Path
from typing import Any

import pytest

from evaluator import aicrowd_helpers
from tests.music_demixing.predictors import QuarterPredictor


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
