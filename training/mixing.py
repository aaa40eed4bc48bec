"""Training examples: which parts of which songs are mixed, and how they are changed.

Drawing is apart from applying: a draw is data, the same for the same generator state.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from my_submission.stems import STEMS, Audio
from training.songs import SongStore


@dataclass(frozen=True)
class StemDraw:
    """One stem's part in one example.

    Attributes:
        song: Position in the store.
        start: First sample.
        gain: Factor; negative turns the polarity, 0 silences the stem.
        swap: Whether left and right change places.
    """

    song: int
    start: int
    gain: float
    swap: bool


@dataclass(frozen=True, kw_only=True)
class MixingOptions:
    """How examples are drawn.

    Attributes:
        coherent_share: Probability that all four stems are of one song and one moment.
        max_gain_db: Gain of every stem of a random mix, of a coherent one as a whole, is drawn
            between minus and plus this.
        max_coherent_gain_db: Gain of a coherent mix's stems against each other, likewise.
        silence_share: Probability that a stem is left out.
    """

    coherent_share: float = 0.5
    max_gain_db: float = 6.0
    max_coherent_gain_db: float = 3.0
    silence_share: float = 0.1


def draw_example(
    rng: np.random.Generator,
    store: SongStore,
    songs: Sequence[int],
    num_samples: int,
    options: MixingOptions,
) -> list[StemDraw]:
    """Draw the parts of one example, one per stem in the order of `STEMS`.

    Args:
        rng: The only source of randomness.
        store: Tells the songs' lengths.
        songs: Songs to draw from, by position in the store.
        num_samples: Length of the example.
        options: How it is drawn.
    """
    coherent = rng.random() < options.coherent_share
    common_song, common_start = _place(rng, store, songs, num_samples)
    common_db = rng.uniform(-options.max_gain_db, options.max_gain_db)
    common_swap = bool(rng.integers(2))
    common_sign = rng.choice((-1.0, 1.0))
    draws = []
    for _ in STEMS:
        silent = rng.random() < options.silence_share
        if coherent:
            song, start, swap, sign = common_song, common_start, common_swap, common_sign
            spread = options.max_coherent_gain_db
            gain_db = common_db + rng.uniform(-spread, spread)
        else:
            song, start = _place(rng, store, songs, num_samples)
            swap, sign = bool(rng.integers(2)), rng.choice((-1.0, 1.0))
            gain_db = rng.uniform(-options.max_gain_db, options.max_gain_db)
        gain = 0.0 if silent else float(sign * 10 ** (gain_db / 20))
        draws.append(StemDraw(song, start, gain, swap))
    return draws


def apply_example(store: SongStore, draws: Sequence[StemDraw], num_samples: int) -> Audio:
    """Give the changed stems of an example, `[4, 2, num_samples]`; the mixture is their sum."""
    stems = np.zeros((len(STEMS), 2, num_samples), np.float32)
    for index, draw in enumerate(draws):
        if draw.gain == 0:
            continue
        sound = store.excerpt(draw.song, index, draw.start, num_samples)
        stems[index] = draw.gain * (sound[::-1] if draw.swap else sound)
    return stems


def make_batch(
    seed: Sequence[int],
    store: SongStore,
    songs: Sequence[int],
    *,
    batch_size: int,
    num_samples: int,
    options: MixingOptions,
) -> Audio:
    """Make one batch of examples from nothing but its seed.

    A step's seed holds its number, so training goes on after a stop with the batches that it
    would have had.

    Returns:
        float32 `[batch_size, 4, 2, num_samples]`.
    """
    rng = np.random.default_rng(list(seed))
    examples = [
        apply_example(store, draw_example(rng, store, songs, num_samples, options), num_samples)
        for _ in range(batch_size)
    ]
    return np.stack(examples)


def _place(
    rng: np.random.Generator, store: SongStore, songs: Sequence[int], num_samples: int
) -> tuple[int, int]:
    song = songs[int(rng.integers(len(songs)))]
    last_start = max(0, store.num_samples(song) - num_samples)
    return song, int(rng.integers(last_start + 1))
