"""From stems to a song: balance, ducking, and a master that treats all stems alike.

Whatever the master does is a filter or a gain curve that every stem gets too, so the mixture stays
the exact sum of its stems.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from my_submission.stems import STEMS, Audio, Stem
from training.synthesis.draw import chance, log_uniform, uniform
from training.synthesis.effects import (
    active_rms,
    filtered,
    follow,
    high_pass,
    high_shelf,
    hop_gains,
    hop_peaks,
    low_pass,
    peak,
)
from training.synthesis.tone import match_tone

LIMIT = 0.89
FULL_SCALE = 32767
LEVEL_DB = {"vocals": (-21, 3), "drums": (-18.5, 3), "bass": (-20, 3), "other": (-19.5, 3.5)}
"""Mean and deviation of each stem's level where it plays, dB relative to full scale."""

Samples = npt.NDArray[np.int32]
Stems = dict[Stem, Audio]


def mix(stems: Stems, rng: Generator) -> Stems:
    """Balance and master: float32 `[2, samples]` per stem."""
    return master(balance(stems, rng), rng)


def balance(stems: Stems, rng: Generator) -> Stems:
    """Give each stem its tone and level, and perhaps let the bass drum push others down."""
    balanced: Stems = {}
    for stem in STEMS:
        audio = match_tone(stems[stem], rng, stem)
        level = active_rms(audio)
        target = 10 ** (rng.normal(*LEVEL_DB[stem]) / 20)
        balanced[stem] = audio * np.float32(target / level if level > 1e-6 else 0)
    if chance(rng, 0.12):
        _close_filter(balanced, rng)
    if chance(rng, 0.25):
        curve = _duck(balanced["drums"], rng)
        balanced["other"] = balanced["other"] * curve
        if chance(rng, 0.6):
            balanced["bass"] = balanced["bass"] * curve
    return balanced


def master(stems: Stems, rng: Generator) -> Stems:
    """Equalise, compress and limit the sum, by filters and gains that all stems share."""
    if chance(rng, 0.5):
        stems = {stem: _mono_lows(audio) for stem, audio in stems.items()}
    sections = [
        high_pass(uniform(rng, 15, 30)),
        peak(log_uniform(rng, 80, 8000), uniform(rng, -3, 3), 0.5),
        high_shelf(uniform(rng, 3000, 9000), uniform(rng, -3, 3)),
    ]
    if chance(rng, 0.2):  # what a lossy file has left
        sections += [low_pass(uniform(rng, 14_500, 17_500), 1.2)] * 2
    elif chance(rng, 0.04):  # an old radio, a worn tape
        sections += [high_pass(uniform(rng, 60, 200)), low_pass(uniform(rng, 4000, 9000))]
    stems = {stem: filtered(audio, *sections) for stem, audio in stems.items()}
    if chance(rng, 0.6):
        stems = _share(stems, lambda total: _glue(total, rng))
    drive = 10 ** (uniform(rng, 0, 10) / 20)
    if chance(rng, 0.25):
        stems = _share(stems, lambda total: _soft_clip(total, drive))
    return limit(stems, drive)


def limit(stems: Stems, drive: float) -> Stems:
    """Raise the song by `drive` and keep its peaks, and its stems', below the limit."""
    # A stem can be louder than the sum where stems cancel, and must not clip either.
    total = np.sum(list(stems.values()), axis=0)
    peaks = hop_peaks(np.concatenate([total, *stems.values()])) * drive
    gains = np.minimum(1, LIMIT / np.maximum(peaks, 1e-9))
    gains = uniform_filter1d(minimum_filter1d(gains, 15), 13) * drive
    curve = hop_gains(gains, total.shape[1])
    return {stem: audio * curve for stem, audio in stems.items()}


def quantise(stems: Stems) -> dict[Stem, Samples]:
    """Round the stems to 16 bits; one common gain where they or their sum would clip."""
    total = np.sum(list(stems.values()), axis=0)
    top = max(float(np.abs(audio).max(initial=0)) for audio in (total, *stems.values()))
    # Rounding adds up to half a step per stem to the sum.
    gain = np.float32(min(FULL_SCALE, (FULL_SCALE - len(stems)) / max(top, 1e-9)))
    return {stem: np.round(audio * gain).astype(np.int32) for stem, audio in stems.items()}


def _share(stems: Stems, gain: Callable[[Audio], npt.NDArray[np.float32]]) -> Stems:
    """Multiply all stems by what `gain` makes of their sum: `[samples]` or `[2, samples]`."""
    curve = gain(np.sum(list(stems.values()), axis=0))
    return {stem: audio * curve for stem, audio in stems.items()}


def _mono_lows(audio: Audio) -> Audio:
    """Take the difference of the sides away below 120 Hz, as records have it."""
    side = filtered((audio[0] - audio[1])[None] / 2, high_pass(120))[0]
    middle = (audio[0] + audio[1]) / 2
    return np.stack([middle + side, middle - side])


def _close_filter(stems: Stems, rng: Generator) -> None:
    """Muffle some stems for a part of the song, as before a drop."""
    chosen = [stem for stem in STEMS if chance(rng, {"other": 0.9, "drums": 0.5}.get(stem, 0.2))]
    num_samples = stems[STEMS[0]].shape[1]
    middle, half = uniform(rng, 0, 1), uniform(rng, 0.05, 0.25)
    fade = uniform(rng, 0.002, 0.1)
    position = np.arange(num_samples) / num_samples
    share = np.clip((half - np.abs(position - middle)) / fade, 0, 1).astype(np.float32)
    corner = low_pass(log_uniform(rng, 250, 2500), uniform(rng, 0.7, 2))
    for stem in chosen:
        stems[stem] = stems[stem] + share * (filtered(stems[stem], corner) - stems[stem])


def _duck(drums: Audio, rng: Generator) -> npt.NDArray[np.float32]:
    """Give the gain of a compressor that listens to the bass drum: `[samples]`."""
    kick = filtered(drums, low_pass(90), low_pass(90))
    level = 20 * np.log10(hop_peaks(kick) + 1e-9)
    over = np.clip(level - (level.max() - 12), 0, 6) / 6 * log_uniform(rng, 3, 14)
    return hop_gains(follow(over, 3, uniform(rng, 60, 250)), drums.shape[1])


def _glue(total: Audio, rng: Generator) -> npt.NDArray[np.float32]:
    """Give the gain of a slow compressor on the mixture: `[samples]`."""
    level = 20 * np.log10(hop_peaks(total) + 1e-9)
    over = np.maximum(0, level - np.percentile(level, 95) + uniform(rng, 2, 10))
    ratio = uniform(rng, 1.5, 4)
    attack, release = uniform(rng, 3, 40), uniform(rng, 60, 400)
    return hop_gains(follow(over * (1 - 1 / ratio), attack, release), total.shape[1])


def _soft_clip(total: Audio, drive: float) -> npt.NDArray[np.float32]:
    """Give what a soft clipper does to the driven mixture, as a gain: `[2, samples]`."""
    top = np.float32(LIMIT / drive)
    size = np.maximum(np.abs(total) / top, 1e-4)
    # x / (1 + x^4)^(1/4) bends only near the top.
    return np.asarray((1 + size**4) ** -0.25, np.float32)
