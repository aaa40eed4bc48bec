"""The random effects that a stem or a layer of it goes through before the mix."""

from typing import Literal

from numpy.random import Generator

from my_submission.stems import Audio
from training.synthesis.draw import chance, log_uniform, uniform
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
)

Role = Literal["bass", "drums", "other", "vocals"]

EQ_RANGE = {
    "bass": (50, 3000),
    "drums": (60, 12000),
    "other": (150, 12000),
    "vocals": (200, 12000),
}
COMPRESSION = {"bass": 0.7, "drums": 0.6, "other": 0.4, "vocals": 0.95}
SATURATION = {"bass": 0.25, "drums": 0.12, "other": 0.08, "vocals": 0.08}
REVERB = {"bass": 0.08, "drums": 0.65, "other": 0.55, "vocals": 0.9}


def treat(audio: Audio, rng: Generator, role: Role) -> Audio:
    """Equalise, compress and perhaps saturate, modulate, echo and reverberate a part.

    Args:
        audio: `[2, samples]`.
        rng: Draws which effects, and their settings.
        role: What the part is; a bass hardly gets reverb, vocals nearly always.
    """
    audio = filtered(audio, *_equaliser(rng, role))
    if chance(rng, COMPRESSION[role]):
        audio = compress(
            audio,
            threshold_db=uniform(rng, -26, -8),
            ratio=uniform(rng, 2, 8),
            attack_ms=uniform(rng, 1, 30),
            release_ms=uniform(rng, 40, 300),
        )
    if chance(rng, SATURATION[role]):
        audio = saturate(audio, uniform(rng, 3, 16), uniform(rng, 0, 0.3))
    if role in ("other", "vocals"):
        if chance(rng, 0.2):
            audio = chorus(
                audio,
                rate_hz=log_uniform(rng, 0.2, 3),
                depth_ms=uniform(rng, 0.5, 3),
                wet=uniform(rng, 0.2, 0.7),
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
