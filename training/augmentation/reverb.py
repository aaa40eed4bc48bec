"""Stems in other rooms."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import fft, signal

from my_submission.stems import SAMPLE_RATE, STEMS, Audio
from training.augmentation.base import WithProbability, log_uniform, require_range

DAMPING_HZ = 4_000.0
"""Above it a room dies three times as fast, as air and curtains make it."""

LOW_CUT_HZ = 200.0
"""Below it a room does not answer: engineers keep mud out of their reverbs."""

PRE_DELAY_SECONDS = (0.0, 0.04)
EARLY_SECONDS = 0.06
NUM_EARLY = 8
SIXTY_DB = math.log(1000)


@dataclass(frozen=True)
class Room:
    """One room.

    Attributes:
        decay_seconds: Time in which its low frequencies fall by 60 dB.
        pre_delay_seconds: Time before it answers.
        wet_db: Energy of its impulse response, against the direct sound's.
        seed: Of its reflections.
    """

    decay_seconds: float
    pre_delay_seconds: float
    wet_db: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Reverb(WithProbability):
    """Adds a stereo room to a stem and gives it back its energy, so that it only gets farther away.

    The room hears the middle of the stem, and what sounded before the chunk it has not heard.

    Attributes:
        probability: For each stem, in coherent chunks too.
        min_decay_seconds: Of the driest room.
        max_decay_seconds: Of the longest room.
        min_wet_db: Of the least wet mix.
        max_wet_db: Of the wettest mix.
    """

    probability: float = 0.2
    min_decay_seconds: float = 0.2
    max_decay_seconds: float = 1.5
    min_wet_db: float = -24.0
    max_wet_db: float = -6.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("decay_seconds", self.min_decay_seconds, self.max_decay_seconds, at_least=0.1)
        require_range("wet_db", self.min_wet_db, self.max_wet_db)

    def draw(self, rng: np.random.Generator, *, coherent: bool) -> list[Room | None]:  # noqa: ARG002
        """Draw a room per stem."""
        happens = self.happens(rng)
        rooms = [
            Room(
                log_uniform(rng, self.min_decay_seconds, self.max_decay_seconds),
                float(rng.uniform(*PRE_DELAY_SECONDS)),
                float(rng.uniform(self.min_wet_db, self.max_wet_db)),
                int(rng.integers(1 << 32)),
            )
            for _ in STEMS
        ]
        return [room if yes else None for room, yes in zip(rooms, happens, strict=True)]

    def apply(self, sound: Audio, drawn: Room) -> Audio:
        """Add the room."""
        energy = float(np.vdot(sound, sound))
        if energy == 0:
            return sound
        response = impulse_response(drawn)
        num_samples = sound.shape[1]
        # One transform for the whole chunk: a tail may be as long as many blocks.
        size = fft.next_fast_len(num_samples + response.shape[1] - 1, real=True)
        middle = sound.mean(axis=0)
        answer = fft.irfft(fft.rfft(middle, size) * fft.rfft(response, size), size)
        changed: Audio = sound + answer[:, :num_samples]
        changed *= np.float32(math.sqrt(energy / float(np.vdot(changed, changed))))
        return changed


def impulse_response(room: Room) -> Audio:
    """Make what a room answers to a click, float32 `[2, samples]`, each side `wet_db` loud.

    Noise that dies exponentially, the high frequencies faster, behind a few early reflections.
    """
    rng = np.random.default_rng(room.seed)
    length = int(room.decay_seconds * SAMPLE_RATE)
    time = np.arange(length, dtype=np.float32)
    low_decay = np.exp(time * np.float32(-SIXTY_DB / room.decay_seconds / SAMPLE_RATE))
    low, high = _noise()
    start = rng.integers(low.shape[1], size=2)
    sides = []
    for side in range(2):
        # A stretch of the same noise, from anywhere in it on, and either way up.
        sign = np.float32(rng.choice((-1.0, 1.0)))
        place = np.arange(start[side], start[side] + length) % low.shape[1]
        sides.append(sign * (low[side, place] * low_decay + high[side, place] * low_decay**3))
    tail = np.stack(sides)
    for _ in range(NUM_EARLY):
        at = int(rng.uniform(0, min(EARLY_SECONDS, room.decay_seconds)) * SAMPLE_RATE)
        tail[int(rng.integers(2)), min(at, length - 1)] += rng.choice((-1.0, 1.0)) * rng.uniform(
            2, 8
        )
    tail *= np.float32(10 ** (room.wet_db / 20)) / np.sqrt((tail**2).sum(axis=1, keepdims=True))
    return np.pad(tail, ((0, 0), (int(room.pre_delay_seconds * SAMPLE_RATE), 0)))


@cache
def _noise() -> tuple[Audio, Audio]:
    """Give four seconds of stereo noise below and above `DAMPING_HZ`, the same in every process."""
    noise = np.random.default_rng(1).standard_normal((2, 4 * SAMPLE_RATE))
    low_cut = signal.butter(2, LOW_CUT_HZ, "highpass", fs=SAMPLE_RATE, output="sos")
    damping = signal.butter(1, DAMPING_HZ, fs=SAMPLE_RATE, output="sos")
    noise = signal.sosfilt(low_cut, noise)
    low = signal.sosfilt(damping, noise)
    return low.astype(np.float32), (noise - low).astype(np.float32)
