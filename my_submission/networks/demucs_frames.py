"""Samples and frames of sound, put where Demucs's layers and transforms want them."""

from typing import Any

from my_submission.networks.jit import compiled

LINE = 16
"""Values of a line of a processor's cache."""


@compiled("void(f4[:,::1], i8, f4[:,:,::1])")
def deinterleave(samples: Any, first: int, phases: Any) -> None:
    """Sort samples by their phase, with zeros where there are none.

    Args:
        samples: ``[channels, time]``.
        first: The sample that comes first, which may lie before them.
        phases: ``[phases, channels, frames]``, to be written.
    """
    stride, channels, frames = phases.shape
    time = samples.shape[1]
    for phase in range(stride):
        at = first + phase
        inside = min(frames, max(0, -(at // stride)))
        beyond = max(inside, min(frames, -((at - time) // stride)))
        for channel in range(channels):
            to, source = phases[phase, channel], samples[channel]
            to[:inside] = 0
            to[beyond:] = 0
            for t in range(inside, beyond):
                to[t] = source[at + t * stride]


@compiled("void(f4[:,:,::1], f4[:,::1], i8)")
def interleave(phases: Any, samples: Any, first: int) -> None:
    """Undo `deinterleave`; what lies outside of the samples is left out."""
    stride, channels, frames = phases.shape
    time = samples.shape[1]
    for phase in range(stride):
        at = first + phase
        inside = min(frames, max(0, -(at // stride)))
        beyond = max(inside, min(frames, -((at - time) // stride)))
        for channel in range(channels):
            source, to = phases[phase, channel], samples[channel]
            for t in range(inside, beyond):
                to[at + t * stride] = source[t]


@compiled("void(f4[:,:,:], i8, f4, f4, f4[:,:,::1])")
def frames_of(rows: Any, channel: int, std: float, mean: float, spectra: Any) -> None:
    """Scale a channel of a spectrogram and put it into frames of complex numbers.

    Args:
        rows: ``[bins, channels, frames]``, real and imaginary parts in turn.
        channel: That of the real part.
        std: What all are multiplied by.
        mean: What is added then.
        spectra: ``[frames, bins or more, 2]``, to be written.
    """
    bins, frames = rows.shape[0], rows.shape[2]
    for low in range(0, bins, LINE):
        high = min(low + LINE, bins)
        for t in range(frames):
            for k in range(low, high):
                spectra[t, k, 0] = rows[k, channel, t] * std + mean
                spectra[t, k, 1] = rows[k, channel + 1, t] * std + mean


@compiled("void(f4[:,:,:], i8, f4, f4, f4[:,:,:], f4[:,:,::1])")
def frames_of_magnitudes(
    rows: Any, channel: int, std: float, mean: float, phases: Any, spectra: Any
) -> None:
    """Do as `frames_of` with a channel of magnitudes, times phases ``[frames, bins, 2]``."""
    bins, frames = rows.shape[0], rows.shape[2]
    for low in range(0, bins, LINE):
        high = min(low + LINE, bins)
        for t in range(frames):
            for k in range(low, high):
                magnitude = rows[k, channel, t] * std + mean
                spectra[t, k, 0] = magnitude * phases[t, k, 0]
                spectra[t, k, 1] = magnitude * phases[t, k, 1]


@compiled("void(f4[:,::1], f4[::1], i8, i8, f4[::1])")
def add_frames(frames: Any, window: Any, hop: int, first: int, sound: Any) -> None:
    """Add windowed frames ``[frames, length]``, `hop` apart from `first` on, to a sound."""
    for index in range(frames.shape[0]):
        at = first + index * hop
        start, stop = max(0, -at), min(frames.shape[1], sound.shape[0] - at)
        if start < stop:
            to, of = sound[at + start : at + stop], frames[index, start:stop]
            weight = window[start:stop]
            for k in range(stop - start):
                to[k] += of[k] * weight[k]
