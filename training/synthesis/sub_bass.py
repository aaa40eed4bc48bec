"""The bass of hip hop and trap: a long drum-machine kick that is played as notes, with glides."""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from my_submission.stems import SAMPLE_RATE, Audio
from training.synthesis.draw import chance, log_uniform, uniform
from training.synthesis.effects import saturate
from training.synthesis.notes import Note

LOWEST, HIGHEST = 24, 43


def sub_bass(
    notes: Sequence[Note], num_samples: int, rng: Generator, *, tuning: float = 0.0
) -> Audio:
    """Play notes, one at a time, as decaying sines that may slide from the one before.

    Args:
        notes: What to play, in order; moved by octaves to between `LOWEST` and `HIGHEST`.
        num_samples: Length of the result.
        rng: Draws the sound.
        tuning: Shift of all pitches in semitones.

    Returns:
        float32 `[2, num_samples]`, the same on both sides.
    """
    decay = log_uniform(rng, 0.3, 2.5)
    punch, fall = uniform(rng, 4, 24), uniform(rng, 0.01, 0.04)
    slides = uniform(rng, 0.05, 0.25) if chance(rng, 0.4) else 0.004
    pitch = np.zeros(num_samples)
    level = np.zeros(num_samples)
    previous: float | None = None
    ends = [note.start for note in notes[1:]] + [num_samples / SAMPLE_RATE]
    for note, end in zip(notes, ends, strict=True):
        first = int(note.start * SAMPLE_RATE)
        last = min(num_samples, int(min(end, note.start + 4 * decay) * SAMPLE_RATE))
        if last <= first:
            continue
        time = np.arange(last - first) / SAMPLE_RATE
        key = note.pitch + tuning
        key += 12 * max(0, -(-(LOWEST - key) // 12)) - 12 * max(0, -(-(key - HIGHEST) // 12))
        origin = key if previous is None else previous
        pitch[first:last] = key + (origin - key) * np.exp(-time / slides)
        pitch[first:last] += punch * np.exp(-time / fall)
        attack = np.minimum(1, time / 0.003) * np.minimum(1, (time[-1] - time) / 0.004)
        level[first:last] = attack * np.exp(-time / decay) * note.velocity / 127
        previous = key
    phase = np.cumsum(440 * 2 ** ((pitch - 69) / 12)) / SAMPLE_RATE
    sound = (np.sin(2 * np.pi * phase) * level).astype(np.float32)[None]
    if chance(rng, 0.8):
        sound = saturate(sound, log_uniform(rng, 2, 24), uniform(rng, 0, 0.3))
    return np.repeat(sound, 2, axis=0)
