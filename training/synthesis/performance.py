"""A plan turned into sound: who plays what on which instrument, stem by stem."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator

from my_submission.stems import Audio, Stem
from training.synthesis.accompaniment import accompaniment
from training.synthesis.catalogue import Kit, Split, kits, percussion
from training.synthesis.channel_strip import treat
from training.synthesis.composition import Plan
from training.synthesis.credits import Credits
from training.synthesis.draw import chance, pick, uniform, weighted
from training.synthesis.drum_kits import ACOUSTIC_KEYS, GENERAL_MIDI_KEYS, hydrogen_kit, strike
from training.synthesis.effects import active_rms, filtered, high_pass, place, saturate
from training.synthesis.electronic_kit import electronic_kit
from training.synthesis.fluid import DRUM_BANK, render
from training.synthesis.hand_percussion import percussion_loops
from training.synthesis.notes import Hit, Note
from training.synthesis.rhythm_section import bass_notes, drum_hits
from training.synthesis.strings import bass_guitar, pluck_notes
from training.synthesis.sub_bass import sub_bass
from training.synthesis.synth import draw_patch, play
from training.synthesis.vocals import vocal_part

DRUM_PROGRAMS = (0, 0, 0, 0, 1, 2, 3, 8, 9, 16, 24, 25, 32, 40, 48)
BASS_PROGRAMS = (32, 33, 33, 34, 34, 35, 36, 37, 38, 39)


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
        "other": lambda stem_rng: accompaniment(plan, split, stem_rng, credits),
        "vocals": lambda stem_rng: _vocals(plan, split, cache, stem_rng, credits),
    }
    generators = rng.spawn(len(players))
    stems = {
        stem: player(stem_rng)
        for (stem, player), stem_rng in zip(players.items(), generators, strict=True)
    }
    return stems, credits


def _drums(plan: Plan, split: Split, rng: Generator, credits: Credits) -> Audio:
    hits = drum_hits(plan, rng)
    engine = weighted(rng, {"general midi": 0.3, "kit": 0.5, "electronic": 0.2})
    kit = pick(rng, kits(split))
    if engine == "general midi":
        font, program = credits.take_font(split, rng), pick(rng, DRUM_PROGRAMS)
        credits.add("drums", f"{font.name}:{program}")
        audio = _font_drums(font.path, DRUM_BANK, program, GENERAL_MIDI_KEYS, hits, plan, rng)
    elif engine == "electronic":
        credits.add("drums", "electronic")
        audio = strike(electronic_kit(rng), hits, plan.num_samples, rng)
    else:
        credits.kits.add(kit.name)
        credits.add("drums", kit.name)
        audio = _kit_drums(kit, hits, plan, rng)
    if engine != "electronic" and chance(rng, 0.15):
        credits.add("drums", "electronic")
        below = [hit for hit in hits if hit.piece in ("kick", "snare", "clap")]
        audio = _beside(audio, strike(electronic_kit(rng), below, plan.num_samples, rng), rng)
    if chance(rng, 0.3):
        hand = pick(rng, [*percussion(split), None])
        credits.add("drums", hand.name if hand else "shaker")
        if hand:
            credits.kits.add(hand.name)
        audio = _beside(audio, percussion_loops(plan, hand, rng), rng)
    return treat(audio, rng, "drums")


def _beside(audio: Audio, added: Audio, rng: Generator) -> Audio:
    """Add drums to drums, a little softer."""
    level, other = active_rms(audio), active_rms(added)
    if level < 1e-6 or other < 1e-6:
        return audio
    return audio + np.float32(level / other * 10 ** (uniform(rng, -16, -2) / 20)) * added


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
    electronic = plan.style in ("electronic", "hip hop")
    if chance(rng, {"hip hop": 0.5, "electronic": 0.2}.get(plan.style, 0.04)):
        credits.add("bass", "sub bass")
        audio = sub_bass(notes, plan.num_samples, rng, tuning=plan.tuning)
    elif chance(rng, 0.7 if electronic else 0.18):
        credits.add("bass", "synthesizer")
        patch = draw_patch(rng, "bass")
        audio = play(patch, notes, plan.num_samples, rng, tuning=plan.tuning)
    elif chance(rng, 0.55):
        credits.add("bass", "bass guitar")
        audio = _bass_guitar(plan, notes, rng)
    else:
        font, program = credits.take_font(split, rng), pick(rng, BASS_PROGRAMS)
        credits.add("bass", f"{font.name}:{program}")
        audio = render(font.path, 0, program, notes, plan.num_samples, tuning=plan.tuning)
    if chance(rng, 0.8):
        audio = place(audio, pan=0, width=pick(rng, (0, 0, 0.2)))
    return treat(audio, rng, "bass")


def _bass_guitar(plan: Plan, notes: Sequence[Note], rng: Generator) -> Audio:
    """Play a bass guitar straight into the desk, through an amplifier, or both."""
    instrument = bass_guitar(rng)
    dry = pluck_notes(
        instrument, notes, plan.num_samples, rng, tuning=plan.tuning, muted=pick(rng, (0, 0, 0.5))
    )[None]
    dirt = uniform(rng, 0, 1) if chance(rng, 0.5) else 0.0
    if dirt:
        dry = dry + np.float32(dirt) * saturate(filtered(dry, high_pass(150)), 24, 0.2)
    return np.repeat(dry, 2, axis=0)


def _vocals(plan: Plan, split: Split, cache: Path, rng: Generator, credits: Credits) -> Audio:
    audio, names = vocal_part(plan, split, cache, rng)
    credits.voices += names
    return treat(audio, rng, "vocals")
