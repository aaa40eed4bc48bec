"""The systems compute what the published programs computed.

The tolerance is the golden data's own: a largest difference below 1e-5 of the peak, and a relative
error below 1e-5.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from my_submission.audio import ArraySignal, Signal
from my_submission.stems import STEMS, Audio
from my_submission.systems import SYSTEMS
from tests.golden_data import golden

SOURCES = list(STEMS)


class Published(Protocol):
    """A system whose stages can be looked at."""

    def separate(self, mixture: Signal) -> Iterator[Audio]: ...
    def tfc_tdf(self, mixture: Signal) -> Iterator[Audio]: ...
    def demucs(self, mixture: Signal) -> Iterator[Audio]: ...


@functools.cache
def load(system: str) -> Published:
    return SYSTEMS[system](golden(f"models/{system}"), "cpu")  # type: ignore[return-value]


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
    published = load(system)
    stages: dict[str, Callable[[Signal], Iterator[Audio]]] = {
        "tfc_tdf": published.tfc_tdf,
        "demucs": published.demucs,
        "final": published.separate,
    }
    stems = np.concatenate(list(stages[stage](mixture(system, "mixture"))), axis=-1)
    require_agreement(stems[..., :: int(expected["step"])], expected[stage])
