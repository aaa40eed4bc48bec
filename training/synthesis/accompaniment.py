"""The stem "other": guitars, keys, strings, winds and synthesizers in layers."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from my_submission.stems import SAMPLE_RATE, Audio
from training.synthesis.catalogue import Split
from training.synthesis.channel_strip import amplifier, talk, treat
from training.synthesis.composition import Plan
from training.synthesis.credits import Credits
from training.synthesis.draw import chance, pick, uniform, weighted
from training.synthesis.effects import active_rms, place
from training.synthesis.fluid import render
from training.synthesis.guitars import SOUNDS, guitar_layer
from training.synthesis.layers import KINDS, layer_notes
from training.synthesis.notes import Move, Note
from training.synthesis.sweeps import sweeps
from training.synthesis.synth import draw_patch, play

# Singing choirs (52, 53) are left out: they are vocals to a listener.
LAYER_PROGRAMS = {
    "pad": (*range(48, 52), 54, *range(88, 96), 16, 18, 19, 20, 21, 62, 63),
    "comp": (0, 1, 2, 4, 5, 6, 7, 11, 16, 17, 18, 21, 24, 26, 27),
    "stab": (61, 62, 63, 27, 28, 4, 55, 80, 81, 18, 56, 57),
    "strum": (24, 25, 26, 27, 15, 105, 46),
    "power": (29, 30, 27),
    "arpeggio": (0, 4, 5, 6, 8, 9, 10, 11, 12, 13, 24, 25, 46, 80, 81, 98, 99),
    "lead": (
        *(22, 40, 40, 41, 42, 56, 57, 59, 60, 64, 65, 65, 66, 66, 68, 71, 73, 74, 75),
        *(80, 81, 82, 84, 85, 26, 27, 29, 11, 21),
    ),
    "riff": (4, 7, 25, 27, 28, 29, 30, 40, 61, 65, 80, 81, 87),
}
"""General MIDI programs of each kind of layer; "lead" is mostly what a voice is mistaken for."""

GUITARS = {"rock": 0.7, "metal": 0.8, "folk": 0.5, "funk": 0.5, "electronic": 0.15, "hip hop": 0.15}
"""How often a layer that guitars can play is played on them."""
SWEEPS = {"electronic": 0.6, "hip hop": 0.3, "pop": 0.3}
DISTORTED_GUITARS = (26, 27, 29, 30)
MODULATION, EXPRESSION = 1, 11


def accompaniment(plan: Plan, split: Split, rng: Generator, credits: Credits) -> Audio:
    """Play the stem: float32 `[2, samples]`."""
    mix = np.zeros((2, plan.num_samples), np.float32)
    section_kinds = sorted({section.kind for section in plan.playing("other")})
    count = weighted(rng, {1: 0.08, 2: 0.22, 3: 0.3, 4: 0.25, 5: 0.15})
    for number in range(count):
        kind = pick(rng, KINDS[plan.style])
        # The first layer plays wherever "other" does, so that it is not silent by accident.
        chosen = {k for k in section_kinds if number == 0 or chance(rng, 0.75)}
        centre = pick(rng, (45, 52, 57, 60, 60, 64, 67, 72))
        notes = layer_notes(plan, kind, frozenset(chosen), centre, rng)
        if not notes:
            continue
        audio = treat(_layer(plan, kind, notes, split, rng, credits), rng, "other")
        level = active_rms(audio)
        if level > 1e-6:
            gain = 10 ** (uniform(rng, -7, 2) / 20) / level
            mix += np.float32(gain) * _spread(audio, kind, rng)
    if chance(rng, SWEEPS.get(plan.style, 0.1)):
        noise = sweeps(plan, rng)
        level = active_rms(noise)
        if level > 1e-6:
            credits.add("other", "sweeps")
            mix += np.float32(10 ** (uniform(rng, -18, -4) / 20) / level) * noise
    return mix


def _layer(
    plan: Plan,
    kind: str,
    notes: Sequence[Note],
    split: Split,
    rng: Generator,
    credits: Credits,
) -> Audio:
    electronic = 0.7 if plan.style in ("electronic", "hip hop") else 0.25
    if kind in ("pad", "arpeggio", "lead", "riff", "stab") and chance(rng, electronic):
        credits.add("other", f"{kind}/synthesizer")
        patch = draw_patch(rng, "pad" if kind == "pad" else "lead")
        audio = play(patch, notes, plan.num_samples, rng, tuning=plan.tuning)
        return talk(audio, rng) if chance(rng, 0.2) else audio
    if kind in SOUNDS and chance(rng, GUITARS.get(plan.style, 0.35)):
        audio, name = guitar_layer(plan, kind, notes, rng)
        credits.add("other", f"{kind}/{name}")
        return audio
    program = pick(rng, LAYER_PROGRAMS[kind])
    font = credits.take_font(split, rng)
    moves = _expression(notes, rng) if kind in ("lead", "pad") and chance(rng, 0.6) else []
    audio = render(font.path, 0, program, notes, plan.num_samples, tuning=plan.tuning, moves=moves)
    name = f"{kind}/{font.name}:{program}"
    if program in DISTORTED_GUITARS and kind in ("power", "riff", "lead"):
        audio, name = amplifier(audio, rng), name + "+amplifier"
    credits.add("other", name)
    return audio


def _expression(notes: Sequence[Note], rng: Generator) -> list[Move]:
    """Swell into notes and let vibrato grow, as wind and string players do."""
    depth = int(rng.integers(20, 100))
    moves = []
    for note in notes:
        if note.duration < 0.25:
            continue
        low = int(rng.integers(60, 110))
        for step in range(5):
            time = note.start + note.duration * step / 5
            moves.append(Move(time, EXPRESSION, low + (127 - low) * (step + 1) // 5))
            moves.append(Move(time, MODULATION, depth * step // 4))
    return moves


def _spread(audio: Audio, kind: str, rng: Generator) -> Audio:
    """Put a layer somewhere between the loudspeakers; guitars are sometimes played twice."""
    if kind in ("power", "strum") and chance(rng, 0.5):
        late = int(uniform(rng, 0.008, 0.025) * SAMPLE_RATE)
        second = np.pad(audio, ((0, 0), (late, 0)))[:, : audio.shape[1]]
        doubled = place(audio, pan=-0.8, width=0.3) + place(second, pan=0.8, width=0.3)
        return doubled * np.float32(math.sqrt(0.5))
    side = 0.2 if kind == "pad" else 0.8
    return place(audio, pan=uniform(rng, -side, side), width=uniform(rng, 0.3, 1.2))
