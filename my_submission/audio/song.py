"""Opens a song as stereo sound at 44.1 kHz that is read by position, checked beforehand."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from my_submission.audio.channels import to_stereo
from my_submission.audio.decoding import SoundFileSource, Source, open_source
from my_submission.audio.resampling import StreamResampler, check_rate
from my_submission.audio.scratch import ScratchSignal, Signal, read_padded
from my_submission.display import shown
from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, Audio


@dataclass(frozen=True)
class Song:
    """A song, ready to be read.

    Args:
        path: where it came from.
        signal: its sound, stereo at 44.1 kHz.
        source_rate: the file's sample rate in Hz.
        source_samples: its length in frames at that rate.
        source_channels: the file's number of channels.
    """

    path: Path
    signal: Signal
    source_rate: int
    source_samples: int
    source_channels: int


class Recording(Signal, Protocol):
    """A signal that is written once, in order: `ScratchSignal`, for one."""

    def append(self, block: Audio) -> None:
        """Write the next samples ``[2, n]``."""
        ...


class FileSignal:
    """A stereo 44.1 kHz file that libsndfile reads by position. Safe from several threads.

    Args:
        source: the open file; it stays the caller's to close.
        num_samples: how many frames it has been found to hold.
        name: the file's name, for messages.
    """

    def __init__(self, source: SoundFileSource, num_samples: int, name: str) -> None:
        self._source = source
        self._num_samples = num_samples
        self._name = name
        self._lock = threading.Lock()

    @property
    def num_samples(self) -> int:
        """Length in samples per channel."""
        return self._num_samples

    def read(self, start: int, stop: int) -> Audio:
        """Give samples ``[2, stop - start]``; zeros outside ``0..num_samples``.

        Raises:
            DemixError: the file has been changed since it was opened.
        """
        return read_padded(self._num_samples, start, stop, self._read_inside)

    def _read_inside(self, start: int, stop: int) -> Audio:
        with self._lock:
            frames = self._source.read(stop - start, start)
        if len(frames) < stop - start:
            raise DemixError(
                f"{self._name}: has become shorter while it was read; run again when it is whole"
            )
        return frames.T


@contextmanager
def open_song(
    path: Path, *, say: Callable[[str], None], copy: Recording | None = None
) -> Iterator[Song]:
    """Open a song; it has been read once, in blocks, and found sound when this returns.

    A stereo 44.1 kHz file in a format that can be read by position is read in place. Any other
    is decoded once, mixed to stereo and resampled on the way, to a scratch file (8 bytes per
    frame) that is gone afterwards. Memory does not grow with the song either way.

    Args:
        path: anything that libsndfile or ffmpeg can decode, with 1 to 8 channels.
        say: takes one line for each conversion.
        copy: where its sound goes while it is read, in any format; it is then the song's signal.

    Raises:
        DemixError: one line on what is wrong: missing, not a file, empty, not audio, truncated,
            damaged, without samples, NaN or infinity in it, an unknown channel layout, ffmpeg
            needed and missing, or no space for the scratch file.
    """
    name = shown(path)
    with ExitStack() as stack:
        decoding = stack.enter_context(ExitStack())
        source = decoding.enter_context(open_source(path))
        check_rate(name, source.rate)
        rate, channels = source.rate, len(source.layout)
        _say_conversions(name, source, say)

        signal: Signal
        if copy is None and (in_place := _read_in_place(source)) is not None:
            num_frames = sum(len(frames) for frames in _checked_blocks(name, source))
            signal = FileSignal(in_place, num_frames, name)
        else:
            signal = copy or stack.enter_context(ScratchSignal())
            num_frames = _decode(name, source, signal)
            # The decoder, its process and its file are not needed while the song is separated.
            decoding.close()
        if source.complaint is not None:
            say(f"{name}: {source.complaint}")
        if num_frames == 0:
            raise DemixError(f"{name}: holds no samples; export it again")
        yield Song(path, signal, rate, num_frames, channels)


def _read_in_place(source: Source) -> SoundFileSource | None:
    """Give the source back if separators can read the file itself, by position."""
    if not isinstance(source, SoundFileSource) or not source.seekable:
        return None
    return source if (source.rate, len(source.layout)) == (SAMPLE_RATE, 2) else None


def _say_conversions(name: str, source: Source, say: Callable[[str], None]) -> None:
    if len(source.layout) == 1:
        say(f"{name}: mono -> the same sound in both channels")
    elif len(source.layout) > 2:
        say(
            f"{name}: {len(source.layout)} channels ({' '.join(source.layout)}) "
            "-> stereo by ITU-R BS.775"
        )
    if source.rate != SAMPLE_RATE:
        say(f"{name}: {source.rate} Hz -> {SAMPLE_RATE} Hz")


def _checked_blocks(name: str, source: Source) -> Iterator[Audio]:
    """Pass blocks ``[n, channels]`` on, as long as every sample is a number."""
    count = 0
    for frames in source.blocks():
        finite = np.isfinite(frames).all(axis=1)
        if not finite.all():
            first = count + int(np.argmin(finite))
            raise DemixError(
                f"{name}: holds NaN or infinity, first at {first / source.rate:.3f} s "
                f"(frame {first}); repair or export it again"
            )
        count += len(frames)
        yield frames


def _decode(name: str, source: Source, recording: Recording) -> int:
    """Record a source as stereo 44.1 kHz; give its length in frames at its own rate."""
    resampler = StreamResampler(source.rate, SAMPLE_RATE)
    num_frames = 0
    for frames in _checked_blocks(name, source):
        num_frames += len(frames)
        recording.append(resampler.push(to_stereo(frames, source.layout).T))
    recording.append(resampler.finish())
    return num_frames
