"""The vocal part: melodies, singers, doublings and backings."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.random import Generator, default_rng

from my_submission.stems import SAMPLE_RATE, Audio
from training.synthesis.catalogue import Split, Voice, voices
from training.synthesis.channel_strip import megaphone
from training.synthesis.composition import Plan
from training.synthesis.draw import chance, log_uniform, pick, uniform, weighted
from training.synthesis.effects import filtered, high_pass, low_pass, peak
from training.synthesis.grains import GrainWords
from training.synthesis.notes import Note
from training.synthesis.singing import Manner, Throat, chart
from training.synthesis.vocoder import VocoderWords
from training.synthesis.voices import bank_path, load_voice

BREATH_LENGTH = 0.35  # seconds
LEAD_IN = 0.25  # seconds before the first note of a phrase, for its consonants
GRIDS = ((0.5, 0.5, 1.0), (0.5, 0.5, 0.5, 1.0, 1.5), (1.0, 1.0, 2.0, 0.5), (0.25, 0.5, 0.5, 1.0))
RAP_GRID = (0.25, 0.25, 0.5)
VOCODER = {"sung": 0.35, "tuned": 0.5, "rap": 0.1}
"""How often each style is sung through the vocoder."""
GROWL = {"metal": 0.6, "rock": 0.35}
"""How often singers are rough; a tenth of them in other styles."""


@dataclass(frozen=True)
class Singer:
    """A voice with a throat and a manner of its own, and words to sing."""

    name: str
    style: str
    centre: float
    manner: Manner
    audible_breath: float  # dB relative to the voice
    words: tuple[VocoderWords | GrainWords, ...]


@dataclass(frozen=True)
class Melody:
    """A phrase's melody: beats from its beginning, lengths in beats, degrees of the scale."""

    steps: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True)
class _Arrangement:
    """Who sings beside the lead: second takes, and harmonies in refrains."""

    doubled: bool
    backed: bool
    width: float

    def others(self, loud: bool, rng: Generator) -> list[tuple[int, float, float]]:
        """Give (degrees above the lead, dB, pan) of the other takes, often in pairs."""
        takes: list[tuple[int, float, float]] = []
        sides = (-self.width, self.width)
        if self.doubled and (loud or chance(rng, 0.5)):
            takes += [(0, -9, side) for side in sides]
        if self.backed and loud:
            steps = pick(rng, (2, 2, 4, -3, 7))
            takes += [(steps, -9, side) for side in sides[: pick(rng, (1, 2))]]
        return takes


