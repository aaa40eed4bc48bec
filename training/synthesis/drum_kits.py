"""Sampled drum kits, in Hydrogen's format."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import soundfile
from numpy.random import Generator
from scipy import signal

from my_submission.stems import SAMPLE_RATE, Audio
from training.synthesis.draw import chance, pick, uniform
from training.synthesis.notes import Hit

LONGEST_SAMPLE = 4 * SAMPLE_RATE
CHOKE_FADE = 0.02  # seconds in which a closing hi-hat stops the open one

# In this order, because "hat open" is also a hat and "tom low" also a tom.
PIECE_PATTERNS = (
    ("kick", r"kick|bass ?drum|\bbd"),
    ("rim", r"rim|stick"),
    ("clap", r"clap"),
    ("snare", r"snare|\bsd"),
    ("hat_open", r"(hat|hh).*(open|op\b|semi)|open.*(hat|hh)|\bohh"),
    ("hat_pedal", r"(hat|hh).*(ped|pd|foot)|pedal hh"),
    ("hat_closed", r"hat|\bhh"),
    ("crash", r"crash|splash|china|cymbal"),
    ("ride", r"ride|bell"),
    ("tom_high", r"tom.*(hi|\b1\b)|hi.*tom"),
    ("tom_low", r"tom.*(lo|floor)|(low|floor).*tom"),
    ("tom_middle", r"tom"),
    ("percussion", r"cow|tamb|conga|perc|zap|fx|agogo|drum \d"),
)

STAND_INS = {
    "rim": ("snare",),
    "clap": ("snare",),
    "snare": ("clap",),
    "hat_open": ("hat_closed",),
    "hat_pedal": ("hat_closed",),
    "hat_closed": ("percussion",),
    "ride": ("hat_closed",),
    "crash": ("ride", "hat_open"),
    "tom_high": ("tom_middle", "tom_low"),
    "tom_middle": ("tom_low", "tom_high"),
    "tom_low": ("tom_middle", "tom_high"),
    "percussion": ("rim", "hat_closed"),
}

PAN = {
    "hat_closed": 0.3,
    "hat_pedal": 0.3,
    "hat_open": 0.3,
    "crash": -0.4,
    "ride": -0.35,
    "tom_high": 0.3,
    "tom_low": -0.3,
    "percussion": 0.5,
}

LOUDEST = {
    "kick": 1.0,
    "snare": 1.0,
    "rim": 0.6,
    "clap": 0.7,
    "hat_closed": 0.3,
    "hat_pedal": 0.25,
    "hat_open": 0.35,
    "crash": 0.55,
    "ride": 0.35,
    "tom_high": 0.9,
    "tom_middle": 0.9,
    "tom_low": 1.0,
    "percussion": 0.4,
}
"""Peak of each piece relative to the kick's, at most; give or take 4 dB."""

GENERAL_MIDI_KEYS: dict[str, tuple[int, ...]] = {
    "kick": (36, 35),
    "snare": (38, 40),
    "rim": (37,),
    "clap": (39,),
    "hat_closed": (42,),
    "hat_pedal": (44,),
    "hat_open": (46,),
    "crash": (49, 57, 55),
    "ride": (51, 59),
    "tom_high": (50, 48),
    "tom_middle": (47, 45),
    "tom_low": (43, 41),
    "percussion": (54, 56, 69, 70, 75, 62, 63, 64, 82),
}
ACOUSTIC_KEYS = {**GENERAL_MIDI_KEYS, "kick": (36,), "percussion": (54, 56)}
"""What the AVL fonts have got."""


@dataclass(frozen=True)
class Layer:
    """A sample of an instrument, for strengths from `low` to `high`."""

    low: float
    high: float
    gain: float
    sample: Audio


Pieces = Mapping[str, Sequence[Layer]]
"""The layers of each piece of a kit, by the names of `PIECE_PATTERNS`."""


def hydrogen_kit(folder: Path, rng: Generator) -> Pieces:
    """Put a kit together from a Hydrogen folder; several snares there mean that one is drawn.

    Args:
        folder: Holds `drumkit.xml` and the samples it names.
        rng: Draws the instruments, and retunes some of them.
    """
    instruments = _by_piece(_hydrogen_instruments(folder))
    pieces: dict[str, list[Layer]] = {}
    for piece, _ in PIECE_PATTERNS:
        if piece not in instruments:
            continue
        speed = 2 ** (uniform(rng, -3, 3) / 12) if chance(rng, 0.3) else 1.0
        pieces[piece] = _layers(folder, pick(rng, instruments[piece]), speed)
    return _balanced(pieces, rng)


def _balanced(pieces: Pieces, rng: Generator) -> Pieces:
    """Turn down what is too loud beside the kick: in some kits all samples peak at full scale."""
    peaks = {
        piece: max(float(np.abs(layer.sample).max()) * layer.gain for layer in layers)
        for piece, layers in pieces.items()
    }
    kick = peaks.get("kick", max(peaks.values()))
    balanced = {}
    for piece, layers in pieces.items():
        most = kick * LOUDEST[piece] * 10 ** (uniform(rng, -4, 4) / 20)
        turn = min(1.0, most / max(peaks[piece], 1e-6))
        balanced[piece] = [replace(layer, gain=layer.gain * turn) for layer in layers]
    return balanced


