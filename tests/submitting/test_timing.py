"""Whether songs are in time, by what `demix timing` measures on hardware like the grader's."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from my_submission.budget.messages import Task
from my_submission.cli.timing import measure
from submitting.submission import Submission
from submitting.timing import timing
from tests.submitting.conftest import Make, forecast
from tests.submitting.outcomes import say
from tests.submitting.tree import SETTINGS_2023, Tree


@pytest.mark.parametrize(
    ("challenge", "settings", "made_up", "status", "told"),
    [
        ("mdx21", {}, forecast(), "ok", "430 s of song in 43.0 s of 240 s, on "),
        (
            "mdx21",
            {},
            forecast("part", 1.0),
            "warning",
            "above 77 s would lose quality (step part)",
        ),
        ("mdx21", {}, forecast("full", longest="split"), "to do", "a song of 430 s would have no"),
        ("mdx21", {}, forecast("split", longest="part"), "to do", "a song of 240 s would have no"),
        ("mdx21", {"gpu": True}, forecast("split"), "warning", "without the GPU"),
        ("mdx21", {}, forecast(set_up=901), "to do", "the set-up took 901 s of 900 s"),
        ("mdx23", SETTINGS_2023, forecast(), "ok", "of 675.1 s"),
        ("mdx23", {**SETTINGS_2023, "gpu": False}, forecast("part", 2.0), "to do", "would be late"),
        ("mdx23", SETTINGS_2023, forecast("part", 2.0), "warning", "without the GPU"),
    ],
)
def test_songs_must_be_in_time(
    tree: Tree,
    submission: Callable[..., Submission],
    monkeypatch: pytest.MonkeyPatch,
    challenge: str,
    settings: dict[str, object],
    made_up: object,
    status: str,
    told: str,
) -> None:
    tree.settings({"again": 1, **settings})
    monkeypatch.setattr("submitting.timing.measure", lambda *_arguments: made_up)
    monkeypatch.setattr("my_submission.devices.resolve_device", lambda _device: "cpu")
    found = timing(submission(challenge=challenge), say)
    assert (found.check.status, told in found.check.text) == (status, True), found.check
    assert found.check.text.startswith(found.summary)


@pytest.mark.parametrize(
    ("challenge", "settings", "expected"),
    [
        ("mdx21", {}, ("cpu", 5)),
        ("mdx21", {"gpu": True}, ("cuda:0", 5)),
        ("mdx23", {**SETTINGS_2023, "gpu": False}, ("cpu", 4)),
        ("mdx23", SETTINGS_2023, ("cuda:0", 4)),
    ],
)
def test_it_is_measured_on_what_the_grader_has_too(
    tree: Tree,
    submission: Callable[..., Submission],
    monkeypatch: pytest.MonkeyPatch,
    challenge: str,
    settings: dict[str, object],
    expected: tuple[str, int],
) -> None:
    tree.settings({"again": 1, **settings})
    cores = set(range(5))  # of a machine with a GPU
    seen = []

    def set_cores(_process: int, chosen: Iterable[int]) -> None:
        cores.clear()
        cores.update(chosen)

    def note(task: Task, *_others: object) -> object:
        seen.append((task.device, len(cores)))
        return forecast()

    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(cores))
    monkeypatch.setattr(os, "sched_setaffinity", set_cores)
    monkeypatch.setattr("submitting.timing.measure", note)
    monkeypatch.setattr(
        "my_submission.devices.resolve_device",
        lambda device: "cuda:0" if device == "auto" else device,
    )
    found = timing(submission(challenge=challenge), say)
    assert seen == [expected]
    assert len(cores) == 5
    assert f", on {expected[0]}, " in found.summary


def test_the_timing_is_that_of_demix_timing(
    submission: Make, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("submitting.timing.measure", measure)
    monkeypatch.setattr(Submission, "models", models)
    lines: list[str] = []
    found = timing(submission(), lines.append)
    assert re.match(r"430 s of song in [\d.]+ s of 240 s, on ", found.summary)
    assert any(line.startswith("starter runs on ") for line in lines)
