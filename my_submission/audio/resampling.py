"""Streamed change of sample rate that neither delays the sound nor changes its length."""

import numpy as np
import soxr

from my_submission.errors import DemixError
from my_submission.stems import Audio

MIN_RATE = 4_000
MAX_RATE = 768_000
"""Hz. Beyond these a header is broken rather than unusual."""


def resampled_length(num_samples: int, from_rate: int, to_rate: int) -> int:
    """Give the length of a sound at another rate: rounded, and never nothing.

    Args:
        num_samples: frames at ``from_rate``.
        from_rate: Hz.
        to_rate: Hz.

    Returns:
        ``round(num_samples * to_rate / from_rate)``, but at least 1 where there was any sound.
    """
    return max(round(num_samples * to_rate / from_rate), min(num_samples, 1))


def check_rate(name: str, rate: int) -> None:
    """Refuse a sample rate that no recording has.

    Raises:
        DemixError: ``rate`` is outside 4 kHz to 768 kHz.
    """
    if not MIN_RATE <= rate <= MAX_RATE:
        raise DemixError(
            f"{name}: sample rate {rate} Hz is outside {MIN_RATE} to {MAX_RATE} Hz; "
            "export it at 44100 Hz"
        )


def resampled(sound: Audio, from_rate: int, to_rate: int) -> Audio:
    """Resample sound ``[2, n]`` that is in memory, as a stream of it would be.

    Raises:
        DemixError: ``from_rate`` is none of a recording.
    """
    check_rate("sound", from_rate)
    resampler = StreamResampler(from_rate, to_rate)
    return np.concatenate([resampler.push(sound), resampler.finish()], axis=1)


class StreamResampler:
    """Resamples consecutive blocks of stereo sound; the blocks' sizes do not matter.

    soxr's filter is linear-phase and its delay is taken out, so an impulse stays in its place.
    Its very-high quality (28 bits) costs 2 ms per second of sound and keeps 24-bit sound intact.

    Args:
        from_rate: Hz.
        to_rate: Hz.
        out_samples: frames to give back in all; without it, ``resampled_length`` of what came.
    """

    def __init__(self, from_rate: int, to_rate: int, out_samples: int | None = None) -> None:
        self._from_rate = from_rate
        self._to_rate = to_rate
        self._out_samples = out_samples
        self._taken = 0
        self._given = 0
        self._stream: soxr.ResampleStream | None = None
        if from_rate != to_rate:
            self._stream = soxr.ResampleStream(
                from_rate, to_rate, 2, dtype="float32", quality="VHQ"
            )

    def push(self, block: Audio) -> Audio:
        """Take the next block ``[2, n]``; give what is ready of the output ``[2, m]``."""
        self._taken += block.shape[1]
        if self._stream is None:
            return self._within_length(block)
        frames = np.ascontiguousarray(block.T, np.float32)
        return self._within_length(self._stream.resample_chunk(frames).T)

    def finish(self) -> Audio:
        """Give the rest ``[2, m]``, cut or filled with zeros to the exact length."""
        if self._out_samples is None:
            self._out_samples = resampled_length(self._taken, self._from_rate, self._to_rate)
        tail: Audio = np.zeros((2, 0), np.float32)
        if self._stream is not None:
            flushed = self._stream.resample_chunk(np.zeros((0, 2), np.float32), last=True)
            tail = self._within_length(flushed.T)
        missing = self._out_samples - self._given
        self._given = self._out_samples
        return np.pad(tail, ((0, 0), (0, missing)))

    def _within_length(self, block: Audio) -> Audio:
        if self._out_samples is not None:
            block = block[:, : self._out_samples - self._given]
        self._given += block.shape[1]
        return block
