"""Studio effects on float32 `[2, samples]` sound at 44.1 kHz."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from scipy import signal

from my_submission.stems import SAMPLE_RATE, Audio
from training.synthesis.draw import uniform

Section = npt.NDArray[np.float64]
"""One second-order section `[6]`, as in scipy."""

HOP = 64
"""Samples per step of the compressor's and the limiter's gain."""


def _section(b: Sequence[float], a: Sequence[float]) -> Section:
    return np.array([*b, *a], np.float64) / a[0]


def _bilinear(frequency: float, q: float) -> tuple[float, float]:
    """Give cos(w0) and alpha of Bristow-Johnson's Audio EQ Cookbook."""
    omega = 2 * math.pi * min(frequency, 0.45 * SAMPLE_RATE) / SAMPLE_RATE
    return math.cos(omega), math.sin(omega) / (2 * q)


def low_pass(frequency: float, q: float = 0.707) -> Section:
    """Second-order low-pass of the Audio EQ Cookbook (frequency in Hz)."""
    cos, alpha = _bilinear(frequency, q)
    edge = (1 - cos) / 2
    return _section([edge, 1 - cos, edge], [1 + alpha, -2 * cos, 1 - alpha])


def high_pass(frequency: float, q: float = 0.707) -> Section:
    """Second-order high-pass of the Audio EQ Cookbook (frequency in Hz)."""
    cos, alpha = _bilinear(frequency, q)
    edge = (1 + cos) / 2
    return _section([edge, -1 - cos, edge], [1 + alpha, -2 * cos, 1 - alpha])


def peak(frequency: float, gain_db: float, q: float) -> Section:
    """Peaking equaliser of the Audio EQ Cookbook (frequency in Hz)."""
    cos, alpha = _bilinear(frequency, q)
    root = 10 ** (gain_db / 40)
    return _section(
        [1 + alpha * root, -2 * cos, 1 - alpha * root],
        [1 + alpha / root, -2 * cos, 1 - alpha / root],
    )


def high_shelf(frequency: float, gain_db: float) -> Section:
    """High shelf of the Audio EQ Cookbook (frequency in Hz)."""
    cos, alpha = _bilinear(frequency, 0.707)
    root = 10 ** (gain_db / 40)
    slope = 2 * math.sqrt(root) * alpha
    return _section(
        [
            root * (root + 1 + (root - 1) * cos + slope),
            -2 * root * (root - 1 + (root + 1) * cos),
            root * (root + 1 + (root - 1) * cos - slope),
        ],
        [
            root + 1 - (root - 1) * cos + slope,
            2 * (root - 1 - (root + 1) * cos),
            root + 1 - (root - 1) * cos - slope,
        ],
    )


def filtered(audio: Audio, *sections: Section) -> Audio:
    """Pass sound through second-order sections, one after the other."""
    if not sections:
        return audio
    result: Audio = signal.sosfilt(np.stack(sections), audio, axis=-1).astype(np.float32)
    return result


def hop_peaks(audio: Audio) -> npt.NDArray[np.float32]:
    """Give the highest magnitude of every `HOP` samples, over all channels: `[hops]`."""
    loud = np.abs(audio).max(axis=0)
    hops = len(loud) // HOP + 1
    peaks: npt.NDArray[np.float32] = (
        np.pad(loud, (0, hops * HOP - len(loud))).reshape(hops, HOP).max(axis=1)
    )
    return peaks


def hop_gains(gains: npt.NDArray[np.floating], num_samples: int) -> npt.NDArray[np.float32]:
    """Draw a gain per hop out to a gain per sample, by straight lines."""
    middles = np.arange(len(gains)) * HOP + HOP / 2
    curve: npt.NDArray[np.float32] = np.interp(np.arange(num_samples), middles, gains).astype(
        np.float32
    )
    return curve


def compress(
    audio: Audio, *, threshold_db: float, ratio: float, attack_ms: float, release_ms: float
) -> Audio:
    """Compress by a feed-forward peak follower; the threshold is relative to the sound's peak."""
    level = 20 * np.log10(hop_peaks(audio) + 1e-9)
    over = np.maximum(0.0, level - (level.max() + threshold_db)) * (1 - 1 / ratio)
    return audio * hop_gains(follow(over, attack_ms, release_ms), audio.shape[1])


def follow(
    over: npt.NDArray[np.floating], attack_ms: float, release_ms: float
) -> npt.NDArray[np.float64]:
    """Give the gains with which a compressor takes away `over` dB, as fast as it can: `[hops]`."""
    attack, release = (math.exp(-1000 * HOP / SAMPLE_RATE / ms) for ms in (attack_ms, release_ms))
    reduction = 0.0
    smooth = []
    for target in over.tolist():
        keep = attack if target > reduction else release
        reduction = target + keep * (reduction - target)
        smooth.append(reduction)
    gains: npt.NDArray[np.float64] = 10 ** (-np.array(smooth) / 20)
    return gains


