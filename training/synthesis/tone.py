"""A stem's long-term spectrum brought near what such stems have in finished productions.

Sound fonts are dull (many samples end below 8 kHz), and to a network that has learnt on dull
instruments every bright one is a cymbal or a voice.
"""

import math

import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from scipy import signal

from my_submission.stems import SAMPLE_RATE, Audio, Stem
from training.synthesis.draw import log_uniform, uniform
from training.synthesis.effects import filtered, high_pass, saturate

OCTAVES = np.array((31.5, 63, 125, 250, 500, 1000, 2000, 4000, 8000, 16000))
USUAL_DB: dict[Stem, tuple[float, ...]] = {
    "bass": (-14, -4, -4.5, -9, -15, -20, -26, -33, -45, -55),
    "drums": (-15, -5, -7, -9.5, -12.5, -14, -14, -13.5, -14, -20),
    "other": (-30, -18, -9.5, -6, -6, -8, -10.5, -14.5, -20, -30),
    "vocals": (-50, -32, -13, -6, -5, -7.5, -11, -13.5, -17.5, -25),
}
"""Power per octave in dB of the stem's own, as pop, rock and electronic music roughly have it."""
MOST_DB = 18.0
N_FFT = 4096


def octave_levels(audio: Audio) -> npt.NDArray[np.float64]:
    """Give the power in each of `OCTAVES`, in dB of the whole: `[octaves]`."""
    size = min(N_FFT, audio.shape[1])
    hertz, density = signal.welch(audio, SAMPLE_RATE, nperseg=size, noverlap=0)
    density = density.sum(axis=0)
    total = density.sum() + 1e-20
    levels = []
    for centre in OCTAVES:
        band = (hertz >= centre / math.sqrt(2)) & (hertz < centre * math.sqrt(2))
        levels.append(10 * math.log10(density[band].sum() / total + 1e-10))
    return np.array(levels)


def match_tone(audio: Audio, rng: Generator, stem: Stem) -> Audio:
    """Equalise a stem towards a spectrum drawn around the usual one.

    Args:
        audio: `[2, samples]`.
        rng: Draws the spectrum: a tilt, unevenness, and how much of the way is gone.
        stem: Whose usual spectrum is meant.

    Returns:
        The sound with each octave moved by at most `MOST_DB`, about as loud as before.
    """
    if float(np.abs(audio).max(initial=0)) < 1e-5:
        return audio
    number = np.arange(len(OCTAVES)) - 4
    target = np.array(USUAL_DB[stem]) + rng.normal(0, 0.8) * number
    target += rng.normal(0, 2.5, len(number))
    levels = octave_levels(audio)
    if stem != "bass" and (levels < target - MOST_DB)[-2:].any():
        audio = excite(audio, rng)
        levels = octave_levels(audio)
    gains = np.clip((target - levels) * uniform(rng, 0.6, 1), -MOST_DB, MOST_DB)
    gains -= 10 * math.log10((10 ** ((levels + gains) / 10)).sum() / (10 ** (levels / 10)).sum())
    response = _minimum_phase(gains)
    shaped = signal.oaconvolve(audio, response[None], axes=-1)[:, : audio.shape[1]]
    return np.asarray(shaped, np.float32)


def excite(audio: Audio, rng: Generator) -> Audio:
    """Add overtones above what a dull sound has, as an exciter does."""
    upper = filtered(audio, high_pass(log_uniform(rng, 1200, 3000)))
    upper = filtered(saturate(upper, uniform(rng, 14, 26), 0.2), high_pass(4500), high_pass(4500))
    return audio + np.float32(uniform(rng, 0.3, 0.8)) * upper


def _minimum_phase(gains_db: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Give the impulse response of gains per octave, without ringing before a sound.

    The cepstrum of the magnitude, folded to positive times, is the minimum-phase filter's
    (Oppenheim and Schafer, Discrete-Time Signal Processing, section 12.4).
    """
    hertz = np.maximum(np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE), 10)
    log_gain = np.interp(np.log2(hertz), np.log2(OCTAVES), gains_db) * math.log(10) / 20
    cepstrum = np.fft.irfft(log_gain)
    cepstrum[1 : N_FFT // 2] *= 2
    cepstrum[N_FFT // 2 + 1 :] = 0
    response = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))
    shape: npt.NDArray[np.float32] = response.astype(np.float32)
    return shape
