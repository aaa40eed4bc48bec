"""Guitars and bass guitars: plucked strings by Karplus and Strong, and what they are heard with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from scipy import signal

from my_submission.stems import SAMPLE_RATE
from training.synthesis.draw import chance, log_uniform, uniform
from training.synthesis.effects import filtered, high_pass, low_pass, peak
from training.synthesis.notes import Note

RELEASE = 0.05  # seconds in which a finger stops a string

Mono = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Instrument:
    """Strings, fingers and pickup of one instrument.

    Attributes:
        ring: Seconds in which a string of 110 Hz falls by 60 dB.
        damping: How much faster overtones die, 0 to 0.25.
        pick_at: Where the string is plucked, as a share of its length.
        pickup_at: Where it is heard.
        brightness_hz: Above this frequency a pluck of full strength is weaker.
        noise: Level of the pick's click and the fingers' squeaks.
        body: Resonances of a hollow body as (Hz, dB, q), none for a solid one.
    """

    ring: float
    damping: float
    pick_at: float
    pickup_at: float
    brightness_hz: float
    noise: float
    body: tuple[tuple[float, float, float], ...] = ()


def electric_guitar(rng: Generator) -> Instrument:
    """Draw a solid guitar with a pick."""
    return Instrument(
        ring=uniform(rng, 4, 10),
        damping=log_uniform(rng, 0.002, 0.03),
        pick_at=uniform(rng, 0.06, 0.3),
        pickup_at=uniform(rng, 0.06, 0.27),
        brightness_hz=log_uniform(rng, 2500, 9000),
        noise=uniform(rng, 0, 0.15),
    )


def acoustic_guitar(rng: Generator) -> Instrument:
    """Draw a hollow guitar, with steel or nylon strings."""
    body = tuple(
        (hertz * uniform(rng, 0.85, 1.15), uniform(rng, 3, 9), uniform(rng, 3, 8))
        for hertz in (105, 205, 400, 620)
    )
    return Instrument(
        ring=uniform(rng, 1.5, 5),
        damping=log_uniform(rng, 0.01, 0.08),
        pick_at=uniform(rng, 0.1, 0.35),
        pickup_at=0.02,
        brightness_hz=log_uniform(rng, 2500, 12000),
        noise=uniform(rng, 0.05, 0.5),
        body=body,
    )


def bass_guitar(rng: Generator) -> Instrument:
    """Draw a bass guitar, played with fingers, a pick or the thumb."""
    return Instrument(
        ring=uniform(rng, 3, 9),
        damping=log_uniform(rng, 0.004, 0.12),
        pick_at=uniform(rng, 0.08, 0.3),
        pickup_at=uniform(rng, 0.08, 0.25),
        brightness_hz=log_uniform(rng, 500, 6000),
        noise=uniform(rng, 0, 0.4),
    )


def pluck_notes(
    instrument: Instrument,
    notes: Sequence[Note],
    num_samples: int,
    rng: Generator,
    *,
    tuning: float = 0.0,
    muted: float = 0.0,
) -> Mono:
    """Play notes on strings.

    Args:
        instrument: Whose strings.
        notes: What to play.
        num_samples: Length of the result.
        rng: Draws what differs from pluck to pluck.
        tuning: Shift of all pitches in semitones.
        muted: Share of the notes that the palm damps.

    Returns:
        Mono float32 `[num_samples]`.
    """
    sound = np.zeros(num_samples, np.float32)
    for note in notes:
        first = max(0, int(note.start * SAMPLE_RATE))
        length = min(int((note.duration + RELEASE) * SAMPLE_RATE), num_samples - first)
        if length < 256:
            continue
        cents = float(rng.normal(0, 4))
        hertz = 440 * 2 ** ((note.pitch + tuning - 69 + cents / 100) / 12)
        palm = chance(rng, muted)
        tone = _string(instrument, hertz, length, note.velocity / 127, palm, rng)
        fade = min(length, int(RELEASE * SAMPLE_RATE))
        tone[length - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        sound[first : first + length] += tone
    if instrument.body:
        sections = [peak(*resonance) for resonance in instrument.body]
        sound = filtered(sound[None], high_pass(70), *sections)[0]
    return sound


def _string(
    instrument: Instrument, hertz: float, length: int, strength: float, palm: bool, rng: Generator
) -> Mono:
    period = SAMPLE_RATE / hertz
    ring = 0.25 if palm else instrument.ring * math.sqrt(110 / hertz)
    damping = 0.12 if palm else instrument.damping
    # The loop: a symmetric low-pass (1 sample of delay), and the fraction of the period.
    whole, fraction = divmod(period - 1, 1)
    taps = np.convolve((damping, 1 - 2 * damping, damping), (1 - fraction, fraction))
    taps = (taps * 10 ** (-3 * period / SAMPLE_RATE / ring)).astype(np.float32)
    block = int(whole)
    lead = block + len(taps)
    wave = np.zeros(lead + length, np.float32)
    wave[lead - block : lead] = _excitation(instrument, block, strength, rng)
    for start in range(lead, len(wave), block):
        stop = min(start + block, len(wave))
        before = slice(start - block, stop - block)
        out = taps[0] * wave[before]
        for delay in range(1, len(taps)):
            out += taps[delay] * wave[start - block - delay : stop - block - delay]
        wave[start:stop] = out
    # A pickup hears the wave and its reflection at the bridge.
    comb = max(1, round(instrument.pickup_at * period))
    heard = wave[lead - comb :][comb:] - np.float32(0.8) * wave[lead - comb : len(wave) - comb]
    click = min(length, 600)
    noise = rng.standard_normal(click) * np.exp(-np.arange(click) / 100) * instrument.noise
    heard[:click] += (0.1 * strength * noise).astype(np.float32)
    return heard * np.float32(strength)


def _excitation(instrument: Instrument, size: int, strength: float, rng: Generator) -> Mono:
    """Draw the string's shape when it is let go: one period of coloured noise without a mean."""
    corner = min(instrument.brightness_hz * (0.4 + 0.6 * strength), 0.4 * SAMPLE_RATE)
    noise = rng.standard_normal(3 * size)
    noise = signal.sosfilt(low_pass(corner)[None], noise)[2 * size :]
    # A pluck at a share of the string leaves the harmonics with a node there out.
    shift = max(1, round(instrument.pick_at * size))
    shape = noise - np.roll(noise, shift)
    shape -= shape.mean()
    level = math.sqrt(float((shape**2).mean())) + 1e-9
    return np.asarray(0.2 * shape / level, np.float32)
