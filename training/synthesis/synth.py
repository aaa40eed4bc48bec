"""A subtractive synthesizer with unison, vibrato and frequency modulation, from wavetables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from my_submission.stems import SAMPLE_RATE, Audio
from training.synthesis.draw import chance, log_uniform, pick, uniform
from training.synthesis.effects import filtered, low_pass
from training.synthesis.notes import Note

TABLE_SIZE = 2048
HIGHEST_PARTIAL_HZ = 18_000.0

Waveform = Literal["saw", "square", "triangle", "pulse", "sine"]


@dataclass(frozen=True)
class Patch:
    """A sound of the synthesizer. Times in seconds; `sustain` and `sweep_floor` from 0 to 1."""

    waveform: Waveform
    unison: int
    detune_cents: float
    attack: float
    decay: float
    sustain: float
    release: float
    bright_hz: float
    dark_hz: float
    resonance: float
    sweep: float
    sweep_floor: float
    fm_index: float = 0.0
    fm_ratio: float = 1.0
    vibrato_cents: float = 0.0
    vibrato_hz: float = 5.5


def draw_patch(rng: Generator, role: Literal["bass", "pad", "lead"]) -> Patch:
    """Draw a sound that suits a role."""
    if role == "bass":
        return Patch(
            waveform=pick(rng, ("saw", "square", "triangle", "pulse", "sine")),
            unison=pick(rng, (1, 1, 2)),
            detune_cents=uniform(rng, 0, 12),
            attack=0.004,
            decay=uniform(rng, 0.15, 1),
            sustain=uniform(rng, 0.3, 1),
            release=0.04,
            bright_hz=log_uniform(rng, 600, 4000),
            dark_hz=log_uniform(rng, 150, 500),
            resonance=uniform(rng, 0.7, 3),
            sweep=uniform(rng, 0.05, 0.5),
            sweep_floor=uniform(rng, 0, 0.5),
            fm_index=uniform(rng, 0.3, 3) if chance(rng, 0.33) else 0.0,
            fm_ratio=pick(rng, (0.5, 1.0, 2.0)),
        )
    if role == "pad":
        return Patch(
            waveform=pick(rng, ("saw", "saw", "square", "pulse")),
            unison=pick(rng, (3, 4, 5)),
            detune_cents=uniform(rng, 6, 25),
            attack=log_uniform(rng, 0.05, 0.8),
            decay=2.0,
            sustain=0.8,
            release=uniform(rng, 0.2, 0.8),
            bright_hz=log_uniform(rng, 1500, 8000),
            dark_hz=log_uniform(rng, 400, 1500),
            resonance=uniform(rng, 0.7, 2),
            sweep=uniform(rng, 0.5, 3),
            sweep_floor=uniform(rng, 0.1, 0.9),
        )
    return Patch(
        waveform=pick(rng, ("saw", "square", "pulse", "triangle", "sine")),
        unison=pick(rng, (1, 2, 3, 5)),
        detune_cents=uniform(rng, 2, 18),
        attack=log_uniform(rng, 0.003, 0.03),
        decay=uniform(rng, 0.1, 0.8),
        sustain=uniform(rng, 0, 0.9),
        release=uniform(rng, 0.04, 0.3),
        bright_hz=log_uniform(rng, 2000, 12000),
        dark_hz=log_uniform(rng, 300, 2000),
        resonance=uniform(rng, 0.7, 3),
        sweep=uniform(rng, 0.05, 0.6),
        sweep_floor=uniform(rng, 0, 0.8),
        fm_index=uniform(rng, 0.3, 4) if chance(rng, 0.33) else 0.0,
        fm_ratio=pick(rng, (1.0, 2.0, 3.0, 3.5, 7.0)),
        vibrato_cents=uniform(rng, 10, 50) if chance(rng, 0.4) else 0.0,
        vibrato_hz=uniform(rng, 4.5, 6.5),
    )


def play(
    patch: Patch, notes: Sequence[Note], num_samples: int, rng: Generator, *, tuning: float = 0.0
) -> Audio:
    """Play notes on a patch.

    The filter sweep is a cross-fade between a bright and a dark low-passed copy of the sound,
    which costs two filters for the whole part instead of one per note.

    Args:
        patch: The sound.
        notes: What to play.
        num_samples: Length of the result.
        rng: Draws the oscillators' phases.
        tuning: Shift of all pitches in semitones.

    Returns:
        float32 `[2, num_samples]`.
    """
    bright = np.zeros((2, num_samples), np.float32)
    dark = np.zeros_like(bright)
    for note in notes:
        first = max(0, int(note.start * SAMPLE_RATE))
        length = int((note.duration + 4 * patch.release) * SAMPLE_RATE)
        length = min(length, num_samples - first)
        if length < 8:
            continue
        time = np.arange(length) / SAMPLE_RATE
        frequency = 440 * 2 ** ((note.pitch + tuning - 69) / 12)
        sound = _oscillators(patch, frequency, time, rng)
        sound *= _envelope(patch, time, note.duration) * np.float32(note.velocity / 127)
        opening = patch.sweep_floor + (1 - patch.sweep_floor) * np.exp(-time / patch.sweep)
        bright[:, first : first + length] += sound * opening
        dark[:, first : first + length] += sound * (1 - opening)
    bright = filtered(bright, low_pass(patch.bright_hz, patch.resonance))
    return bright + filtered(dark, low_pass(patch.dark_hz, patch.resonance))


def _oscillators(
    patch: Patch, frequency: float, time: npt.NDArray[np.float64], rng: Generator
) -> Audio:
    sound = np.zeros((2, len(time)), np.float32)
    bend = np.zeros_like(time)
    if patch.vibrato_cents:
        # The phase of a small sinusoidal deviation of the frequency, in periods of the note.
        depth = patch.vibrato_cents / 1200 * math.log(2) / (2 * math.pi * patch.vibrato_hz)
        bend = depth * (1 - np.cos(2 * np.pi * patch.vibrato_hz * time))
        bend *= np.minimum(1, time / 0.4)
    for index in range(patch.unison):
        spread = 0.0 if patch.unison == 1 else 2 * index / (patch.unison - 1) - 1
        detuned = frequency * 2 ** (patch.detune_cents * spread / 1200)
        phase = detuned * (time + bend) + rng.random()
        if patch.fm_index:
            swing = patch.fm_index * np.exp(-time / max(patch.sweep, 0.1)) / (2 * np.pi)
            phase = phase + swing * np.sin(2 * np.pi * detuned * patch.fm_ratio * time)
        table = _wavetable(patch.waveform, _partials(detuned))
        wave = table[(phase * TABLE_SIZE).astype(np.int64) & (TABLE_SIZE - 1)]
        pan = 0.5 + 0.4 * spread
        sound[0] += wave * np.float32(math.sqrt(1 - pan))
        sound[1] += wave * np.float32(math.sqrt(pan))
    sound /= np.float32(math.sqrt(patch.unison))
    return sound


def _envelope(
    patch: Patch, time: npt.NDArray[np.float64], duration: float
) -> npt.NDArray[np.float32]:
    envelope = patch.sustain + (1 - patch.sustain) * np.exp(-time / patch.decay)
    envelope *= np.minimum(1, time / patch.attack)
    envelope *= np.exp(-np.maximum(0, time - duration) / patch.release)
    end = min(len(time), 64)
    envelope[len(time) - end :] *= np.linspace(1, 0, end)
    shaped: npt.NDArray[np.float32] = envelope.astype(np.float32)
    return shaped


def _partials(frequency: float) -> int:
    """Round the number of partials below 18 kHz down to a power of two, so tables are few."""
    return 1 << max(0, int(math.log2(max(1.0, HIGHEST_PARTIAL_HZ / frequency))))


@cache
def _wavetable(waveform: Waveform, partials: int) -> npt.NDArray[np.float32]:
    partials = min(partials, TABLE_SIZE // 2 - 1)
    number = np.arange(1, partials + 1)
    strength = {
        "saw": 1 / number,
        "square": np.where(number % 2, 1 / number, 0),
        "triangle": np.where(number % 2, (-1.0) ** (number // 2) / number**2, 0),
        "pulse": np.sin(np.pi * number * 0.22) / number,
        "sine": np.where(number == 1, 1.0, 0.0),
    }[waveform]
    spectrum = np.zeros(TABLE_SIZE // 2 + 1, complex)
    spectrum[1 : partials + 1] = -1j * strength
    table: npt.NDArray[np.float32] = (np.fft.irfft(spectrum) * TABLE_SIZE / 2).astype(np.float32)
    return table
