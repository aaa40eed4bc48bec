"""The plan of a song: style, tempo, key, sections, and which stems play in which section."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from numpy.random import Generator

from my_submission.stems import SAMPLE_RATE, STEMS, Stem
from training.synthesis.draw import chance, pick, uniform, weighted

TEMPO = {
    "pop": (80, 135),
    "rock": (85, 160),
    "electronic": (110, 145),
    "ballad": (55, 90),
    "funk": (85, 125),
    "hip hop": (70, 105),
    "folk": (75, 140),
    "metal": (115, 190),
    "jazz": (80, 180),
    "free": (70, 150),
}
"""Beats per minute of each style."""

STYLES = {
    "pop": 2.0,
    "rock": 2.0,
    "electronic": 1.5,
    "hip hop": 1.3,
    "metal": 1.0,
    "ballad": 0.8,
    "funk": 0.8,
    "folk": 0.6,
    "jazz": 0.4,
    "free": 0.8,
}
"""How often each style is played."""

MODES: dict[tuple[int, ...], float] = {
    (0, 2, 4, 5, 7, 9, 11): 5.0,  # major
    (0, 2, 3, 5, 7, 8, 10): 5.0,  # minor
    (0, 2, 3, 5, 7, 9, 10): 2.0,  # dorian
    (0, 2, 4, 5, 7, 9, 10): 2.0,  # mixolydian
    (0, 1, 3, 5, 7, 8, 10): 0.5,  # phrygian
    (0, 2, 3, 5, 7, 8, 11): 0.7,  # harmonic minor
}
"""Scales as semitones above the key, with their weights."""

PROGRESSIONS = (
    (0, 4, 5, 3),
    (5, 3, 0, 4),
    (0, 3, 4, 3),
    (0, 5, 3, 4),
    (0, 3),
    (0, 6, 3, 0),
    (0, 4),
    (1, 4, 0, 0),
    (0, 2, 3, 4),
    (0, 6, 5, 4),
    (0, 0, 3, 3),
    (3, 4, 2, 5),
    (0,),
    (5, 4, 3, 4),
    (0, 3, 0, 4),
)
"""Chords as scale degrees from 0."""

ACTIVE = {"bass": 0.85, "drums": 0.82, "other": 0.93, "vocals": 0.75}
"""How likely a stem plays in a kind of section."""


@dataclass(frozen=True)
class Section:
    """Some bars of the same music. Sections of one `kind` share patterns by their `seed`."""

    first_bar: int
    num_bars: int
    kind: int
    seed: int
    progression: tuple[int, ...]
    chords_per_bar: int
    active: frozenset[Stem]

    @property
    def bars(self) -> range:
        """The bars of this section."""
        return range(self.first_bar, self.first_bar + self.num_bars)


@dataclass(frozen=True)
class Chord:
    """One chord of a section: `beat` within the bar, `length` in beats, `degree` of the scale."""

    bar: int
    beat: float
    length: float
    degree: int
    section: Section


@dataclass(frozen=True)
class Plan:
    """What all stems of a song agree on."""

    style: str
    bpm: float
    beats_per_bar: int
    key: int
    scale: tuple[int, ...]
    tuning: float
    swing: float
    looseness: float
    num_samples: int
    sections: tuple[Section, ...] = field(default=())

    @property
    def beat(self) -> float:
        """Seconds of a beat."""
        return 60 / self.bpm

    def time(self, bar: int, beat: float, rng: Generator | None = None) -> float:
        """Give the second at which a beat falls, with the swing, and as loose as a human plays.

        Args:
            bar: Bar from the song's beginning.
            beat: Beat in the bar, from 0; off-beat eighths are delayed by the swing.
            rng: Draws the deviation; exactly in time without it.
        """
        swing = self.swing * self.beat / 2 if abs(beat % 1 - 0.5) < 1e-6 else 0.0
        loose = float(rng.normal(0, self.looseness)) if rng is not None else 0.0
        return max(0.0, (bar * self.beats_per_bar + beat) * self.beat + swing + loose)

    def pitch(self, degree: int, octave: int = 0) -> int:
        """Give the MIDI key of a degree of the scale; degrees may be negative or beyond 6."""
        return self.key + 12 * octave + self.scale[degree % 7] + 12 * (degree // 7)

    def playing(self, stem: Stem) -> Iterator[Section]:
        """Walk through the sections in which a stem plays."""
        return (section for section in self.sections if stem in section.active)

    def chords(self, stem: Stem) -> Iterator[Chord]:
        """Walk through the chords of the sections in which a stem plays."""
        for section in self.playing(stem):
            length = self.beats_per_bar / section.chords_per_bar
            for count in range(section.num_bars * section.chords_per_bar):
                bar, part = divmod(count, section.chords_per_bar)
                degree = section.progression[count % len(section.progression)]
                yield Chord(section.first_bar + bar, part * length, length, degree, section)


def compose(rng: Generator, seconds: float, *, full: bool = False) -> Plan:
    """Draw the plan of a song.

    Args:
        rng: Draws everything.
        seconds: Length of the song.
        full: All stems play in all sections.
    """
    style = weighted(rng, STYLES)
    plan = Plan(
        style=style,
        bpm=uniform(rng, *TEMPO[style]),
        beats_per_bar=weighted(rng, {4: 0.9, 3: 0.1}),
        key=int(rng.integers(12)),
        scale=weighted(rng, MODES),
        tuning=uniform(rng, -0.5, 0.5) if chance(rng, 0.25) else 0.0,
        swing=uniform(rng, 0.05, 0.3) if chance(rng, 0.2) else 0.0,
        looseness=uniform(rng, 0.001, 0.012),
        num_samples=int(seconds * SAMPLE_RATE),
    )
    num_bars = int(seconds / (plan.beats_per_bar * plan.beat)) + 1
    sections = _sections(rng, num_bars, long=seconds >= 60)
    if full:
        sections = [replace(section, active=frozenset(STEMS)) for section in sections]
    else:
        sections = _arrange(rng, sections, num_bars)
    return replace(plan, sections=tuple(sections))


def _sections(rng: Generator, num_bars: int, *, long: bool) -> list[Section]:
    progressions = [pick(rng, PROGRESSIONS) for _ in range(int(rng.integers(1, 4)))]
    kinds = []
    for kind in range(int(rng.integers(2, 5))):
        active = {stem for stem in STEMS if chance(rng, ACTIVE[stem])}
        if len(active) < 2:
            active |= {"vocals", pick(rng, ("other", "drums"))}
        kinds.append(
            Section(
                first_bar=0,
                num_bars=0,
                kind=kind,
                seed=int(rng.integers(2**31)),
                progression=pick(rng, progressions),
                chords_per_bar=pick(rng, (1, 1, 1, 2)),
                active=frozenset(active),
            )
        )
    sections = []
    bar = 0
    while bar < num_bars:
        length = min(pick(rng, (4, 8, 8, 16) if long else (2, 4, 4, 4, 8)), num_bars - bar)
        sections.append(replace(pick(rng, kinds), first_bar=bar, num_bars=length))
        bar += length
    return sections


def _arrange(rng: Generator, sections: list[Section], num_bars: int) -> list[Section]:
    """Let stems fall silent here and there, but play at least two fifths of nearly every song."""
    active = [set(section.active) for section in sections]
    for stems in active:
        mark = rng.random()
        if mark < 0.18 and len(stems) > 1:
            stems.remove(pick(rng, sorted(stems)))
        elif mark < 0.26:
            stems.clear()
            stems.add(pick(rng, STEMS))
    for stem in STEMS:
        wanted = 0.4 * num_bars if chance(rng, 0.96) else 0
        silent = [index for index in rng.permutation(len(sections)) if stem not in active[index]]
        bars = sum(s.num_bars for s, stems in zip(sections, active, strict=True) if stem in stems)
        for index in silent:
            if bars >= wanted:
                break
            active[index].add(stem)
            bars += sections[index].num_bars
    return [
        replace(section, active=frozenset(stems))
        for section, stems in zip(sections, active, strict=True)
    ]