def saturate(audio: Audio, drive_db: float, bias: float = 0.0) -> Audio:
    """Overdrive by a biased tanh at twice the rate; the sound's peak stays about where it was."""
    top = float(np.abs(audio).max())
    if top < 1e-6:
        return audio
    dense = signal.resample_poly(audio, 2, 1, axis=-1)
    driven = np.tanh(dense / top * 10 ** (drive_db / 20) + bias) - math.tanh(bias)
    result = signal.resample_poly(driven, 1, 2, axis=-1)[:, : audio.shape[1]] * top
    return filtered(result.astype(np.float32), high_pass(20))


def reverb(
    audio: Audio, rng: Generator, *, seconds: float, pre_delay: float, wet: float, damping_hz: float
) -> Audio:
    """Add a drawn room: early reflections, then noise whose high frequencies die faster.

    Args:
        audio: `[2, samples]`.
        rng: Draws the room.
        seconds: Time in which the low frequencies fall by 60 dB.
        pre_delay: Seconds before the room answers.
        wet: Gain of the room's answer, whose impulse response has unit energy.
        damping_hz: Above this frequency the room dies three times as fast.
    """
    length = int(min(1.1 * seconds, 2.5) * SAMPLE_RATE)
    time = np.arange(length) / SAMPLE_RATE
    noise = rng.standard_normal((2, length))
    low = signal.sosfilt(low_pass(damping_hz, 0.5)[None], noise, axis=-1)
    decay = math.log(1000) / seconds  # 60 dB
    room = low * np.exp(-decay * time) + (noise - low) * np.exp(-3 * decay * time)
    for _ in range(8):
        at = int(uniform(rng, 0.002, 0.06) * SAMPLE_RATE)
        if at < length:
            room[int(rng.integers(2)), at] += uniform(rng, 2, 10)
    room = signal.sosfilt(high_pass(180)[None], room, axis=-1)
    room /= np.sqrt((room**2).sum(axis=1, keepdims=True))
    answer = signal.oaconvolve(audio, room.astype(np.float32), axes=-1)
    start = int(pre_delay * SAMPLE_RATE)
    result = audio.copy()
    result[:, start:] += np.float32(wet) * answer[:, : audio.shape[1] - start]
    return result


def echo(audio: Audio, *, delay: float, feedback: float, wet: float, ping_pong: bool) -> Audio:
    """Add decaying repeats every `delay` seconds, from alternating sides if `ping_pong`."""
    result = audio.copy()
    step = int(delay * SAMPLE_RATE)
    repeat = filtered(audio, low_pass(5000))
    gain = wet
    for number in range(1, 8):
        start = number * step
        if gain < 0.01 or start >= audio.shape[1]:
            break
        source = repeat[::-1] if ping_pong and number % 2 else repeat
        result[:, start:] += np.float32(gain) * source[:, : audio.shape[1] - start]
        gain *= feedback
    return result


def chorus(audio: Audio, *, rate_hz: float, depth_ms: float, wet: float) -> Audio:
    """Add a copy whose delay swings, in quadrature on the two sides."""
    position = np.arange(audio.shape[1], dtype=np.float64)
    result = audio.copy()
    for side in (0, 1):
        swing = np.sin(2 * np.pi * rate_hz * position / SAMPLE_RATE + side * np.pi / 2)
        delay = SAMPLE_RATE / 1000 * (8 + depth_ms * (1 + swing))
        result[side] += np.float32(wet) * np.interp(position - delay, position, audio[side])
    return result


def tremolo(audio: Audio, *, rate_hz: float, depth: float, square: bool, apart: bool) -> Audio:
    """Swing the level; the sides against each other if `apart`, as a gate if `square`.

    Args:
        audio: `[2, samples]`.
        rate_hz: Swings per second.
        depth: Share of the level that is taken away at most, 0 to 1.
        square: Switch between loud and soft, within some milliseconds, instead of gliding.
        apart: The right side is loud while the left is soft.
    """
    time = np.arange(audio.shape[1]) / SAMPLE_RATE
    swing = np.sin(2 * np.pi * rate_hz * time)
    if square:
        swing = np.clip(20 * swing, -1, 1)
    sides = np.stack([swing, -swing if apart else swing])
    return np.asarray(audio * (1 - depth * (0.5 + 0.5 * sides)), np.float32)


def place(audio: Audio, *, pan: float, width: float) -> Audio:
    """Narrow or widen the sides, then pan with constant power.

    Args:
        audio: `[2, samples]`.
        pan: -1 (left) to 1 (right).
        width: 0 (mono) to more than 1 (wider).
    """
    middle = (audio[0] + audio[1]) / 2
    side = (audio[0] - audio[1]) / 2 * np.float32(width)
    angle = (pan + 1) * math.pi / 4
    left, right = math.sqrt(2) * math.cos(angle), math.sqrt(2) * math.sin(angle)
    placed = [(middle + side) * np.float32(left), (middle - side) * np.float32(right)]
    return np.stack(placed)


def active_rms(audio: Audio) -> float:
    """Give the root mean square of the tenths of a second that are not silent (30 dB rule)."""
    step = SAMPLE_RATE // 10
    count = audio.shape[1] // step
    if count == 0:
        return float(np.sqrt((audio**2).mean()))
    energy = (audio[:, : count * step] ** 2).mean(axis=0).reshape(count, step).mean(axis=1)
    loud = energy[energy > 1e-3 * energy.max()]
    return float(np.sqrt(loud.mean())) if len(loud) else 0.0
