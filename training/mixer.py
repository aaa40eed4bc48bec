"""The Mixer in closed form: the linear map that scores best on the training songs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from my_submission.stems import STEMS, Audio

Matrix = npt.NDArray[np.float64]

INPUTS = 2 * len(STEMS) + 2
"""Bass left, bass right, drums left, … vocals right, mixture left, mixture right."""

SWAPPED = [index ^ 1 for index in range(INPUTS)]
"""The inputs with left and right exchanged."""


@dataclass(frozen=True)
class SongProducts:
    """All that a song contributes to the Mixer: sums over its samples.

    Attributes:
        gram: Products of inputs, `[10, 10]`.
        cross: Products of inputs and true stems, `[10, 8]`.
        power: Squares of the true stems, left and right together, `[4]`.
    """

    gram: Matrix
    cross: Matrix
    power: Matrix

    @classmethod
    def of(cls, estimates: Audio, stems: Audio) -> "SongProducts":
        """Sum up a song, as it is and with left and right exchanged.

        The second makes the Mixer treat both channels alike.

        Args:
            estimates: The networks' stems `[4, 2, samples]`.
            stems: The true stems, same shape; the mixture is their sum.
        """
        truth = stems.reshape(2 * len(STEMS), -1)
        mixture = stems.sum(axis=0)
        inputs = np.concatenate([estimates.reshape(truth.shape), mixture])
        # Blocks, because float32 sums over a whole song lose digits.
        gram, cross = np.zeros((INPUTS, INPUTS)), np.zeros((INPUTS, len(truth)))
        for start in range(0, truth.shape[1], 1 << 16):
            block = inputs[:, start : start + (1 << 16)].astype(np.float64)
            gram += block @ block.T
            cross += block @ truth[:, start : start + (1 << 16)].T.astype(np.float64)
        gram = gram + gram[np.ix_(SWAPPED, SWAPPED)]
        cross = cross + cross[np.ix_(SWAPPED, SWAPPED[: len(truth)])]
        power = 2 * np.square(stems, dtype=np.float64).sum(axis=(1, 2))
        return cls(gram, cross, power)

    def error(self, stem: int, rows: Matrix) -> float:
        """Give the power of what is wrong in a stem that the rows `[2, 10]` make."""
        columns = self.cross[:, 2 * stem : 2 * stem + 2]
        quadratic = np.einsum("ci,ij,cj->", rows, self.gram, rows)
        return float(quadratic - 2 * np.sum(rows.T * columns) + self.power[stem])


def solve_mixer(songs: Sequence[SongProducts], rounds: int = 20, floor: float = 1e-3) -> Matrix:
    """Find the Mixer with the best mean SDR over songs.

    Least squares weighted by 1 over a song's target power minimise the mean of error over
    target. The challenge takes the logarithm of that, so each further round weights a song by 1
    over the error that the last round left, which descends the sum of logarithms (a
    majorisation: the logarithm lies below its tangent).

    Args:
        songs: Sums over at least one song.
        rounds: Times that the weights are found anew.
        floor: Share of the mixture's power that an error counts as at least, so that no single
            song with an almost silent stem decides.

    Returns:
        `[8, 10]`, the checkpoint's `linear.weight`.
    """
    weight = np.zeros((2 * len(STEMS), INPUTS))
    for stem in range(len(STEMS)):
        mixture = [float(np.trace(song.gram[-2:, -2:])) for song in songs]
        errors = [
            max(song.power[stem], floor * loudness) + 1e-9
            for song, loudness in zip(songs, mixture, strict=True)
        ]
        rows = np.zeros((2, INPUTS))
        for _ in range(rounds):
            gram = sum(song.gram / error for song, error in zip(songs, errors, strict=True))
            cross = sum(
                song.cross[:, 2 * stem : 2 * stem + 2] / error
                for song, error in zip(songs, errors, strict=True)
            )
            ridge = 1e-9 * np.trace(gram) / INPUTS * np.eye(INPUTS)
            rows = np.linalg.solve(gram + ridge, cross).T
            errors = [
                max(song.error(stem, rows), floor * loudness) + 1e-9
                for song, loudness in zip(songs, mixture, strict=True)
            ]
        weight[2 * stem : 2 * stem + 2] = rows
    return weight


def save_mixer(weight: Matrix, path: Path) -> None:
    """Write a Mixer `[8, 10]` in the published file format."""
    state: dict[str, Any] = {"linear.weight": torch.tensor(weight, dtype=torch.float32)}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    torch.save(state, temporary)
    temporary.replace(path)
