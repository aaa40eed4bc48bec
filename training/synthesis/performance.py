"""A plan turned into sound: who plays what on which instrument, stem by stem."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.random import Generator

from my_submission.stems import SAMPLE_RATE, Audio, Stem
from training.synthesis.catalogue import Font, Kit, Split, fonts, kits
from training.synthesis.channel_strip import amplifier, treat
from training.synthesis.composition import Plan
from training.synthesis.draw import chance, pick, uniform, weighted
from training.synthesis.drum_kits import ACOUSTIC_KEYS, GENERAL_MIDI_KEYS, hydrogen_kit, strike
from training.synthesis.effects import active_rms, place
from training.synthesis.electronic_kit import electronic_kit
from training.synthesis.fluid import DRUM_BANK, render
from training.synthesis.layers import KINDS, layer_notes
from training.synthesis.notes import Hit, Move, Note
from training.synthesis.rhythm_section import bass_notes, drum_hits
from training.synthesis.synth import draw_patch, play
from training.synthesis.vocals import vocal_part

DRUM_PROGRAMS = (0, 0, 0, 0, 1, 2, 3, 8, 9, 16, 24, 25, 32, 40, 48)
BASS_PROGRAMS = (32, 33, 33, 34, 34, 35, 36, 37, 38, 39)
# Singing choirs (52, 53) are left out: they are vocals to a listener.
LAYER_PROGRAMS = {
    "pad": (*range(48, 52), 54, *range(88, 96), 16, 18, 19, 20, 21, 62, 63),
    "comp": (0, 1, 2, 4, 5, 6, 7, 11, 16, 17, 18, 21, 24, 26, 27),
    "stab": (61, 62, 63, 27, 28, 4, 55, 80, 81, 18, 56, 57),
    "strum": (24, 25, 26, 27, 15, 105, 46),
    "power": (29, 30, 27),
    "arpeggio": (0, 4, 5, 6, 8, 9, 10, 11, 12, 13, 24, 25, 46, 80, 81, 98, 99),
    "lead": (
        *(22, 40, 40, 41, 42, 56, 57, 59, 60, 64, 65, 65, 66, 66, 68, 71, 73, 74, 75),
        *(80, 81, 82, 84, 85, 26, 27, 29, 11, 21),
    ),
    "riff": (4, 7, 25, 27, 28, 29, 30, 40, 61, 65, 80, 81, 87),
}
"""General MIDI programs of each kind of layer; "lead" is mostly what a voice is mistaken for."""

DISTORTED_GUITARS = (26, 27, 29, 30)
MODULATION, EXPRESSION = 1, 11


@dataclass
class Credits:
    """What a song was made of, for its metadata."""

    fonts: set[str] = field(default_factory=set)
    kits: set[str] = field(default_factory=set)
    voices: list[str] = field(default_factory=list)
    instruments: dict[str, list[str]] = field(default_factory=dict)

    def add(self, stem: str, instrument: str) -> None:
        """Note an instrument of a stem."""
        self.instruments.setdefault(stem, []).append(instrument)


def perform(
    plan: Plan, split: Split, cache: Path, rng: Generator
) -> tuple[dict[Stem, Audio], Credits]:
    """Play and sing all stems of a song.

    Args:
        plan: The song.
        split: Whose fonts, kits and voices are taken.
        cache: Folder of the voice bank.
        rng: Draws everything; each stem from a generator of its own.

    Returns:
        float32 `[2, samples]` per stem, and what they were made of.
    """
    credits = Credits()
    players: dict[Stem, Callable[[Generator], Audio]] = {
        "bass": lambda stem_rng: _bass(plan, split, stem_rng, credits),
        "drums": lambda stem_rng: _drums(plan, split, stem_rng, credits),
        "other": lambda stem_rng: _other(plan, split, stem_rng, credits),
        "vocals": lambda stem_rng: _vocals(plan, split, cache, stem_rng, credits),
    }
    generators = rng.spawn(len(players))
    stems = {
        stem: player(stem_rng)
        for (stem, player), stem_rng in zip(players.items(), generators, strict=True)
    }
    return stems, credits


def _font(split: Split, rng: Generator, credits: Credits) -> Font:
    font = weighted(rng, fonts(split))
    credits.fonts.add(font.name)
    return font


def _drums(plan: Plan, split: Split, rng: Generator, credits: Credits) -> Audio:
    hits = drum_hits(plan, rng)
    engine = weighted(rng, {"general midi": 0.3, "kit": 0.5, "electronic": 0.2})
    kit = pick(rng, kits(split))
    if engine == "general midi":
        font, program = _font(split, rng, credits), pick(rng, DRUM_PROGRAMS)
        credits.add("drums", f"{font.name}:{program}")
        audio = _font_drums(font.path, DRUM_BANK, program, GENERAL_MIDI_KEYS, hits, plan, rng)
    elif engine == "electronic":
        credits.add("drums", "electronic")
        audio = strike(electronic_kit(rng), hits, plan.num_samples, rng)
    else:
        credits.kits.add(kit.name)
        credits.add("drums", kit.name)
        audio = _kit_drums(kit, hits, plan, rng)
    return treat(audio, rng, "drums")


def _kit_drums(kit: Kit, hits: Sequence[Hit], plan: Plan, rng: Generator) -> Audio:
    if kit.engine == "font":
        return _font_drums(kit.path, 0, 0, ACOUSTIC_KEYS, hits, plan, rng)
    return strike(hydrogen_kit(kit.path, rng), hits, plan.num_samples, rng)


def _font_drums(
    font: Path,
    bank: int,
    program: int,
    choices: Mapping[str, Sequence[int]],
    hits: Sequence[Hit],
    plan: Plan,
    rng: Generator,
) -> Audio:
    keys = {piece: pick(rng, choice) for piece, choice in choices.items()}
    notes = [Note(hit.start, 0.15, keys[hit.piece], 127 * hit.strength) for hit in hits]
    return render(font, bank, program, notes, plan.num_samples)


def _bass(plan: Plan, split: Split, rng: Generator, credits: Credits) -> Audio:
    notes = bass_notes(plan, rng)
    if chance(rng, 0.6 if plan.style in ("electronic", "hip hop") else 0.18):
        credits.add("bass", "synthesizer")
        patch = draw_patch(rng, "bass")
        audio = play(patch, notes, plan.num_samples, rng, tuning=plan.tuning)
    else:
        font, program = _font(split, rng, credits), pick(rng, BASS_PROGRAMS)
        credits.add("bass", f"{font.name}:{program}")
        audio = render(font.path, 0, program, notes, plan.num_samples, tuning=plan.tuning)
    if chance(rng, 0.8):
        audio = place(audio, pan=0, width=pick(rng, (0, 0, 0.2)))
    return treat(audio, rng, "bass")


def _other(plan: Plan, split: Split, rng: Generator, credits: Credits) -> Audio:
    mix = np.zeros((2, plan.num_samples), np.float32)
    section_kinds = sorted({section.kind for section in plan.playing("other")})
    count = weighted(rng, {1: 0.1, 2: 0.25, 3: 0.3, 4: 0.25, 5: 0.1})
    for number in range(count):
        kind = pick(rng, KINDS[plan.style])
        # The first layer plays wherever "other" does, so that it is not silent by accident.
        chosen = {k for k in section_kinds if number == 0 or chance(rng, 0.75)}
        centre = pick(rng, (55, 60, 60, 64, 67))
        notes = layer_notes(plan, kind, frozenset(chosen), centre, rng)
        if not notes:
            continue
        audio = treat(_layer(plan, kind, notes, split, rng, credits), rng, "other")
        level = active_rms(audio)
        if level > 1e-6:
            gain = 10 ** (uniform(rng, -7, 2) / 20) / level
            mix += np.float32(gain) * _spread(audio, kind, rng)
    return mix


def _layer(
    plan: Plan,
    kind: str,
    notes: Sequence[Note],
    split: Split,
    rng: Generator,
    credits: Credits,
) -> Audio:
    electronic = 0.6 if plan.style in ("electronic", "hip hop") else 0.2
    if kind in ("pad", "arpeggio", "lead", "riff", "stab") and chance(rng, electronic):
        credits.add("other", f"{kind}/synthesizer")
        patch = draw_patch(rng, "pad" if kind == "pad" else "lead")
        return play(patch, notes, plan.num_samples, rng, tuning=plan.tuning)
    program = pick(rng, LAYER_PROGRAMS[kind])
    font = _font(split, rng, credits)
    moves = _expression(notes, rng) if kind in ("lead", "pad") and chance(rng, 0.6) else []
    audio = render(font.path, 0, program, notes, plan.num_samples, tuning=plan.tuning, moves=moves)
    name = f"{kind}/{font.name}:{program}"
    if program in DISTORTED_GUITARS and kind in ("power", "riff", "lead"):
        audio, name = amplifier(audio, rng), name + "+amplifier"
    credits.add("other", name)
    return audio


def _expression(notes: Sequence[Note], rng: Generator) -> list[Move]:
    """Swell into notes and let vibrato grow, as wind and string players do."""
    depth = int(rng.integers(20, 100))
    moves = []
    for note in notes:
        if note.duration < 0.25:
            continue
        low = int(rng.integers(60, 110))
        for step in range(5):
            time = note.start + note.duration * step / 5
            moves.append(Move(time, EXPRESSION, low + (127 - low) * (step + 1) // 5))
            moves.append(Move(time, MODULATION, depth * step // 4))
    return moves


def _spread(audio: Audio, kind: str, rng: Generator) -> Audio:
    """Put a layer somewhere between the loudspeakers; guitars are sometimes played twice."""
    if kind in ("power", "strum") and chance(rng, 0.5):
        late = int(uniform(rng, 0.008, 0.025) * SAMPLE_RATE)
        second = np.pad(audio, ((0, 0), (late, 0)))[:, : audio.shape[1]]
        doubled = place(audio, pan=-0.8, width=0.3) + place(second, pan=0.8, width=0.3)
        return doubled * np.float32(math.sqrt(0.5))
    side = 0.2 if kind == "pad" else 0.8
    return place(audio, pan=uniform(rng, -side, side), width=uniform(rng, 0.3, 1.2))


def _vocals(plan: Plan, split: Split, cache: Path, rng: Generator, credits: Credits) -> Audio:
    audio, names = vocal_part(plan, split, cache, rng)
    credits.voices += names
    return treat(audio, rng, "vocals")
