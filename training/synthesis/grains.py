"""Words sung by pitch-synchronous overlap-add: the speaker's own periods, nearer or further apart.

It is TD-PSOLA (Moulines and Charpentier 1990). Consonants and the fine structure of the voice stay
as they were spoken, which a vocoder loses.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from scipy import signal

from my_submission.stems import SAMPLE_RATE
from training.synthesis.draw import slow_noise
from training.synthesis.effects import filtered, high_pass, high_shelf, low_pass
from training.synthesis.singing import Course, Manner, Throat
from training.synthesis.voices import Phrase
from training.synthesis.world import FRAME_PERIOD

UNVOICED_STEP = 0.004  # seconds between grains where there is no pitch
SHIMMER = 0.06

Mono = npt.NDArray[np.float32]


@dataclass(frozen=True)
class GrainWords:
    """A phrase as sound at 44.1 kHz with its pitch marks.

    Attributes:
        phrase: What is said, and when.
        speech: The phrase played faster by the throat's factor, which moves the formants, with the
            longest period's samples of silence on both sides.
        marks: Samples of `speech` at which its periods peak, `[marks]`.
        periods: Samples to the next one, `[marks]`.
        rate: Samples of `speech` per second of the phrase.
    """

    phrase: Phrase
    speech: Mono
    marks: npt.NDArray[np.int64]
    periods: npt.NDArray[np.int64]
    rate: float

    @classmethod
    def prepare(cls, phrase: Phrase, throat: Throat) -> "GrainWords":
        """Get a phrase ready to be sung with a throat."""
        ratio = Fraction(SAMPLE_RATE / phrase.sample_rate / throat.formant).limit_denominator(300)
        speech = signal.resample_poly(phrase.speech, ratio.numerator, ratio.denominator)
        rate = phrase.sample_rate * float(ratio)
        speech = _extended(speech.astype(np.float32), 0.45 * phrase.sample_rate * throat.formant)
        speech = filtered(speech[None], high_shelf(3000, 2 * throat.tilt_db))[0]
        marks, periods = _pitch_marks(speech, phrase.analysis.f0, rate)
        margin = int(periods.max())  # room for the outermost grains
        return cls(phrase, np.pad(speech, margin), marks + margin, periods, rate)

    def sing(self, course: Course, manner: Manner, rng: Generator) -> Mono:
        """Sing the phrase along a course: mono float32 `[samples]` at 44.1 kHz."""
        sound = np.zeros(int(len(course.source) * FRAME_PERIOD * SAMPLE_RATE) + 1, np.float32)
        level = 1 + 0.15 * slow_noise(rng, len(course.source), 120)
        margin = int(self.periods.max())
        time, count = 0.0, 0
        while time < len(sound):
            frame = min(int(time / SAMPLE_RATE / FRAME_PERIOD), len(course.source) - 1)
            f0, source = course.f0[frame], course.source[frame]
            step = SAMPLE_RATE / f0 if f0 > 0 else UNVOICED_STEP * SAMPLE_RATE
            if source >= 0:
                grain = self._grain(source * self.rate + margin)
                gain = float(level[frame]) * math.sqrt(min(1.0, 2 * step / len(grain)))
                if f0 > 0:
                    weak = count % 2 * manner.growl
                    gain *= (1 + SHIMMER * rng.standard_normal()) * (1 - 0.6 * weak)
                    late = step * manner.jitter * (1 + 5 * manner.growl) * rng.standard_normal()
                    late += 0.06 * step * weak
                else:
                    late = 0.0
                _add(sound, int(time + late) - len(grain) // 2, grain * np.float32(gain))
            time += step
            count += 1
        if manner.breath > 0:
            sound += _breath(sound, manner.breath, rng)
        return sound

    def _grain(self, position: float) -> Mono:
        """Blend the two periods around a position, windowed: a held vowel has no steps."""
        right = int(np.searchsorted(self.marks, position))
        right = min(max(right, 1), len(self.marks) - 1)
        left = right - 1
        span = max(1, int(self.marks[right] - self.marks[left]))
        share = min(max((position - self.marks[left]) / span, 0.0), 1.0)
        half = int(self.periods[left if share < 0.5 else right])
        first, second = (
            self.speech[mark - half : mark + half] for mark in self.marks[left : right + 1]
        )
        blend = first + np.float32(share) * (second - first)
        return blend * _window(2 * half)


@lru_cache(maxsize=1024)
def _window(size: int) -> Mono:
    return np.hanning(size).astype(np.float32)


def _add(sound: Mono, start: int, grain: Mono) -> None:
    first, last = max(0, start), min(len(sound), start + len(grain))
    if last > first:
        sound[first:last] += grain[first - start : last - start]


def _pitch_marks(
    speech: Mono, f0: npt.NDArray[np.floating], rate: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find the peaks of the voice's periods; even steps where it has none."""
    smooth = signal.sosfiltfilt(low_pass(900)[None], speech)
    smooth = smooth * (1.0 if (smooth**3).mean() >= 0 else -1.0)
    marks, periods = [0], [int(UNVOICED_STEP * rate)]
    position, was_voiced = 0.0, False
    while True:
        frame = min(int(position / rate / FRAME_PERIOD), len(f0) - 1)
        voiced = bool(f0[frame] > 0)
        period = rate / float(f0[frame]) if voiced else UNVOICED_STEP * rate
        position += period
        if position + period >= len(speech):
            return np.array(marks), np.array(periods)
        if voiced:
            reach = (0.2 if was_voiced else 0.5) * period
            first = int(position - reach)
            position = first + int(np.argmax(smooth[first : int(position + reach) + 1]))
        was_voiced = voiced
        marks.append(int(position))
        periods.append(int(period))


def _extended(speech: Mono, edge: float) -> Mono:
    """Fill the band above `edge` Hz with shifted copies of the one below, falling off."""
    if edge > 15_000:
        return speech
    time = np.arange(len(speech)) / SAMPLE_RATE
    width = edge / 2
    source = filtered(speech[None], high_pass(edge - width), high_pass(edge - width))[0]
    result = speech.copy()
    for number in range(1, int((17_000 - edge) / width) + 1):
        shifted = source * np.float32(2) * np.cos(2 * np.pi * number * width * time)
        band = (high_pass(edge + (number - 1) * width, 1.0),) * 2
        result += np.float32(0.6**number) * filtered(shifted.astype(np.float32)[None], *band)[0]
    return result


def _breath(sound: Mono, breath: float, rng: Generator) -> Mono:
    """Draw noise that follows the voice's level."""
    envelope = filtered(np.abs(sound)[None], low_pass(30))[0]
    noise = rng.standard_normal(len(sound)).astype(np.float32)
    noise = filtered(noise[None], high_pass(1500), high_pass(2500), low_pass(9000))[0]
    return np.asarray(noise * np.maximum(envelope, 0) * np.float32(0.6 * breath))
