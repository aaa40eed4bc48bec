"""Spoken phrases sung: which moment of the phrase sounds when, and at what pitch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from training.synthesis.draw import chance, slow_noise, uniform
from training.synthesis.notes import Note
from training.synthesis.voices import Phone, Phrase
from training.synthesis.world import FRAME_PERIOD

LONGEST_ONSET = 0.35  # seconds of consonants before a note, at most
TAIL = 0.25  # seconds after the last note


@dataclass(frozen=True)
class Manner:
    """How a singer sings. Pitches in cents, times in seconds.

    Attributes:
        vibrato_cents: Depth of the vibrato on long notes.
        vibrato_hz: Its rate.
        portamento: Time in which the pitch glides from note to note.
        drift_cents: Slow deviations of the pitch.
        breath: Share of noise in voiced sound, 0 to 1.
        jitter: Deviation of the voice's periods, as a share of them.
        growl: Roughness, 0 to 1: every second period of the voice is weaker and late.
        spoken: The melody is the speech's own, as in rap; notes only say when.
    """

    vibrato_cents: float
    vibrato_hz: float
    portamento: float
    drift_cents: float
    breath: float
    jitter: float = 0.004
    growl: float = 0.0
    spoken: bool = False


@dataclass(frozen=True)
class Throat:
    """What changes a voice: formants scaled by `formant`, brighter by `tilt_db` per octave."""

    formant: float
    tilt_db: float


@dataclass(frozen=True)
class Course:
    """A phrase's way through the notes, in steps of `FRAME_PERIOD`.

    Attributes:
        source: Second of the phrase that sounds, -1 for silence: `[frames]`.
        f0: Pitch in Hz, 0 where unvoiced: `[frames]`.
    """

    source: npt.NDArray[np.float64]
    f0: npt.NDArray[np.float64]


def chart(phrase: Phrase, notes: Sequence[Note], manner: Manner, rng: Generator) -> Course | None:
    """Lay the words of a phrase under notes.

    Each syllable gets a note; with more notes than syllables some syllables go over several
    (melisma), with fewer notes the phrase ends early. Consonants keep their length and come
    before the beat, as singers place them.

    Args:
        phrase: Whose phones say where the syllables are.
        notes: In order, the first a little after 0 so that its consonants have room.
        manner: How to sing.
        rng: Draws what is human.

    Returns:
        The course, or None for a phrase without vowels.
    """
    vowels = [index for index, phone in enumerate(phrase.phones) if phone.kind == "vowel"]
    if not vowels or not notes:
        return None
    end = notes[-1].start + notes[-1].duration + TAIL
    num_frames = int(end / FRAME_PERIOD) + 1
    source = _source_times(phrase.phones, vowels, notes, num_frames)
    sounding = source >= 0
    # A held vowel wanders about in the spoken one, so that it never stands still.
    wander = 0.012 * slow_noise(rng, num_frames, 60)
    spoken = phrase.analysis.f0
    latest = (len(spoken) - 1.001) * FRAME_PERIOD
    source = np.where(sounding, np.clip(source + wander, 0, latest), -1.0)
    voiced = spoken > 0
    for vowel in vowels:
        phone = phrase.phones[vowel]
        voiced[int(phone.start / FRAME_PERIOD) : int(phone.end / FRAME_PERIOD) + 1] = True
    index = np.clip(source / FRAME_PERIOD, 0, len(spoken) - 1.001)
    sung = voiced[np.round(index).astype(int)] & sounding
    pitch = _pitches(notes, num_frames, manner, rng)
    if manner.spoken and (spoken > 0).any():
        heard = np.flatnonzero(spoken > 0)
        melody = 69 + 12 * np.log2(spoken[heard] / 440)
        pitch = np.interp(index, heard, melody) + float(np.median(pitch) - np.median(melody))
    return Course(source, np.where(sung, 440 * 2 ** ((pitch - 69) / 12), 0.0))


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
    return pitch + manner.drift_cents / 100 * slow_noise(rng, num_frames, 200)
