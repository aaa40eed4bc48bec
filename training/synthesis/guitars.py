"""Electric and acoustic guitars in the studio: amplifier, microphone, and a second take."""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from my_submission.stems import Audio
from training.synthesis.channel_strip import amplifier
from training.synthesis.composition import Plan
from training.synthesis.draw import chance, uniform, weighted
from training.synthesis.effects import filtered, high_pass, peak, place, saturate
from training.synthesis.notes import Note
from training.synthesis.strings import acoustic_guitar, electric_guitar, pluck_notes

SOUNDS = {
    "power": {"high gain": 0.7, "crunch": 0.3},
    "riff": {"high gain": 0.4, "crunch": 0.4, "clean": 0.2},
    "lead": {"high gain": 0.6, "crunch": 0.4},
    "strum": {"acoustic": 0.5, "clean": 0.3, "crunch": 0.2},
    "arpeggio": {"acoustic": 0.4, "clean": 0.6},
    "stab": {"clean": 0.8, "crunch": 0.2},
    "comp": {"acoustic": 0.4, "clean": 0.6},
}
"""Which guitar plays each kind of layer."""


def guitar_layer(plan: Plan, kind: str, notes: Sequence[Note], rng: Generator) -> tuple[Audio, str]:
    """Play a layer on guitars.

    Args:
        plan: The song.
        kind: One of `SOUNDS`.
        notes: What to play.
        rng: Draws the guitar, the amplifier and how many takes there are.

    Returns:
        float32 `[2, samples]` and the guitar's name.
    """
    sound = weighted(rng, SOUNDS[kind])
    build = acoustic_guitar if sound == "acoustic" else electric_guitar
    instrument, seed = build(rng), int(rng.integers(2**31))
    muted = uniform(rng, 0.2, 0.9) if kind in ("power", "riff") and chance(rng, 0.5) else 0.0
    doubled = chance(rng, 0.6 if kind in ("power", "strum", "riff") else 0.15)

    def take() -> Audio:
        played = [
            note._replace(
                start=max(0.0, note.start + float(rng.normal(0, 0.006))),
                velocity=min(127.0, note.velocity * uniform(rng, 0.85, 1.1)),
            )
            for note in notes
        ]
        dry = pluck_notes(
            instrument, played, plan.num_samples, rng, tuning=plan.tuning, muted=muted
        )[None]
        amplifier_rng = np.random.default_rng(seed)  # both takes through the same amplifier
        if sound == "high gain":
            return amplifier(amplifier(dry, amplifier_rng), amplifier_rng)
        if sound == "crunch":
            return amplifier(dry, amplifier_rng)
        if sound == "clean":
            return filtered(saturate(dry, 3), high_pass(80), peak(2500, 3, 0.7))
        return filtered(dry, high_pass(90), peak(6000, 4, 0.6))

    if doubled:
        wide = uniform(rng, 0.6, 1)
        takes = [place(np.repeat(take(), 2, axis=0), pan=p, width=0) for p in (-wide, wide)]
        return takes[0] + takes[1], f"{sound} guitars"
    return np.repeat(take(), 2, axis=0), f"{sound} guitar"
