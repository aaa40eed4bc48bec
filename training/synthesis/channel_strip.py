"""The random effects that a stem or a layer of it goes through before the mix."""

from typing import Literal

import numpy as np
from numpy.random import Generator

from my_submission.stems import SAMPLE_RATE, Audio
from training.synthesis.draw import chance, log_uniform, pick, uniform
from training.synthesis.effects import (
    Section,
    chorus,
    compress,
    echo,
    filtered,
    high_pass,
    high_shelf,
    low_pass,
    peak,
    reverb,
    saturate,
    tremolo,
)

FORMANTS = (
    (700, 1150, 2600),
    (300, 2200, 3000),
    (320, 800, 2400),
    (450, 1900, 2600),
    (500, 900, 2500),
)
"""Hz of the first formants of a, i, u, e and o."""

Role = Literal["bass", "drums", "other", "vocals"]

EQ_RANGE = {
    "bass": (50, 3000),
    "drums": (60, 12000),
    "other": (150, 12000),
    "vocals": (200, 12000),
}
COMPRESSION = {"bass": 0.7, "drums": 0.6, "other": 0.4, "vocals": 0.95}
SATURATION = {"bass": 0.35, "drums": 0.25, "other": 0.12, "vocals": 0.2}
CHORUS = {"bass": 0.15, "drums": 0.0, "other": 0.2, "vocals": 0.2}
REVERB = {"bass": 0.08, "drums": 0.4, "other": 0.55, "vocals": 0.9}


def treat(audio: Audio, rng: Generator, role: Role) -> Audio:
    """Equalise, compress and perhaps saturate, modulate, echo and reverberate a part.

    Args:
        audio: `[2, samples]`.
        rng: Draws which effects, and their settings.
        role: What the part is; a bass hardly gets reverb, vocals nearly always.
    """
    audio = filtered(audio, *_equaliser(rng, role))
    if role == "drums" and chance(rng, 0.6):
        audio = room(audio, rng)
    if chance(rng, COMPRESSION[role]):
        audio = compress(
            audio,
            threshold_db=uniform(rng, -26, -8),
            ratio=uniform(rng, 2, 8),
            attack_ms=uniform(rng, 1, 30),
            release_ms=uniform(rng, 40, 300),
        )
    if chance(rng, SATURATION[role]):
        audio = saturate(audio, uniform(rng, 1, 14), uniform(rng, 0, 0.3))
    if chance(rng, CHORUS[role]):
        audio = chorus(
            audio,
            rate_hz=log_uniform(rng, 0.2, 3),
            depth_ms=uniform(rng, 0.5, 3),
            wet=uniform(rng, 0.2, 0.7),
        )
    if role in ("other", "vocals"):
        if role == "other" and chance(rng, 0.12):
            audio = tremolo(
                audio,
                rate_hz=log_uniform(rng, 0.3, 9),
                depth=uniform(rng, 0.2, 0.9),
                square=chance(rng, 0.3),
                apart=chance(rng, 0.4),
            )
        if chance(rng, 0.35):
            audio = echo(
                audio,
                delay=uniform(rng, 0.12, 0.5),
                feedback=uniform(rng, 0.1, 0.45),
                wet=uniform(rng, 0.08, 0.3),
                ping_pong=chance(rng, 0.4),
            )
    if chance(rng, REVERB[role]):
        audio = reverb(
            audio,
            rng,
            seconds=log_uniform(rng, 0.25, 2.2),
            pre_delay=uniform(rng, 0, 0.05),
            wet=uniform(rng, 0.05, 0.4) * (0.6 if role == "drums" else 1.0),
            damping_hz=log_uniform(rng, 1500, 8000),
        )
    return audio


def amplifier(audio: Audio, rng: Generator) -> Audio:
    """Distort like a guitar amplifier and its loudspeaker."""
    audio = filtered(audio, high_pass(uniform(rng, 70, 140)), peak(uniform(rng, 500, 1200), 5, 0.7))
    audio = saturate(audio, uniform(rng, 10, 34), uniform(rng, 0, 0.4))
    corner = uniform(rng, 3500, 6500)
    tone = peak(log_uniform(rng, 500, 3000), uniform(rng, -4, 6), 1.0)
    return filtered(audio, high_pass(80), tone, low_pass(corner, 1.0), low_pass(corner))


def talk(audio: Audio, rng: Generator) -> Audio:
    """Move between the formants of two vowels, as a talk box does: no voice, but near one."""
    first, second = (
        filtered(audio, *[peak(hertz, 16, 6) for hertz in pick(rng, FORMANTS)]) for _ in range(2)
    )
    time = np.arange(audio.shape[1]) / SAMPLE_RATE
    rate = log_uniform(rng, 0.2, 4)
    share = (0.5 - 0.5 * np.cos(2 * np.pi * rate * time)).astype(np.float32)
    return np.float32(0.25) * (first + share * (second - first))


def room(audio: Audio, rng: Generator) -> Audio:
    """Add crushed room microphones: short, wide, loud where the kit is quiet."""
    distant = reverb(
        audio,
        rng,
        seconds=log_uniform(rng, 0.25, 1.2),
        pre_delay=uniform(rng, 0, 0.015),
        wet=1.0,
        damping_hz=log_uniform(rng, 3000, 12000),
    )
    distant = compress(
        distant - audio, threshold_db=-30, ratio=8, attack_ms=5, release_ms=uniform(rng, 50, 200)
    )
    top = float(np.abs(distant).max()) + 1e-9
    gain = 10 ** (uniform(rng, -24, -9) / 20) * float(np.abs(audio).max()) / top
    return audio + np.float32(gain) * distant


def megaphone(audio: Audio, rng: Generator) -> Audio:
    """Leave what a telephone, a megaphone or a small distorted amplifier leaves."""
    audio = filtered(audio, *[high_pass(uniform(rng, 250, 600))] * 2)
    audio = saturate(audio, uniform(rng, 6, 26), uniform(rng, 0, 0.3))
    return filtered(audio, *[low_pass(log_uniform(rng, 2500, 6000))] * 2)


def _equaliser(rng: Generator, role: Role) -> list[Section]:
    sections = []
    if role == "drums":
        sections.append(high_pass(25))
    elif role == "other":
        sections.append(high_pass(log_uniform(rng, 30, 200)))
    elif role == "vocals":
        sections += [
            high_pass(uniform(rng, 70, 160)),
            high_shelf(uniform(rng, 3500, 8000), uniform(rng, -2, 6)),
            peak(uniform(rng, 2000, 4500), uniform(rng, 0, 5), 0.8),
        ]
    low, high = EQ_RANGE[role]
    for _ in range(int(rng.integers(1, 4))):
        gain_db, q = uniform(rng, -5, 5), log_uniform(rng, 0.4, 2)
        sections.append(peak(log_uniform(rng, low, high), gain_db, q))
    return sections
