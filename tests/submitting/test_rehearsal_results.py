"""What a rehearsal has left: stems that networks have made, and a record that says so."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from evaluator.errors import EvaluatorError
from evaluator.sound import STEMS
from my_submission.budget.ladder import STEPS
from submitting.checks import Check
from submitting.rehearsal_results import problem_of_budget, verify_stems
from tests.submitting.conftest import Make
from tests.submitting.outcomes import perform, refused, warned
from tests.submitting.tree import FILES, Tree

RECORD = {"step": "full", "incidents": [], "used_seconds": 7.0, "limit_seconds": 240.0}


def record(folder: Path, **changed: object) -> Check | None:
    """Look at a record that has these entries."""
    (folder / "mixture.budget.json").write_text(json.dumps({**RECORD, **changed}))
    return problem_of_budget("rehearsal", folder)


def test_a_song_of_full_quality_has_no_problem(tmp_path: Path) -> None:
    assert problem_of_budget("rehearsal", tmp_path) is None
    assert record(tmp_path) is None


@pytest.mark.parametrize("step", STEPS[1:-1])
def test_less_quality_is_a_warning(tmp_path: Path, step: str) -> None:
    check = record(tmp_path, step=step)
    assert check is not None
    warned(check, f"not separated in full quality: step {step}, 7.0 s of 240 s used")


def test_a_process_that_failed_is_refused_whatever_came_of_it(tmp_path: Path) -> None:
    check = record(tmp_path, incidents=["the worker was killed"])
    assert check is not None
    refused(check, "failed: step full, 7.0 s of 240 s used; the worker was killed")


@pytest.mark.parametrize("changed", [{"incidents": None}, {"used_seconds": "long"}])
def test_a_record_that_cannot_be_read_is_an_error(
    tmp_path: Path, changed: dict[str, object]
) -> None:
    with pytest.raises(EvaluatorError, match=r"mixture\.budget\.json is no record of a song"):
        record(tmp_path, **changed)


def test_a_rehearsal_in_which_the_networks_had_no_time_is_refused(
    tree: Tree, submission: Make, lines: list[str]
) -> None:
    text = json.dumps({**RECORD, "step": "split"})
    script = f"(results / song.name / 'mixture.budget.json').write_text({text!r})\n"
    tree.change("predict.py", FILES["predict.py"] + script)
    refused(perform(submission(), lines), "there was no time for the networks: step split")


@pytest.mark.parametrize(
    ("levels", "told"),
    [
        ((0.0, 0.0, 0.0, 0.0), "all four stems are silent"),
        ((0.0, 0.0, 0.0, 5e-5), "all four stems are silent"),
        ((0.3, 0.3, 0.3, 0.3), "all four stems are the same sound"),
        ((0.0, 0.0, 0.0, 0.1), None),
        ((0.3, 0.3, 0.3, 0.4), None),
    ],
)
def test_stems_that_no_network_has_made_are_refused(
    tmp_path: Path, levels: tuple[float, ...], told: str | None
) -> None:
    long = 20_000  # several blocks of which only the last one tells
    soundfile.write(tmp_path / "mixture.wav", np.zeros((long, 2)), 44_100)
    for stem, level in zip(STEMS, levels, strict=True):
        sound = np.zeros((long, 2))
        sound[-1000:] = level
        soundfile.write(tmp_path / f"{stem}.wav", sound, 44_100, subtype="FLOAT")
    if told is None:
        verify_stems(tmp_path / "mixture.wav", tmp_path)
    else:
        with pytest.raises(EvaluatorError, match=told):
            verify_stems(tmp_path / "mixture.wav", tmp_path)


@pytest.mark.parametrize(
    ("frames", "channels", "rate", "value", "told"),
    [
        (1000, 2, 44_100, 0.1, None),
        (999, 2, 44_100, 0.1, "999 samples"),
        (1000, 1, 44_100, 0.1, "1 channels"),
        (1000, 2, 48_000, 0.1, "48000 Hz"),
        (1000, 2, 44_100, np.nan, "NaN"),
    ],
)
def test_stems_are_verified(
    tmp_path: Path, frames: int, channels: int, rate: int, value: float, told: str | None
) -> None:
    soundfile.write(tmp_path / "mixture.wav", np.zeros((1000, 2)), 44_100)
    for stem in STEMS:
        soundfile.write(tmp_path / f"{stem}.wav", np.full((1000, 2), 0.3), 44_100)
    sound = np.full((frames, channels), value)
    soundfile.write(tmp_path / "other.wav", sound, rate, subtype="FLOAT")
    if told is None:
        verify_stems(tmp_path / "mixture.wav", tmp_path)
    else:
        with pytest.raises(EvaluatorError, match=told):
            verify_stems(tmp_path / "mixture.wav", tmp_path)
