"""What drummers and bassists play."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, default_rng

from training.synthesis.composition import Plan, Section
from training.synthesis.draw import chance, pick, uniform
from training.synthesis.notes import Hit, Note

ROLLS = {"hip hop": 0.15, "electronic": 0.06}
"""How often the hi-hat rolls on an eighth, in the styles that are programmed."""
LOWEST_BASS, HIGHEST_BASS = 28, 52


@dataclass(frozen=True)
class Groove:
    """A bar of drumming; all lists hold beats."""

    kick: list[float]
    snare: list[float]
    snare_piece: str
    ghosts: list[float]
    division: int
    time_piece: str
    open_hats: list[float]
    percussion: list[float]
    skip: float
    rolls: list[float]


def drum_hits(plan: Plan, rng: Generator) -> list[Hit]:
    """Draw the drum part of a song: one groove per kind of section, fills and crashes."""
    hits: list[Hit] = []
    grooves: dict[int, Groove] = {}
    for section in plan.playing("drums"):
        if section.kind not in grooves:
            grooves[section.kind] = _groove(plan, default_rng(section.seed))
        for bar in section.bars:
            fill = bar == section.bars[-1] and chance(rng, 0.6)
            hits += _bar(plan, grooves[section.kind], section, bar, fill, rng)
    return hits


def _groove(plan: Plan, rng: Generator) -> Groove:
    beats, style = plan.beats_per_bar, plan.style
    if style == "electronic" or chance(rng, 0.15):
        kick = [float(beat) for beat in range(beats)]
    else:
        busy = 0.18 if style in ("funk", "hip hop") else 0.08
        kick = [0.0]
        kick += [n / 2 for n in range(1, 2 * beats) if chance(rng, 0.35 if n % 2 else 0.25)]
        kick += [n / 4 for n in range(1, 4 * beats, 2) if chance(rng, busy)]
        if style == "metal" and chance(rng, 0.5):
            kick = [n / 4 for n in range(4 * beats)]
    if beats == 4:
        snare = [2.0] if chance(rng, 0.2) else [1.0, 3.0]
    else:
        snare = [float(pick(rng, (1, 2)))]
    ghost = 0.12 if style in ("funk", "jazz", "hip hop") else 0.05
    sixteenths = [n / 4 for n in range(4 * beats)]
    return Groove(
        kick=kick,
        snare=snare,
        snare_piece=pick(rng, ("snare",) * 5 + ("clap", "rim")),
        ghosts=[beat for beat in sixteenths if beat not in snare and chance(rng, ghost)],
        division=pick(rng, (1, 2, 2, 2, 2, 4, 4, 4)),
        time_piece=pick(
            rng,
            ("hat_closed", "hat_closed", "hat_closed", "ride", "ride", "hat_open", "percussion"),
        ),
        open_hats=[n / 2 for n in range(2 * beats) if chance(rng, 0.1)],
        percussion=[beat for beat in sixteenths if chance(rng, 0.3)] if chance(rng, 0.4) else [],
        skip=uniform(rng, 0, 0.15),
        rolls=[n / 2 for n in range(2 * beats) if chance(rng, ROLLS.get(style, 0.0))],
    )


def _bar(
    plan: Plan, groove: Groove, section: Section, bar: int, fill: bool, rng: Generator
) -> list[Hit]:
    hits: list[Hit] = []

    def add(beat: float, piece: str, strength: float) -> None:
        loud = float(np.clip(strength + rng.normal(0, 0.06), 0.05, 1))
        hits.append(Hit(plan.time(bar, beat, rng), piece, loud))

    end = float(plan.beats_per_bar - (pick(rng, (1, 2)) if fill else 0))
    for beat in groove.kick:
        add(beat, "kick", 0.9)
    for beat in groove.snare:
        if beat < end:
            add(beat, groove.snare_piece, 0.9)
    for beat in groove.ghosts:
        if beat < end:
            add(beat, "snare", 0.3)
    for count in range(plan.beats_per_bar * groove.division):
        beat = count / groove.division
        if beat < end and not chance(rng, groove.skip):
            piece = "hat_open" if beat in groove.open_hats else groove.time_piece
            add(beat, piece, 0.75 if beat % 1 == 0 else 0.5)
    for beat in groove.rolls:
        count = pick(rng, (3, 4, 6, 8))
        for part in range(1, count):
            add(beat + part / count / 2, groove.time_piece, 0.3 + 0.3 * part / count)
    for beat in groove.percussion:
        add(beat, "percussion", 0.45)
    beat = end
    while beat < plan.beats_per_bar:
        piece = pick(rng, ("snare", "snare", "tom_high", "tom_middle", "tom_low", "kick"))
        add(beat, piece, 0.6 + 0.35 * (beat - end) / (plan.beats_per_bar - end))
        beat += pick(rng, (0.25, 0.25, 0.5))
    if bar == section.first_bar and chance(rng, 0.6):
        add(0, "crash", 0.85)
    return hits


def bass_notes(plan: Plan, rng: Generator) -> list[Note]:
    """Draw the bass part of a song: one riff per kind of section, moved along with the chords."""
    notes: list[Note] = []
    riffs: dict[tuple[int, float], _Riff] = {}
    for chord in plan.chords("bass"):
        key = (chord.section.kind, chord.length)
        if key not in riffs:
            riffs[key] = _riff(plan, chord.length, default_rng([chord.section.seed, 1]))
        riff = riffs[key]
        ends = [*(start for start, _ in riff.steps[1:]), int(4 * chord.length)]
        for (start, step), end in zip(riff.steps, ends, strict=True):
            pitch = plan.pitch(chord.degree + step, 2) + (12 if riff.octaves and start % 4 else 0)
            while pitch > HIGHEST_BASS:
                pitch -= 12
            while pitch < LOWEST_BASS:
                pitch += 12
            time = plan.time(chord.bar, chord.beat + start / 4, rng)
            duration = (end - start) / 4 * plan.beat * riff.gate
            notes.append(Note(time, duration, pitch, uniform(rng, 75, 118)))
    return notes


@dataclass(frozen=True)
class _Riff:
    steps: list[tuple[int, int]]  # sixteenth from the chord's beginning, degrees above its root
    gate: float
    octaves: bool


def _riff(plan: Plan, length: float, rng: Generator) -> _Riff:
    kinds = ["root", "long", "eighths", "octaves", "syncopated", "syncopated", "riff"]
    if plan.style in ("jazz", "funk"):
        kinds += ["walking"] * 3
    kind = pick(rng, kinds)
    count = int(4 * length)
    if kind in ("root", "long"):
        starts = [0]
    elif kind in ("eighths", "octaves"):
        starts = list(range(0, count, 2))
    elif kind == "walking":
        starts = list(range(0, count, 4))
    else:
        drawn = {n for n in range(count) if chance(rng, 0.15 if n % 2 else 0.35)}
        starts = sorted({0} | drawn)
    choice = {"riff": (0, 0, 0, 4, 7, 2, -3), "syncopated": (0, 0, 0, 0, 4, 7)}.get(kind, (0,))
    if kind == "walking":
        choice = (0, 2, 4, -1)
    steps = [(start, pick(rng, choice) if start else 0) for start in starts]
    gate = 0.97 if kind == "long" else uniform(rng, 0.5, 1)
    return _Riff(steps, gate, octaves=kind == "octaves")
