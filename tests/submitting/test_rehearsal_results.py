"""What a rehearsal has left: stems that networks have made, and a record that says so."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from evaluator.errors import EvaluatorError
from evaluator.sound import STEMS
from submitting.rehearsal_results import verify_stems
from tests.submitting.conftest import Make
from tests.submitting.outcomes import perform
from tests.submitting.tree import FILES, SEPARATE, Tree

RECORDED = """
import json
record = {"step": STEP, "incidents": INCIDENTS, "used_seconds": 7.0, "limit_seconds": 240.0}
(results / "rehearsal song" / "mixture.budget.json").write_text(json.dumps(record))
"""


@pytest.mark.parametrize(
    ("step", "incidents", "status", "told"),
    [
        ("full", [], "ok", "four stems verified"),
        ("part", [], "warning", "not separated in full quality: step part, 7.0 s of 240 s used"),
        ("split", [], "to do", "no time for the networks: step split"),
        ("full", ["the worker was killed"], "to do", "failed: step full, 7.0 s of 240 s used; the"),
    ],
)
def test_what_a_song_s_own_record_tells_is_told(
    tree: Tree,
    submission: Make,
    lines: list[str],
    step: str,
    incidents: list[str],
    status: str,
    told: str,
) -> None:
    script = RECORDED.replace("STEP", repr(step)).replace("INCIDENTS", repr(incidents))
    tree.change("predict.py", FILES["predict.py"] + script)
    check = perform(submission(), lines)
    assert (check.status, told in check.text) == (status, True), check


def test_a_record_that_cannot_be_read_is_refused(
    tree: Tree, submission: Make, lines: list[str]
) -> None:
    script = RECORDED.replace("STEP", "'full'").replace("INCIDENTS", "None")
    tree.change("predict.py", FILES["predict.py"] + script)
    check = perform(submission(), lines)
    assert (check.status, "is no record of a song" in check.text) == ("to do", True), check


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("bytes(len(sound) - 44)", "it ran, but all four stems are silent"),
        ("mixture.read_bytes()[44:]", "it ran, but all four stems are the same sound"),
    ],
)
def test_stems_that_no_network_has_made_are_refused(
    tree: Tree, submission: Make, lines: list[str], made: str, told: str
) -> None:
    line = "        sound[44:] = " + made + "\n        (folder /"
    tree.change("my_submission/separate.py", SEPARATE.replace("        (folder /", line))
    check = perform(submission(), lines)
    assert (check.status, check.text.startswith(told)) == ("to do", True), check


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
