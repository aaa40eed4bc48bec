"""What a rehearsal has left: whether it is four stems, and whether the networks made them."""

import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from evaluator.errors import EvaluatorError
from evaluator.results import BUDGET_RECORDS
from evaluator.sound import STEMS, SoundReader, read_together, require_same_form
from submitting.checks import Check, to_do, warning

LEAST_SOUND = 1e-4
"""Of full scale; what stays below it all the time is silence."""


def verify_stems(mixture: Path, folder: Path) -> None:
    """Check four stems: there, stereo, finite, of the mixture's rate and length, and separated.

    Raises:
        EvaluatorError: One is not; or all four are silent, or the same sound.
    """
    with ExitStack() as stack:
        song = stack.enter_context(SoundReader(mixture))
        stems = [stack.enter_context(SoundReader(folder / f"{stem}.wav")) for stem in STEMS]
        for stem in stems:
            require_same_form(song, stem)
        are_silent = are_same = True
        for blocks in read_together(*stems):
            are_silent &= all(np.abs(block).max() < LEAST_SOUND for block in blocks)
            are_same &= all(np.array_equal(blocks[0], block) for block in blocks)
    if are_silent:
        raise EvaluatorError("all four stems are silent")
    if are_same:
        raise EvaluatorError("all four stems are the same sound: nothing was separated")


def problem_of_budget(name: str, folder: Path) -> Check | None:
    """Tell what a song's own record says was left out; None where nothing, or where there is none.

    In the challenge of 2021 a song for which the networks fail or take too long gets its stems all
    the same, without them, and the run succeeds: only the record beside the stems tells.

    Args:
        name: Of the check.
        folder: Of the stems.

    Raises:
        EvaluatorError: A record cannot be read.
    """
    for path in sorted(folder.glob(BUDGET_RECORDS)):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            step, incidents = record["step"], [str(incident) for incident in record["incidents"]]
            used, limit = float(record["used_seconds"]), float(record["limit_seconds"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EvaluatorError(f"{path.name} is no record of a song: {error!r}") from error
        told = "; ".join([f"step {step}, {used:.1f} s of {limit:g} s used", *incidents])
        if incidents:
            return to_do(name, f"the process that runs the networks failed: {told}")
        if step == "split":
            return to_do(name, f"there was no time for the networks: {told}; take a faster system")
        if step != "full":
            return warning(name, f"the song was not separated in full quality: {told}")
    return None
