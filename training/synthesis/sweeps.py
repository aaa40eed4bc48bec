"""Sounds between the notes: noise that rises into a section or falls away."""

import numpy as np
from numpy.random import Generator

from my_submission.stems import SAMPLE_RATE, Audio
from training.synthesis.composition import Plan
from training.synthesis.draw import chance, log_uniform, uniform
from training.synthesis.effects import filtered, high_pass, low_pass


def sweeps(plan: Plan, rng: Generator) -> Audio:
    """Draw noise that rises into sections or falls away after their beginning.

    Args:
        plan: The song.
        rng: Draws where and how.

    Returns:
        float32 `[2, samples]`, silent where "other" is.
    """
    sound = np.zeros((2, plan.num_samples), np.float32)
    bar = plan.beats_per_bar * plan.beat
    for section in plan.playing("other"):
        if not chance(rng, 0.5):
            continue
        rising = chance(rng, 0.6)
        seconds = min(section.num_bars, int(rng.integers(1, 5))) * bar
        start = section.bars.stop * bar - seconds if rising else section.first_bar * bar
        first = int(max(0.0, start) * SAMPLE_RATE)
        length = min(int(seconds * SAMPLE_RATE), plan.num_samples - first)
        if length < 64:
            continue
        noise = _sweep(length, log_uniform(rng, 100, 800), log_uniform(rng, 3000, 14_000), rng)
        sound[:, first : first + length] += noise if rising else noise[:, ::-1]
    return sound


def _sweep(length: int, low: float, high: float, rng: Generator) -> Audio:
    """Draw noise through a band that climbs from `low` to `high` Hz and gets louder."""
    noise = rng.standard_normal((2, length)).astype(np.float32)
    noise = np.float32(0.7) * noise + np.float32(0.7) * noise[:1]
    position = np.linspace(0, 1, length)
    result = np.zeros_like(noise)
    for step in range(4):  # four fixed bands, faded over: a moving filter to the ear
        centre = low * (high / low) ** (step / 3)
        weight = np.maximum(0, 1 - 3 * np.abs(position - step / 3)).astype(np.float32)
        result += weight * filtered(noise, high_pass(0.6 * centre), low_pass(1.6 * centre))
    swell = position ** uniform(rng, 0.7, 3)
    return result * swell.astype(np.float32)