def vocal_part(plan: Plan, split: Split, cache: Path, rng: Generator) -> tuple[Audio, list[str]]:
    """Sing the vocals of a song.

    Args:
        plan: The song.
        split: Whose voices sing.
        cache: Folder of the voice bank.
        rng: Draws everything.

    Returns:
        float32 `[2, samples]`, and the singers' names.
    """
    count = weighted(rng, {1: 0.8, 2: 0.2})
    singers = [_singer(plan, pick(rng, voices(split)), cache, rng) for _ in range(count)]
    audio = np.zeros((2, plan.num_samples), np.float32)
    melodies: dict[tuple[int, int], Melody] = {}
    arrangement = _Arrangement(chance(rng, 0.4), chance(rng, 0.4), uniform(rng, 0.4, 1))
    treated = chance(rng, 0.15)
    for section in plan.playing("vocals"):
        bar = section.first_bar
        while bar < section.bars.stop:
            num_bars = min(2 if plan.bpm > 70 else 1, section.bars.stop - bar)
            singer = singers[(bar // 4) % len(singers)]
            key = (section.kind, (bar - section.first_bar) % 4)
            if key not in melodies or chance(rng, 0.25):
                seed = int(rng.integers(2**31))
                melodies[key] = _melody(plan, singer.style, num_bars, default_rng(seed))
            melody = melodies[key]
            _perform(audio, plan, singer, melody, bar, rng)
            loud = section.kind % 2 == 0  # refrains are sung by more voices
            for steps, gain_db, pan in arrangement.others(loud, rng):
                higher = Melody(tuple((b, length, d + steps) for b, length, d in melody.steps))
                backing = singer if steps == 0 else singers[-1]
                _perform(audio, plan, backing, higher, bar, rng, gain_db=gain_db, pan=pan)
            bar += num_bars
    if chance(rng, 0.15):
        _choir(audio, plan, singers[-1], rng)
    if treated:
        audio = megaphone(audio, rng)
    return audio, [f"{singer.name}:{singer.style}" for singer in singers]


def _choir(audio: Audio, plan: Plan, singer: Singer, rng: Generator) -> None:
    """Hold the chords of refrains in three voices behind the lead."""
    gain_db = uniform(rng, -14, -7)
    for chord in plan.chords("vocals"):
        if chord.section.kind % 2:
            continue
        for third, pan in enumerate((-0.8, 0.8, 0.0)):
            held = Melody(((chord.beat, 0.95 * chord.length, chord.degree + 2 * third),))
            _perform(audio, plan, singer, held, chord.bar, rng, gain_db=gain_db, pan=pan)


def _singer(plan: Plan, voice: Voice, cache: Path, rng: Generator) -> Singer:
    phrases = load_voice(bank_path(cache, voice.name))
    throat = Throat(math.exp(rng.normal(0, 0.11)), uniform(rng, 0, 3))
    spoken = np.concatenate([phrase.analysis.f0[phrase.analysis.f0 > 0] for phrase in phrases])
    # People sing above the pitch they speak at, and a shorter throat sings higher.
    centre = 69 + 12 * math.log2(float(np.median(spoken)) / 440)
    centre += 6 * math.log2(throat.formant)
    styles = {"sung": 0.72, "tuned": 0.12, "rap": 0.16}
    if plan.style == "hip hop":
        styles = {"sung": 0.3, "tuned": 0.2, "rap": 0.5}
    style = weighted(rng, styles)
    centre += uniform(rng, -2, 3) if style == "rap" else uniform(rng, 5, 10)
    manner = Manner(
        vibrato_cents=uniform(rng, 10, 55) if style == "sung" else 0.0,
        vibrato_hz=uniform(rng, 4.5, 6.8),
        portamento={"sung": uniform(rng, 0.04, 0.09), "tuned": 0.012, "rap": 0.12}[style],
        drift_cents={"sung": 10.0, "tuned": 0.0, "rap": 60.0}[style],
        breath=uniform(rng, 0.05, 0.5) if chance(rng, 0.5) else 0.0,
        jitter=log_uniform(rng, 0.003, 0.02),
        growl=uniform(rng, 0.2, 1) if chance(rng, GROWL.get(plan.style, 0.1)) else 0.0,
        spoken=style == "rap",
    )
    chosen = rng.permutation(len(phrases))[:6]
    # The vocoder can do any pitch; overlap-add keeps what was spoken.
    make: type[VocoderWords | GrainWords] = (
        VocoderWords if chance(rng, VOCODER[style]) else GrainWords
    )
    words = tuple(make.prepare(phrases[index], throat) for index in chosen)
    return Singer(
        voice.name, style, min(max(centre, 46), 70), manner, uniform(rng, -45, -18), words
    )


def _melody(plan: Plan, style: str, num_bars: int, rng: Generator) -> Melody:
    beats = num_bars * plan.beats_per_bar
    grid = RAP_GRID if style == "rap" else pick(rng, GRIDS)
    speed = 2.0 if plan.bpm > 150 else 0.75 if plan.bpm < 75 and style != "rap" else 1.0
    beat, end = pick(rng, (0.0, 0.0, 0.5, 1.0)), beats - pick(rng, (0.5, 1.0, 1.0, 2.0))
    degree = pick(rng, (0, 2, 4))
    moves = (-1, 0, 0, 0, 1) if style == "rap" else (-2, -1, -1, 0, 0, 1, 1, 2)
    steps: list[tuple[float, float, int]] = []
    while beat < end or not steps:
        length = pick(rng, grid) * speed
        if chance(rng, 0.93) or not steps:
            steps.append((beat, length * uniform(rng, 0.85, 1), degree))
        beat += length
        degree = min(max(degree + pick(rng, moves), -4), 7)
    last_beat, length, degree = steps[-1]
    held = min(beats - 0.25 - last_beat, pick(rng, (1.0, 2.0, 3.0)))
    steps[-1] = (last_beat, max(length, held), degree)
    return Melody(tuple(steps))


def _perform(
    audio: Audio,
    plan: Plan,
    singer: Singer,
    melody: Melody,
    bar: int,
    rng: Generator,
    *,
    gain_db: float = 0.0,
    pan: float = 0.0,
) -> None:
    """Sing a melody into the part, from a bar on."""
    root = plan.pitch(0)
    root += 12 * round((singer.centre - root) / 12)
    shift = root - plan.pitch(0) + plan.tuning
    notes = [
        Note(
            max(LEAD_IN / 2, LEAD_IN + beat * plan.beat + float(rng.normal(0, 0.01))),
            max(0.06, length * plan.beat),
            plan.pitch(degree) + shift,
            100,
        )
        for beat, length, degree in melody.steps
    ]
    words = pick(rng, singer.words)
    course = chart(words.phrase, notes, singer.manner, rng)
    if course is None:
        return
    sound = words.sing(course, singer.manner, rng)
    rms = math.sqrt(float((sound**2).mean())) + 1e-9
    if chance(rng, 0.6):
        inhaled = _inhale(rng) * np.float32(rms * 10 ** (singer.audible_breath / 20))
        lead = max(0, len(inhaled) - int(notes[0].start * SAMPLE_RATE))
        sound = np.pad(sound, (lead, 0))
        sound[: len(inhaled)] += inhaled
        delay = lead / SAMPLE_RATE
    else:
        delay = 0.0
    gain = 0.1 / rms * 10 ** ((gain_db + uniform(rng, -1.5, 1.5)) / 20)
    start = int((bar * plan.beats_per_bar * plan.beat - LEAD_IN - delay) * SAMPLE_RATE)
    sound = sound[max(0, -start) : max(0, plan.num_samples - start)]
    start = max(0, start)
    angle = (pan + 1) * math.pi / 4
    for side, weight in enumerate((math.cos(angle), math.sin(angle))):
        audio[side, start : start + len(sound)] += sound * np.float32(gain * weight)


def _inhale(rng: Generator) -> npt.NDArray[np.float32]:
    """Draw the noise of a breath between phrases, of unit level: `[samples]`."""
    length = int(BREATH_LENGTH * uniform(rng, 0.6, 1.2) * SAMPLE_RATE)
    noise = rng.standard_normal((1, length)).astype(np.float32)
    throat = (high_pass(600), peak(uniform(rng, 1300, 2200), 10, 2.0), low_pass(7000))
    breath = filtered(noise, *throat)[0] * np.hanning(length).astype(np.float32)
    level: npt.NDArray[np.float32] = breath / np.float32(math.sqrt(float((breath**2).mean())))
    return level
