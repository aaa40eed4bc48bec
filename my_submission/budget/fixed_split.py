"""What takes no network: the mixture, or what is left of it, split by frequency.

Every stem that is missing gets a fixed share of each frequency: what its part of the energy is in
music, on average, and in seconds of the song where the stems are known, if there are any. Shares
of one frequency add up to 1, so that nothing is lost.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.fft

from my_submission.stems import SAMPLE_RATE, STEMS, Audio

# Shares of the stems' energies in bands of the mixture, mean of 30 songs of 15 s, each song counted
# as loud as any other: `python -m training.synthesis SONGS --songs 30 --seed 11 --seconds 15`.
CENTRES_HZ = (42, 73, 108, 153, 212, 296, 418, 592, 837, 1183, 1673, 2366, 3347, 4733, 6693, 9381)
SHARES = {
    "bass": (35, 45, 52, 41, 29, 11, 6, 4, 4, 5, 3, 1, 1, 2, 1, 0),
    "drums": (65, 55, 41, 38, 17, 5, 5, 4, 2, 6, 4, 5, 11, 37, 51, 59),
    "other": (0, 0, 5, 11, 22, 39, 38, 40, 46, 51, 53, 61, 44, 25, 15, 8),
    "vocals": (0, 0, 2, 10, 32, 45, 51, 52, 48, 38, 40, 33, 44, 36, 33, 33),
}
"""Hundredths."""

OWN = 0.5
"""Weight of a song's own shares, where some seconds of its stems are known: these are not all of
the song, and not all there is in them."""

HOP_LENGTH = 8192
FADE_LENGTH = 2048
N_FFT = HOP_LENGTH + FADE_LENGTH

ROUNDING = 1e-6
"""A stem of which less is missing is there: it takes no transform."""

Weights = npt.NDArray[np.float32]

Rest = Callable[[int, int], tuple[Audio, Weights]]
"""Gives what is left of the mixture from one sample to another, ``[2, n]``, and how much of each
stem is missing there, ``[4, n]`` from 0 to 1; zeros outside the song."""


def equal_split(rest: Audio, missing: Weights) -> Audio:
    """Share ``[2, n]`` out among the stems that are missing, equally: the least work there is."""
    shares = missing / np.maximum(missing.sum(axis=0), 1e-6)
    split: Audio = shares[:, None] * rest
    return split


def song_shares(stems: Audio) -> Weights:
    """Give the shares that a song's stems are taken to have, from a stretch of them.

    Args:
        stems: ``[4, 2, n]``, `N_FFT` samples or more.

    Returns:
        ``[4, bins]``.
    """
    energies = np.zeros((len(STEMS), len(CENTRES_HZ)), np.float32)
    for row, stem in enumerate(stems):  # one by one: they stay in the caches
        spectrum = scipy.fft.rfft(_frames(stem) * _WINDOW)
        power = (spectrum.real**2 + spectrum.imag**2).sum(axis=(0, 1))
        energies[row] = _BANDS @ power
    total = energies.sum(axis=0)
    own = energies / np.maximum(total, 1e-6)
    # Where the stretch has nothing, it tells nothing.
    weight = OWN * (total > 1e-6)
    shares: Weights = ((1 - weight) * _MUSIC + weight * own).astype(np.float32) @ _BANDS
    return shares


def fixed_split(rest: Rest, start: int, stop: int, shares: Weights | None = None) -> Audio:
    """Share what is left of the mixture out by frequency.

    It is cut into windows, at places that do not depend on `start`: long ones that fade into each
    other, so that little is done twice.

    Args:
        rest: What is left, and of which stems.
        start: First sample wanted.
        stop: The sample after the last.
        shares: As `song_shares` gives them; None for those of music on average.

    Returns:
        ``[4, 2, stop - start]``.
    """
    # The window before the first one still fades out there.
    first = start // HOP_LENGTH * HOP_LENGTH - HOP_LENGTH
    count = -(-(stop - first) // HOP_LENGTH)
    sound, missing = rest(first, first + (count - 1) * HOP_LENGTH + N_FFT)
    frames = _frames(sound) * _WINDOW
    # How much of a stem is missing where the window is: of all of it, or a fade would lose its end.
    lacking = _frames(missing).mean(axis=2, keepdims=True)
    parts = (_SHARES if shares is None else shares)[:, None] * lacking
    parts /= np.maximum(parts.sum(axis=0), 1e-6)
    out = np.zeros((len(STEMS), 2, count * HOP_LENGTH), np.float32)
    wanted = np.flatnonzero((lacking > ROUNDING).any(axis=(1, 2)))
    if not len(wanted):
        return out[..., start - first : stop - first]
    # Shares add up to 1 where anything is missing: the last stem gets what the others leave.
    *others, last = wanted
    _add(out[last], frames * (lacking.sum(axis=0) > 0))
    if others:
        # Scipy's, because numpy's transform to spectra takes three times as long.
        spectrum = scipy.fft.rfft(frames)
    for index in others:
        _add(out[index], scipy.fft.irfft(parts[index] * spectrum, N_FFT))
        out[last] -= out[index]
    return out[..., start - first : stop - first]


def _add(out: Audio, pieces: Audio) -> None:
    """Put windows ``[2, frames, N_FFT]`` where they belong, into ``[2, frames * HOP_LENGTH]``."""
    rows = out.reshape(2, -1, HOP_LENGTH)
    rows[:] = pieces[..., :HOP_LENGTH]
    rows[..., :FADE_LENGTH] *= _WINDOW[:FADE_LENGTH]
    rows[:, 1:, :FADE_LENGTH] += pieces[:, :-1, HOP_LENGTH:] * _WINDOW[HOP_LENGTH:]


def _frames(sound: Audio) -> Audio:
    """Cut ``[2, n]`` into windows ``[2, frames, N_FFT]``."""
    return np.lib.stride_tricks.sliding_window_view(sound, N_FFT, axis=1)[:, ::HOP_LENGTH]


def _bands() -> Weights:
    """Give how far each band counts in the bins of a spectrum, ``[bands, bins]``."""
    hertz = np.maximum(np.arange(N_FFT // 2 + 1) * SAMPLE_RATE / N_FFT, 1.0)
    places = np.interp(np.log(hertz), np.log(CENTRES_HZ), range(len(CENTRES_HZ)))
    distances = np.abs(places - np.arange(len(CENTRES_HZ))[:, None])
    weights: Weights = np.maximum(0, 1 - distances).astype(np.float32)
    return weights


def _music() -> Weights:
    """Give the shares of the stems in the bands of music, ``[4, bands]``."""
    shares = np.array([SHARES[stem] for stem in STEMS], np.float32) + 0.1
    normed: Weights = shares / shares.sum(axis=0)
    return normed


_BANDS, _MUSIC = _bands(), _music()
_SHARES = _MUSIC @ _BANDS
# Its ends, squared, add up to 1 where two windows overlap.
_RISE = np.sin(np.pi / 2 * (np.arange(FADE_LENGTH) + 0.5) / FADE_LENGTH)
_WINDOW = np.concatenate([_RISE, np.ones(HOP_LENGTH - FADE_LENGTH), _RISE[::-1]]).astype(np.float32)
