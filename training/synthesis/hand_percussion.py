"""Hand drums, shakers and tambourines beside the kit: loops of a bar."""

import numpy as np
from numpy.random import Generator, default_rng

from my_submission.stems import SAMPLE_RATE, Audio
from training.synthesis.catalogue import Kit
from training.synthesis.composition import Plan
from training.synthesis.draw import chance, log_uniform, uniform
from training.synthesis.drum_kits import Layer, Pieces, percussion_kit, stereo, strike
from training.synthesis.effects import active_rms, filtered, high_pass, low_pass, place
from training.synthesis.notes import Hit


def percussion_loops(plan: Plan, kit: Kit | None, rng: Generator) -> Audio:
    """Play loops through all sections with drums.

    Args:
        plan: The song.
        kit: Whose instruments are played beside a computed shaker, None for the shaker alone.
        rng: Draws instruments and patterns.

    Returns:
        float32 `[2, samples]`; each instrument somewhere between the loudspeakers.
    """
    count = int(rng.integers(1, 4))
    pieces = dict(percussion_kit(kit.path, rng, count)) if kit is not None else {}
    if not pieces or chance(rng, 0.4):
        pieces["shaker"] = shaker(rng)["shaker"]
    mix = np.zeros((2, plan.num_samples), np.float32)
    for name, layers in pieces.items():
        hits = _loop(plan, name, rng)
        played = strike({name: layers}, hits, plan.num_samples, rng)
        level = active_rms(played)
        if level > 1e-6:
            gain = np.float32(10 ** (uniform(rng, -8, 4) / 20) / level)
            mix += gain * place(played, pan=uniform(rng, -0.8, 0.8), width=uniform(rng, 0.2, 1))
    return mix


def shaker(rng: Generator) -> Pieces:
    """Compute a shaker or tambourine: noise that swells and dies, perhaps with jingles."""
    seconds = log_uniform(rng, 0.03, 0.2)
    time = np.arange(int(4 * seconds * SAMPLE_RATE)) / SAMPLE_RATE
    rise = uniform(rng, 0.002, 0.03)
    noise = rng.standard_normal(len(time)) * np.minimum(1, time / rise) * np.exp(-time / seconds)
    if chance(rng, 0.5):
        pitches = rng.uniform(4000, 11_000, (5, 1))
        noise += np.sin(2 * np.pi * pitches * time).sum(axis=0) * np.exp(-time / seconds)
    low = log_uniform(rng, 2000, 6000)
    sound = filtered(noise.astype(np.float32)[None], high_pass(low), low_pass(4 * low))
    return {"shaker": [Layer(0, 1, 1, stereo(0.5 * sound / np.abs(sound).max()))]}


def _loop(plan: Plan, name: str, rng: Generator) -> list[Hit]:
    """Draw a bar for each kind of section, and repeat it."""
    seed = int(rng.integers(2**31))
    steady = name == "shaker" or chance(rng, 0.2)
    hits = []
    for section in plan.playing("drums"):
        pattern = default_rng([seed, section.kind])
        if chance(pattern, 0.25):
            continue
        step = 1 if chance(pattern, 0.6) else 2  # sixteenths
        density = 1.0 if steady else uniform(pattern, 0.2, 0.6)
        strengths = {
            sixteenth / 4: uniform(pattern, 0.35, 0.6) + 0.35 * (sixteenth % 4 == 0)
            for sixteenth in range(0, 4 * plan.beats_per_bar, step)
            if chance(pattern, density)
        }
        for bar in section.bars:
            hits += [
                Hit(plan.time(bar, beat, rng), name, min(1.0, strength * uniform(rng, 0.8, 1.1)))
                for beat, strength in strengths.items()
            ]
    return hits