def strike(pieces: Pieces, hits: Sequence[Hit], num_samples: int, rng: Generator) -> Audio:
    """Play hits on a sampled kit.

    Args:
        pieces: The kit; what it has not got is played on what comes nearest, or left out.
        hits: What to play.
        num_samples: Length of the result.
        rng: Draws between samples of the same strength, and the width of the kit.

    Returns:
        float32 `[2, num_samples]`.
    """
    audio = np.zeros((2, num_samples), np.float32)
    width = uniform(rng, 0.3, 1.2)
    hits = sorted(hits)
    for hit, choke in zip(hits, _chokes(hits), strict=True):
        piece = _available(pieces, hit.piece)
        first = max(0, int(hit.start * SAMPLE_RATE))
        if piece is None or first >= num_samples:
            continue
        layers = pieces[piece]
        fitting = [layer for layer in layers if layer.low <= hit.strength <= layer.high]
        layer = pick(rng, fitting or layers)
        # Samples of several strengths already differ in level; one sample has to be scaled for all.
        gain = 0.3 + 0.7 * hit.strength if len(layers) > 1 else hit.strength**1.5
        sound = layer.sample[:, : num_samples - first] * np.float32(layer.gain * gain)
        if choke is not None:
            sound = _cut(sound, choke - hit.start)
        pan = PAN.get(piece, 0.0) * width
        end = first + sound.shape[1]
        audio[0, first:end] += sound[0] * np.float32(min(1.0, 1 - pan))
        audio[1, first:end] += sound[1] * np.float32(min(1.0, 1 + pan))
    return audio


def _chokes(hits: Sequence[Hit]) -> Iterator[float | None]:
    """Say for each hit when a later stroke on the hi-hat silences it, if it is an open hi-hat."""
    hats = [hit.start for hit in hits if hit.piece.startswith("hat")]
    for hit in hits:
        later = (start for start in hats if start > hit.start + 1e-3)
        yield next(later, None) if hit.piece == "hat_open" else None


def _cut(sound: Audio, seconds: float) -> Audio:
    start = int(seconds * SAMPLE_RATE)
    stop = start + int(CHOKE_FADE * SAMPLE_RATE)
    if stop >= sound.shape[1]:
        return sound
    sound = sound[:, :stop].copy()
    sound[:, start:] *= np.linspace(1, 0, stop - start, dtype=np.float32)
    return sound


def _available(pieces: Pieces, wanted: str) -> str | None:
    for piece in (wanted, *STAND_INS.get(wanted, ())):
        if piece in pieces:
            return piece
    return None


_Instrument = list[tuple[float, float, str, float]]


def percussion_kit(folder: Path, rng: Generator, count: int) -> Pieces:
    """Draw some instruments of a Hydrogen folder, by the names they have there."""
    instruments = _hydrogen_instruments(folder)
    names = [str(name) for name in rng.permutation(sorted(instruments))][:count]
    return {name: _layers(folder, instruments[name][0], 1.0) for name in names}


def _layers(folder: Path, instrument: _Instrument, speed: float) -> list[Layer]:
    return [
        Layer(low, high, gain, _at_speed(_load(folder / file), speed))
        for low, high, file, gain in instrument
    ]


@cache
def _hydrogen_instruments(folder: Path) -> dict[str, list[_Instrument]]:
    """Read the instruments of a folder, by their names in lower case."""
    root = ElementTree.parse(folder / "drumkit.xml").getroot()
    for element in root.iter():
        element.tag = element.tag.split("}")[-1]
    instruments: dict[str, list[_Instrument]] = {}
    for instrument in root.iter("instrument"):
        name = (instrument.findtext("name") or "").lower()
        layers = [
            (
                float(layer.findtext("min") or 0),
                float(layer.findtext("max") or 1),
                layer.findtext("filename") or "",
                float(layer.findtext("gain") or 1),
            )
            for layer in instrument.iter("layer")
        ] or [(0.0, 1.0, instrument.findtext("filename") or "", 1.0)]
        layers = [layer for layer in layers if layer[2] and (folder / layer[2]).is_file()]
        if layers:
            instruments.setdefault(name, []).append(layers)
    return instruments


def _by_piece(instruments: Mapping[str, list[_Instrument]]) -> dict[str, list[_Instrument]]:
    pieces: dict[str, list[_Instrument]] = {}
    for name, choices in instruments.items():
        piece = next((p for p, pattern in PIECE_PATTERNS if re.search(pattern, name)), None)
        if piece:
            pieces.setdefault(piece, []).extend(choices)
    return pieces


@cache
def _load(path: Path) -> Audio:
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    audio = audio.T
    if rate != SAMPLE_RATE:
        audio = signal.resample_poly(audio, SAMPLE_RATE, rate, axis=1)
    return stereo(audio[:, :LONGEST_SAMPLE])


def stereo(audio: npt.NDArray[np.floating]) -> Audio:
    """Give both channels of mono or stereo sound `[channels, samples]`."""
    both = np.repeat(audio, 2, axis=0) if audio.shape[0] == 1 else audio[:2]
    return np.ascontiguousarray(both, np.float32)


def _at_speed(audio: Audio, speed: float) -> Audio:
    if speed == 1:
        return audio
    position = np.arange(int((audio.shape[1] - 1) / speed)) * speed
    index = np.arange(audio.shape[1])
    return np.stack([np.interp(position, index, side) for side in audio]).astype(np.float32)
