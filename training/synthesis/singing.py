"""Spoken phrases sung: vowels stretched to notes, a new pitch, another throat, 44.1 kHz."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from my_submission.stems import SAMPLE_RATE
from training.synthesis.draw import chance, uniform
from training.synthesis.notes import Note
from training.synthesis.voices import Phone, Phrase
from training.synthesis.world import FRAME_PERIOD, Analysis, Frames, synthesise

FFT_SIZE = 1024
FREQUENCIES = np.arange(FFT_SIZE // 2 + 1) * SAMPLE_RATE / FFT_SIZE
LONGEST_ONSET = 0.35  # seconds of consonants before a note, at most
TAIL = 0.25  # seconds after the last note


@dataclass(frozen=True)
class Manner:
    """How a singer sings. Pitches in cents, times in seconds."""

    vibrato_cents: float
    vibrato_hz: float
    portamento: float
    drift_cents: float
    breath: float


@dataclass(frozen=True)
class Throat:
    """What changes a voice: formants scaled by `formant`, brighter by `tilt_db` per octave."""

    formant: float
    tilt_db: float


def reshape(phrase: Phrase, throat: Throat) -> Analysis:
    """Bring a phrase's envelope to 44.1 kHz, with another throat.

    Speech at 16 kHz ends below 8 kHz. Above, vowels go on falling by 15 dB per octave and
    consonants by 6 dB, which is about what voices do.
    """
    source = phrase.analysis
    bins = source.log_envelope.shape[1]
    highest = min((0.4 if phrase.sample_rate <= 16_000 else 0.45) * phrase.sample_rate, 20_500.0)
    asked = np.minimum(FREQUENCIES / throat.formant, highest)
    position = np.minimum(asked * 2 * (bins - 1) / phrase.sample_rate, bins - 1.001)
    lower = position.astype(int)
    share = (position - lower).astype(np.float32)

    def resample(frames: Frames) -> Frames:
        resampled: Frames = frames[:, lower] * (1 - share) + frames[:, lower + 1] * share
        return resampled

    envelope, aperiodicity = resample(source.log_envelope), resample(source.aperiodicity)
    edge = int(np.searchsorted(FREQUENCIES, highest * throat.formant))
    if edge < len(FREQUENCIES):
        low = int(np.searchsorted(FREQUENCIES, 0.8 * highest * throat.formant))
        level = envelope[:, low:edge].mean(axis=1, keepdims=True)
        slope = np.where(source.f0 > 0, -15.0, -6.0)[:, None] * math.log(10) / 10
        octaves = np.log2(FREQUENCIES[edge:] / FREQUENCIES[edge])
        dull = 3 * np.maximum(0, (FREQUENCIES[edge:] - 15_000) / 5000)
        envelope[:, edge:] = level + slope * octaves - dull
        aperiodicity[:, edge:] = np.maximum(aperiodicity[:, edge:], 0.7)
    tilt = throat.tilt_db * math.log(10) / 10 * np.log2(np.maximum(FREQUENCIES, 200) / 1000)
    envelope += tilt.astype(np.float32)
    return Analysis(source.f0, envelope, np.clip(aperiodicity, 1e-3, 1))


def sing(
    phrase: Phrase, shaped: Analysis, notes: Sequence[Note], manner: Manner, rng: Generator
) -> npt.NDArray[np.float32] | None:
    """Sing notes to the words of a phrase.

    Each syllable gets a note; with more notes than syllables some syllables go over several
    (melisma), with fewer notes the phrase ends early. Consonants keep their length and come
    before the beat, as singers place them.

    Args:
        phrase: Whose phones say where the syllables are.
        shaped: The phrase's frames as `reshape` gives them.
        notes: In order, the first a little after 0 so that its consonants have room.
        manner: How to sing.
        rng: Draws what is human.

    Returns:
        Mono float32 `[samples]` at 44.1 kHz, or None for a phrase without vowels.
    """
    vowels = [index for index, phone in enumerate(phrase.phones) if phone.kind == "vowel"]
    if not vowels or not notes:
        return None
    end = notes[-1].start + notes[-1].duration + TAIL
    num_frames = int(end / FRAME_PERIOD) + 1
    source = _source_times(phrase.phones, vowels, notes, num_frames)
    sounding = source >= 0
    wander = 0.012 * _slow_noise(rng, num_frames, 60)
    last = len(shaped.f0) - 1
    index = np.clip((source + np.where(sounding, wander, 0)) / FRAME_PERIOD, 0, last - 1e-3)
    lower = index.astype(int)
    share = (index - lower)[:, None].astype(np.float32)

    def at(frames: Frames) -> Frames:
        between: Frames = frames[lower] * (1 - share) + frames[np.minimum(lower + 1, last)] * share
        return between

    voiced = shaped.f0 > 0
    for vowel in vowels:
        phone = phrase.phones[vowel]
        voiced[int(phone.start / FRAME_PERIOD) : int(phone.end / FRAME_PERIOD) + 1] = True
    sung = voiced[np.round(index).astype(int)] & sounding
    f0 = np.where(sung, 440 * 2 ** ((_pitches(notes, num_frames, manner, rng) - 69) / 12), 0.0)

    fade = np.hanning(9) / np.hanning(9).sum()
    level = np.convolve(sounding, fade, "same") * (1 + 0.15 * _slow_noise(rng, num_frames, 120))
    envelope = at(shaped.log_envelope) + 2 * np.log(np.abs(level) + 1e-6)[:, None]
    aperiodicity = at(shaped.aperiodicity)
    if manner.breath > 0:
        breath = manner.breath * np.clip(FREQUENCIES / 8000, 0, 1)
        aperiodicity = np.clip(aperiodicity + np.where(sung[:, None], breath, 0), 0, 1)
    frames = Analysis(f0.astype(np.float32), np.maximum(envelope, -32), aperiodicity)
    return synthesise(frames, SAMPLE_RATE)


def _source_times(
    phones: Sequence[Phone], vowels: Sequence[int], notes: Sequence[Note], num_frames: int
) -> npt.NDArray[np.float64]:
    """Say for each output frame which second of the phrase sounds in it; -1 for silence."""
    syllables = min(len(vowels), len(notes))
    firsts = np.unique(np.linspace(0, len(notes), syllables, endpoint=False).round().astype(int))
    times = np.full(num_frames, -1.0)

    def stretch(start: float, end: float, source_start: float, source_end: float) -> None:
        first, last = round(start / FRAME_PERIOD), min(num_frames, round(end / FRAME_PERIOD))
        if last > first:
            times[first:last] = np.linspace(source_start, source_end, last - first, endpoint=False)

    previous_onset = 0.0
    for count, first in enumerate(firsts):
        vowel = phones[vowels[count]]
        onset = notes[first].start
        last_note = notes[(firsts[count + 1] if count + 1 < len(firsts) else len(notes)) - 1]
        end = last_note.start + last_note.duration
        consonants = _onset_length(phones, vowels, count)
        earliest = 0.0 if count == 0 else previous_onset + 0.45 * (onset - previous_onset)
        start = max(earliest, onset - min(consonants, LONGEST_ONSET))
        if consonants > 0:
            stretch(start, onset, vowel.start - consonants, vowel.start)
        if count + 1 < len(firsts):
            following = notes[firsts[count + 1]].start
            room = min(_onset_length(phones, vowels, count + 1), LONGEST_ONSET)
            end = min(end, max(onset + 0.45 * (following - onset), following - room))
        end = max(end, onset + 0.04)
        # The ends of the vowel keep their speed, so that it joins its consonants as in speech.
        edge = min(0.05, (vowel.end - vowel.start) / 3, (end - onset) / 3)
        stretch(onset, onset + edge, vowel.start, vowel.start + edge)
        stretch(onset + edge, end - edge, vowel.start + edge, vowel.end - edge)
        stretch(end - edge, end, vowel.end - edge, vowel.end)
        if count + 1 == len(firsts):
            coda = _coda_length(phones, vowels[count])
            stretch(end, end + coda, vowel.end, vowel.end + coda)
        previous_onset = onset
    return times


def _onset_length(phones: Sequence[Phone], vowels: Sequence[int], count: int) -> float:
    """Give the seconds of consonants between the previous vowel and this one."""
    index = vowels[count]
    lowest = vowels[count - 1] + 1 if count else 0
    while index > lowest and phones[index - 1].kind == "consonant":
        index -= 1
    return phones[vowels[count]].start - phones[index].start


def _coda_length(phones: Sequence[Phone], vowel: int) -> float:
    """Give the seconds of consonants after a vowel, up to a quarter of a second."""
    end = phones[vowel].end
    for phone in phones[vowel + 1 :]:
        if phone.kind != "consonant":
            break
        end = phone.end
    return min(end - phones[vowel].end, TAIL)


def _pitches(
    notes: Sequence[Note], num_frames: int, manner: Manner, rng: Generator
) -> npt.NDArray[np.float64]:
    """Draw the pitch of each frame in MIDI keys: glides, scoops, vibrato and drift."""
    pitch = np.full(num_frames, float(notes[0].pitch))
    for note in notes:
        pitch[max(0, int((note.start - manner.portamento / 2) / FRAME_PERIOD)) :] = note.pitch
    glide = np.hanning(max(3, int(manner.portamento / FRAME_PERIOD) | 1) + 2)
    pitch = np.convolve(np.pad(pitch, len(glide) // 2, mode="edge"), glide / glide.sum(), "valid")
    for note in notes:
        start = int(note.start / FRAME_PERIOD)
        if chance(rng, 0.3):
            scoop = np.exp(-np.arange(24) / 8)[: max(0, num_frames - start)]
            pitch[start : start + len(scoop)] -= uniform(rng, 0.3, 1.2) * scoop
        if note.duration > 0.3:
            start = int((note.start + uniform(rng, 0.12, 0.3)) / FRAME_PERIOD)
            end = min(num_frames, int((note.start + note.duration) / FRAME_PERIOD))
            time = np.arange(max(0, end - start)) * FRAME_PERIOD
            rate = manner.vibrato_hz * (1 + 0.05 * rng.standard_normal())
            swing = np.sin(2 * np.pi * rate * time + uniform(rng, 0, 2 * np.pi))
            growth = np.minimum(1, time / 0.25)
            pitch[start : start + len(time)] += manner.vibrato_cents / 100 * growth * swing
    return pitch + manner.drift_cents / 100 * _slow_noise(rng, num_frames, 200)


def _slow_noise(rng: Generator, length: int, width: int) -> npt.NDArray[np.float64]:
    """Draw smoothed noise of unit variance; `width` in frames."""
    window = np.hanning(width)
    noise = rng.standard_normal(length + width - 1)
    return np.convolve(noise, window / math.sqrt((window**2).sum()), "valid")
