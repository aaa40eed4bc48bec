"""The systems compute what the published programs computed.

The tolerance is the golden data's own: a largest difference below 1e-5 of the peak, and a relative
error below 1e-5.
"""

import functools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import torch

from my_submission.audio import ArraySignal, Signal
from my_submission.cascade import Shelf
from my_submission.compute import Compute
from my_submission.stems import STEMS, Audio
from my_submission.systems import SYSTEMS
from tests.golden_data import golden

SOURCES = list(STEMS)


@functools.cache
def load(system: str) -> Any:
    return SYSTEMS[system](golden(f"models/{system}"), Compute())


def stream_of(system: str, stage: str, song: Signal) -> Iterator[Audio]:
    """Run a stage of a system; those of Leaderboard C keep sounds on a shelf."""
    published = load(system)
    if stage == "final":
        yield from published.separate(song)
    elif system == "leaderboard_c":
        with Shelf(song.num_samples, num_sounds=10) as shelf:
            run = published.tfc_tdf if stage == "tfc_tdf" else published._demucs.cascade
            yield from run(song, shelf)
    else:
        yield from getattr(published, stage)(song)


def mixture(system: str, song: str) -> ArraySignal:
    samples, _ = soundfile.read(golden(f"{system}/{song}.wav"), dtype="float32")
    return ArraySignal(np.ascontiguousarray(samples.T))


def require_agreement(ours: Audio, expected: npt.NDArray[np.float32]) -> None:
    difference = ours.astype(np.float64) - expected
    assert np.abs(difference).max() < 1e-5 * np.abs(expected).max()
    assert np.linalg.norm(difference) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize(
    ("system", "song"),
    [
        ("leaderboard_a", "short"),
        ("leaderboard_a", "exact_vocals"),
        ("leaderboard_b", "short"),
        ("leaderboard_b", "exact_vocals"),
        ("leaderboard_c", "short"),
    ],
)
def test_stems_equal_the_published_programs(system: str, song: str) -> None:
    expected = np.load(golden(f"{system}/expected/{song}.npz"))
    stems = np.concatenate(list(load(system).separate(mixture(system, song))), axis=-1)
    require_agreement(stems[..., :: int(expected["step"])], expected["final"].reshape(4, 2, -1))


@pytest.mark.parametrize("stage", ["tfc_tdf", "demucs", "final"])
@pytest.mark.parametrize("system", ["leaderboard_a", "leaderboard_b", "leaderboard_c"])
def test_every_stage_of_a_song_equals_the_published_programs(system: str, stage: str) -> None:
    expected = np.load(golden(f"{system}/expected/sampled.npz"))
    assert list(expected["sources"]) == SOURCES
    stems = np.concatenate(list(stream_of(system, stage, mixture(system, "mixture"))), axis=-1)
    require_agreement(stems[..., :: int(expected["step"])], expected[stage])


def test_the_segments_of_leaderboard_c_are_its_own_whatever_the_files_say(tmp_path: Path) -> None:
    for path in golden("models/leaderboard_c").iterdir():
        if path.suffix == ".th":
            package = torch.load(path, weights_only=False)
            package["kwargs"]["segment"] = Fraction(5)
            torch.save(package, tmp_path / path.name)
        else:
            (tmp_path / path.name).symlink_to(path)
    expected = np.load(golden("leaderboard_c/expected/short.npz"))
    system = SYSTEMS["leaderboard_c"](tmp_path, Compute())
    stems = np.concatenate(list(system.separate(mixture("leaderboard_c", "short"))), axis=-1)
    require_agreement(stems[..., :: int(expected["step"])], expected["final"].reshape(4, 2, -1))
