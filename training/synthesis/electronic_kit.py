"""Drum machines computed from scratch."""

import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from scipy import signal

from my_submission.stems import SAMPLE_RATE
from training.synthesis.draw import uniform
from training.synthesis.drum_kits import Layer, Pieces, stereo
from training.synthesis.effects import high_pass, low_pass


def electronic_kit(rng: Generator) -> Pieces:
    """Compute a drum machine: swept sines, noises and clusters of square waves."""
    time = np.arange(int(0.9 * SAMPLE_RATE)) / SAMPLE_RATE

    def noise(decay: float, low: float, high: float) -> npt.NDArray[np.float64]:
        return _band(rng.standard_normal(len(time)) * np.exp(-time / decay), low, high)

    def tone(low: float, high: float, sweep: float, decay: float) -> npt.NDArray[np.float64]:
        frequency = low + (high - low) * np.exp(-time / sweep)
        return np.sin(2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE) * np.exp(-time / decay)

    pitches = rng.uniform(200, 800, 6)
    cluster = np.sign(np.sin(2 * np.pi * pitches[:, None] * time)).mean(axis=0)
    ring, corner = uniform(rng, 0, 1.5), uniform(rng, 3500, 7000)

    def metal(decay: float) -> npt.NDArray[np.float64]:
        body = cluster * ring + rng.standard_normal(len(time)) * 0.6
        return _band(body * np.exp(-time / decay), corner, 14000)

    kick = tone(
        uniform(rng, 38, 60),
        uniform(rng, 120, 400),
        uniform(rng, 0.01, 0.06),
        uniform(rng, 0.1, 0.5),
    )
    kick = np.tanh((kick + uniform(rng, 0, 0.3) * noise(0.004, 800, 8000)) * uniform(rng, 1, 3))
    body = uniform(rng, 150, 240)
    snare = uniform(rng, 0.3, 0.8) * tone(body, body * 1.3, 0.02, 0.06)
    snare += uniform(rng, 0.5, 1) * noise(uniform(rng, 0.05, 0.2), uniform(rng, 600, 2000), 12000)
    clap = np.zeros_like(time)
    for start in (0.0, 0.01, 0.02, 0.03):
        burst = noise(0.01 if start < 0.03 else uniform(rng, 0.05, 0.15), 800, 5000)
        first = int(start * SAMPLE_RATE)
        clap[first:] += burst[: len(time) - first]
    sounds = {
        "kick": (kick, 1.0),
        "snare": (snare, 0.7),
        "rim": (noise(0.008, 1500, 6000), 0.4),
        "clap": (clap, 0.5),
        "hat_closed": (metal(uniform(rng, 0.015, 0.05)), 0.22),
        "hat_pedal": (metal(0.03), 0.2),
        "hat_open": (metal(uniform(rng, 0.15, 0.4)), 0.25),
        "crash": (metal(0.5), 0.35),
        "ride": (metal(0.25), 0.2),
        "tom_high": (tone(200, 320, 0.03, 0.2), 0.6),
        "tom_middle": (tone(140, 224, 0.03, 0.2), 0.6),
        "tom_low": (tone(95, 152, 0.03, 0.25), 0.7),
        "percussion": (noise(0.04, 4000, 12000), 0.2),
    }
    fade = np.minimum(1, (time[-1] - time) / 0.05)
    return {
        piece: [Layer(0, 1, gain, stereo((sound * fade / np.abs(sound).max())[None]))]
        for piece, (sound, gain) in sounds.items()
    }


def _band(sound: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.float64]:
    sections = np.stack([high_pass(low), low_pass(high)])
    result: npt.NDArray[np.float64] = signal.sosfilt(sections, sound)
    return result
