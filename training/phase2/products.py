"""A song as the Mixer sees it: sums that score any Mixer without hearing the song again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from evaluator.scoring import DELTA
from my_submission.audio.scratch import read_padded
from my_submission.stems import STEMS, Audio
from training.phase2.separators import FrozenSeparators

Matrix = npt.NDArray[np.float64]

OUTPUTS = 2 * len(STEMS)
"""Bass left, bass right, drums left, … vocals right."""

INPUTS = OUTPUTS + 2
"""The outputs' estimates in the same order, then mixture left, mixture right."""

NO_MIXER: Matrix = np.eye(OUTPUTS, INPUTS)
"""The weight that leaves the estimates as they are."""


class Song(Protocol):
    """A song with its stems, such as a `Track` of `training.data`."""

    name: str
    num_samples: int

    def stems(self, start: int, num_samples: int) -> Audio:
        """Read a part of the stems, ``[4, 2, num_samples]``."""
        ...


class Mixture:
    """A song's mixture as a signal that is read by position; the song is never in memory whole."""

    def __init__(self, song: Song) -> None:
        self._song = song

    @property
    def num_samples(self) -> int:
        """Length in samples."""
        return self._song.num_samples

    def read(self, start: int, stop: int) -> Audio:
        """Give samples ``[2, stop - start]``; zeros outside the song."""
        return read_padded(
            self.num_samples, start, stop, lambda a, b: self._song.stems(a, b - a).sum(axis=0)
        )


def mixer_inputs(estimates: Audio, mixture: Audio) -> Audio:
    """Put estimates ``[4, 2, n]`` and the mixture ``[2, n]`` together, ``[10, n]``."""
    return np.concatenate([estimates.reshape(OUTPUTS, -1), mixture])


@dataclass
class SongProducts:
    """Sums over a song's samples. The separators are frozen, so they hold for the whole training.

    Attributes:
        inputs: Products of inputs, `[10, 10]`.
        cross: Products of inputs and true stems, `[10, 8]`.
        power: Squares of the true stems, `[8]`.
    """

    inputs: Matrix = field(default_factory=lambda: np.zeros((INPUTS, INPUTS)))
    cross: Matrix = field(default_factory=lambda: np.zeros((INPUTS, OUTPUTS)))
    power: Matrix = field(default_factory=lambda: np.zeros(OUTPUTS))

    def add(self, estimates: Audio, stems: Audio) -> None:
        """Add a block of the song: estimates and true stems, both ``[4, 2, n]``."""
        truth = stems.reshape(OUTPUTS, -1).astype(np.float64)
        inputs = mixer_inputs(estimates, stems.sum(axis=0)).astype(np.float64)
        self.inputs += inputs @ inputs.T
        self.cross += inputs @ truth.T
        self.power += np.square(truth).sum(axis=1)

    def error(self, weight: Matrix) -> Matrix:
        """Give the power of what is wrong in each stem that a Mixer makes, ``[4]``.

        Args:
            weight: ``[8, 10]``. With inputs x and truth t, the sum of (Wx - t)^2 is
                W (xx') W' - 2 W (xt') + tt', row by row.
        """
        quadratic = np.einsum("ki,ij,kj->k", weight, self.inputs, weight)
        errors = quadratic - 2 * np.einsum("ki,ik->k", weight, self.cross) + self.power
        # Rounding may leave less than nothing of an error of zero.
        both: Matrix = np.maximum(errors, 0).reshape(-1, 2).sum(axis=1)
        return both

    def sdr(self, weight: Matrix) -> Matrix:
        """Score a Mixer: the challenge's SDR in dB of each stem (`evaluator.scoring`), ``[4]``."""
        power = self.power.reshape(-1, 2).sum(axis=1)
        decibels: Matrix = 10 * np.log10((power + DELTA) / (self.error(weight) + DELTA))
        return decibels


def song_products(song: Song, separators: FrozenSeparators) -> SongProducts:
    """Let the separators hear a song, as a system lets them, and sum it up."""
    products, position = SongProducts(), 0
    for block in separators.stream(Mixture(song)):
        products.add(block, song.stems(position, block.shape[-1]))
        position += block.shape[-1]
    return products


def best_weight(songs: Sequence[SongProducts], rounds: int = 50) -> Matrix:
    """Find the Mixer that scores best on these very songs: what no training can surpass there.

    The mean SDR falls with the sum of the logarithms of the errors. Least squares with each song
    weighted by 1 over the error that the last round left descends it: the logarithm lies below
    its tangent.

    Args:
        songs: At least one.
        rounds: Times that the weights are found anew.

    Returns:
        ``[8, 10]``.
    """
    weight = NO_MIXER
    for _ in range(rounds):
        errors = [song.error(weight) + DELTA for song in songs]
        rows = []
        for output in range(OUTPUTS):
            shares = [1 / error[output // 2] for error in errors]
            inputs = sum(share * song.inputs for share, song in zip(shares, songs, strict=True))
            cross = sum(
                share * song.cross[:, output] for share, song in zip(shares, songs, strict=True)
            )
            # Estimates may add up to the mixture: then many weights are the best, here the least.
            rows.append(np.linalg.lstsq(inputs, cross, rcond=1e-12)[0])
        weight = np.stack(rows)
    return weight
