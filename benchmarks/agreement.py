"""How near two ways of computing the same stems come to each other."""

from collections.abc import Sequence

import numpy as np

from my_submission.stems import Audio

NO_DIFFERENCE_DB = 200.0
"""Stands for signals that are the same, and is beyond what float32 can tell."""


def agreement_db(exact: Audio, other: Audio) -> float:
    """Give the energy of a signal over that of another's difference from it, in dB."""
    energy = np.square(exact, dtype=np.float64).sum()
    difference = np.square(exact.astype(np.float64) - other).sum()
    if not difference:
        return NO_DIFFERENCE_DB
    # Silence that something else was made of is as far from it as can be.
    return float(10 * np.log10(energy / difference)) if energy else -NO_DIFFERENCE_DB


def sdr_figures(exact: Sequence[float], other: Sequence[float]) -> dict[str, float]:
    """Compare two lists of the same stems' SDR in dB: their means and the largest difference."""
    changes = [abs(a - b) for a, b in zip(exact, other, strict=True)]
    return {
        "exact_db": sum(exact) / len(exact),
        "other_db": sum(other) / len(other),
        "largest_change_db": max(changes),
    }


def decibels(value: float) -> str:
    """Show an agreement."""
    return "the same" if value >= NO_DIFFERENCE_DB else f"{value:.1f}"
