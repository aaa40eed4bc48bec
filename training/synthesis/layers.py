"""What the layers of "other" play: chords, arpeggios, riffs and leads."""

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator, default_rng

from training.synthesis.composition import Chord, Plan
from training.synthesis.draw import chance, pick, uniform
from training.synthesis.notes import Note

KINDS = {
    "pop": ("comp", "pad", "arpeggio", "strum", "lead"),
    "rock": ("power", "strum", "riff", "comp", "power", "lead"),
    "electronic": ("pad", "arpeggio", "stab", "lead", "riff"),
    "ballad": ("comp", "pad", "arpeggio", "strum", "lead"),
    "funk": ("stab", "strum", "comp", "riff"),
    "hip hop": ("pad", "comp", "riff", "arpeggio"),
    "folk": ("strum", "arpeggio", "lead", "comp"),
    "metal": ("power", "power", "riff", "pad", "lead"),
    "jazz": ("comp", "comp", "lead", "pad"),
    "free": ("comp", "pad", "arpeggio", "strum", "lead", "stab", "riff", "power"),
}
"""Kinds of layers that suit each style."""


@dataclass(frozen=True)
class Pattern:
    """How a layer treats the chords of one kind of section."""

    starts: list[int]  # sixteenths
    gate: float
    step: int  # sixteenths between the notes of an arpeggio
    direction: str
    order: list[int]


def layer_notes(
    plan: Plan, kind: str, section_kinds: frozenset[int], centre: int, rng: Generator
) -> list[Note]:
    """Draw what a layer plays.

    Args:
        plan: The song.
        kind: One of the kinds in `KINDS`.
        section_kinds: Kinds of sections in which this layer plays.
        centre: MIDI key around which it plays.
        rng: Draws the patterns and the deviations.
    """
    write: Callable[[Plan, Chord, Pattern, str, int, Generator], list[Note]] = {
        "pad": _pad,
        "arpeggio": _arpeggio,
        "lead": _line,
        "riff": _line,
    }.get(kind, _chords)
    seed = int(rng.integers(2**31))
    notes: list[Note] = []
    patterns: dict[tuple[int, float], Pattern] = {}
    for chord in plan.chords("other"):
        if chord.section.kind not in section_kinds:
            continue
        key = (chord.section.kind, chord.length)
        if key not in patterns:
            patterns[key] = _pattern(kind, chord, default_rng([seed, chord.section.seed]))
        notes += write(plan, chord, patterns[key], kind, centre, rng)
    return notes


def _pattern(kind: str, chord: Chord, rng: Generator) -> Pattern:
    count = int(4 * chord.length)
    starts = [0]
    if kind == "comp":
        starts = sorted({0} | {n for n in range(count) if chance(rng, 0.12 if n % 2 else 0.3)})
    elif kind == "stab":
        starts = [n for n in range(count) if chance(rng, 0.25)] or [2]
    elif kind == "strum":
        starts = [n for n in range(0, count, 2) if n == 0 or chance(rng, 0.75)]
    elif kind == "power":
        steady = chance(rng, 0.5)
        starts = [n for n in range(count) if n == 0 or (n % 2 == 0 if steady else chance(rng, 0.3))]
    return Pattern(
        starts=starts,
        gate=0.3 if kind == "stab" else uniform(rng, 0.4, 1),
        step=pick(rng, (1, 2, 2)),
        direction=pick(rng, ("up", "down", "up and down", "random")),
        order=rng.integers(0, 64, 32).tolist(),
    )


def _voicing(plan: Plan, degree: int, count: int, centre: int, rng: Generator) -> list[int]:
    """Stack thirds on a degree and move each by octaves to around the centre."""
    stack = [plan.pitch(degree + 2 * third) for third in range(count)]
    moved = {p + 12 * round((centre - p) / 12 + uniform(rng, -0.3, 0.3)) for p in stack}
    return sorted(moved)


def _pad(
    plan: Plan, chord: Chord, pattern: Pattern, _kind: str, centre: int, rng: Generator
) -> list[Note]:
    pitches = _voicing(plan, chord.degree, 3 + pattern.order[0] % 3, centre, rng)
    duration = 1.02 * chord.length * plan.beat
    start = plan.time(chord.bar, chord.beat, rng)
    return [Note(start, duration, pitch, uniform(rng, 60, 90)) for pitch in pitches]


def _chords(
    plan: Plan, chord: Chord, pattern: Pattern, kind: str, centre: int, rng: Generator
) -> list[Note]:
    if kind == "power":
        root = plan.pitch(chord.degree)
        root += 12 * round((45 - root) / 12)
        pitches = [root, root + 7, root + 12]
    else:
        pitches = _voicing(plan, chord.degree, 3 + pattern.order[0] % 2, centre, rng)
    notes = []
    ends = [*pattern.starts[1:], int(4 * chord.length)]
    for count, (first, last) in enumerate(zip(pattern.starts, ends, strict=True)):
        time = plan.time(chord.bar, chord.beat + first / 4, rng)
        duration = max(0.05, (last - first) / 4 * plan.beat * pattern.gate)
        spread = uniform(rng, 0.005, 0.02) if kind == "strum" else uniform(rng, 0, 0.004)
        strings = pitches[::-1] if kind == "strum" and count % 2 else pitches
        notes += [
            Note(time + spread * string, duration, pitch, uniform(rng, 65, 110))
            for string, pitch in enumerate(strings)
        ]
    return notes


def _arpeggio(
    plan: Plan, chord: Chord, pattern: Pattern, _kind: str, centre: int, rng: Generator
) -> list[Note]:
    pitches = _voicing(plan, chord.degree, 3, centre, default_rng(pattern.order))
    pitches += [pitch + 12 for pitch in pitches]
    size = len(pitches)
    notes = []
    for count, sixteenth in enumerate(range(0, int(4 * chord.length), pattern.step)):
        index = {
            "up": count % size,
            "down": size - 1 - count % size,
            "up and down": abs(count % (2 * size - 2) - (size - 1)),
            "random": pattern.order[count % 32] % size,
        }[pattern.direction]
        time = plan.time(chord.bar, chord.beat + sixteenth / 4, rng)
        duration = pattern.step / 4 * plan.beat * pattern.gate
        notes.append(Note(time, duration, pitches[index], uniform(rng, 60, 105)))
    return notes


def _line(
    plan: Plan, chord: Chord, pattern: Pattern, kind: str, centre: int, rng: Generator
) -> list[Note]:
    # A riff comes back with every chord, a lead only with its bar in the section.
    place = chord.bar % 2 if kind == "riff" else chord.bar - chord.section.first_bar
    line = default_rng([*pattern.order[:4], place])
    notes = []
    degree = pick(line, (0, 2, 4, 7))
    sixteenth, end = 0, int(4 * chord.length)
    while sixteenth < end:
        length = pick(line, (1, 2, 2, 2, 3, 4, 4) if kind == "riff" else (1, 2, 2, 4, 4, 6, 8))
        if chance(line, 0.78):
            pitch = plan.pitch(chord.degree + degree if sixteenth == 0 else degree)
            pitch += 12 * round((centre + 7 - pitch) / 12)
            time = plan.time(chord.bar, chord.beat + sixteenth / 4, rng)
            duration = min(length, end - sixteenth) / 4 * plan.beat * uniform(line, 0.6, 1)
            notes.append(Note(time, duration, pitch, uniform(line, 75, 115)))
        degree = min(max(degree + pick(line, (-3, -2, -1, -1, 0, 1, 1, 2, 4)), -5), 12)
        sixteenth += length
    return notes
