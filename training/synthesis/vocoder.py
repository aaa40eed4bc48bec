"""Words sung through the WORLD vocoder: any pitch, any throat, a little buzzy."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from my_submission.stems import SAMPLE_RATE
from training.synthesis.draw import slow_noise
from training.synthesis.singing import Course, Manner, Throat
from training.synthesis.voices import Phrase
from training.synthesis.world import FRAME_PERIOD, Analysis, Frames, synthesise

FFT_SIZE = 1024
FREQUENCIES = np.arange(FFT_SIZE // 2 + 1) * SAMPLE_RATE / FFT_SIZE


@dataclass(frozen=True)
class VocoderWords:
    """A phrase as WORLD's frames, at 44.1 kHz and with another throat."""

    phrase: Phrase
    shaped: Analysis

    @classmethod
    def prepare(cls, phrase: Phrase, throat: Throat) -> "VocoderWords":
        """Get a phrase ready to be sung with a throat."""
        return cls(phrase, reshape(phrase, throat))

    def sing(self, course: Course, manner: Manner, rng: Generator) -> npt.NDArray[np.float32]:
        """Sing the phrase along a course: mono float32 `[samples]` at 44.1 kHz."""
        shaped = self.shaped
        last = len(shaped.f0) - 1
        index = np.clip(course.source / FRAME_PERIOD, 0, last - 1e-3)
        lower = index.astype(int)
        share = (index - lower)[:, None].astype(np.float32)

        def at(frames: Frames) -> Frames:
            following = frames[np.minimum(lower + 1, last)]
            between: Frames = frames[lower] * (1 - share) + following * share
            return between

        sounding = course.source >= 0
        fade = np.hanning(9) / np.hanning(9).sum()
        level = np.convolve(sounding, fade, "same") * (1 + 0.15 * slow_noise(rng, len(index), 120))
        envelope = at(shaped.log_envelope) + 2 * np.log(np.abs(level) + 1e-6)[:, None]
        aperiodicity = at(shaped.aperiodicity)
        breath = (0.05 + manner.breath) * np.clip(FREQUENCIES / 8000, 0, 1)
        voiced = (course.f0 > 0)[:, None]
        aperiodicity = np.clip(aperiodicity + np.where(voiced, breath, 0), 0, 1)
        # Without jitter the harmonics stand cleaner over the noise than any singer's.
        shake = np.convolve(rng.standard_normal(len(index) + 1), (0.5, 0.5), "valid")
        f0 = (course.f0 * (1 + manner.jitter * shake)).astype(np.float32)
        return synthesise(Analysis(f0, np.maximum(envelope, -32), aperiodicity), SAMPLE_RATE)


def reshape(phrase: Phrase, throat: Throat) -> Analysis:
    """Bring a phrase's envelope to 44.1 kHz, with another throat.

    Speech at 16 kHz ends below 8 kHz. Above, vowels go on falling by 15 dB per octave and
    consonants by 6 dB, which is about what voices do.
    """
    source = phrase.analysis
    bins = source.log_envelope.shape[1]
    highest = min((0.4 if phrase.sample_rate <= 16_000 else 0.45) * phrase.sample_rate, 20_500.0)
    asked = np.minimum(FREQUENCIES / throat.formant, highest)
    position = np.minimum(asked * 2 * (bins - 1) / phrase.sample_rate, bins - 1.001)
    lower = position.astype(int)
    share = (position - lower).astype(np.float32)

    def resample(frames: Frames) -> Frames:
        resampled: Frames = frames[:, lower] * (1 - share) + frames[:, lower + 1] * share
        return resampled

    envelope, aperiodicity = resample(source.log_envelope), resample(source.aperiodicity)
    edge = int(np.searchsorted(FREQUENCIES, highest * throat.formant))
    if edge < len(FREQUENCIES):
        low = int(np.searchsorted(FREQUENCIES, 0.8 * highest * throat.formant))
        level = envelope[:, low:edge].mean(axis=1, keepdims=True)
        slope = np.where(source.f0 > 0, -15.0, -6.0)[:, None] * math.log(10) / 10
        octaves = np.log2(FREQUENCIES[edge:] / FREQUENCIES[edge])
        dull = 3 * np.maximum(0, (FREQUENCIES[edge:] - 15_000) / 5000)
        envelope[:, edge:] = level + slope * octaves - dull
        aperiodicity[:, edge:] = np.maximum(aperiodicity[:, edge:], 0.7)
    tilt = throat.tilt_db * math.log(10) / 10 * np.log2(np.maximum(FREQUENCIES, 200) / 1000)
    envelope += tilt.astype(np.float32)
    return Analysis(source.f0, envelope, np.clip(aperiodicity, 1e-3, 1))
