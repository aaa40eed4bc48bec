"""Sound that is read by position: from an array, or from a scratch file on disk."""

import errno
import io
import os
import tempfile
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from my_submission.audio.scratch_space import scratch_folder
from my_submission.display import shown
from my_submission.errors import DemixError
from my_submission.stems import Audio

BLOCK_FRAMES = 1 << 16
"""Frames that are read, converted or written at once: it bounds memory, whatever the length."""

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Error numbers of a full disk, a used-up quota and the process's limit on file sizes."""

FRAME_BYTES = 8
"""Of a stereo float32 frame."""


class Signal(Protocol):
    """Stereo sound at 44.1 kHz, read by position."""

    @property
    def num_samples(self) -> int:
        """Length in samples per channel."""
        ...

    def read(self, start: int, stop: int) -> Audio:
        """Give samples ``[2, stop - start]``; zeros outside ``0..num_samples``."""
        ...


def read_padded(
    num_samples: int, start: int, stop: int, read_inside: Callable[[int, int], Audio]
) -> Audio:
    """Read a stretch that may begin before a signal or end behind it.

    Args:
        num_samples: length of the signal.
        start: first sample; may be negative.
        stop: the sample after the last; may be beyond the end.
        read_inside: gives ``[2, b - a]`` for ``0 <= a < b <= num_samples``.

    Returns:
        ``[2, stop - start]``, contiguous and the caller's own; zeros outside the signal.
    """
    out = np.zeros((2, stop - start), np.float32)
    first, last = max(start, 0), min(stop, num_samples)
    if first < last:
        out[:, first - start : last - start] = read_inside(first, last)
    return out


class ArraySignal:
    """A signal over an array in memory.

    Args:
        array: sound ``[2, samples]``; not copied where it is float32 already.

    Raises:
        ValueError: the array is not ``[2, samples]``.
    """

    def __init__(self, array: Audio) -> None:
        if array.ndim != 2 or array.shape[0] != 2:
            raise ValueError(f"a signal is [2, samples], not {list(array.shape)}")
        self._array = np.asarray(array, np.float32)

    @property
    def num_samples(self) -> int:
        """Length in samples per channel."""
        return int(self._array.shape[1])

    def read(self, start: int, stop: int) -> Audio:
        """Give samples ``[2, stop - start]``; zeros outside ``0..num_samples``."""
        return read_padded(self.num_samples, start, stop, lambda a, b: self._array[:, a:b])


class ScratchSignal:
    """A signal that is written once, in order, to a scratch file and then read by position.

    The file lies in `scratch_folder` (``TMPDIR`` changes it). On POSIX systems it has no name, so
    that nothing is left even where the process is killed. It is read with plain reads: mapped
    pages would count as the process's memory. Reads are safe from several threads.

    Args:
        reserved: samples for which space on disk is taken at once, so that it is not missing later.

    Raises:
        DemixError: there is no folder for temporary files, or no space in it.
    """

    def __init__(self, reserved: int = 0) -> None:
        self._num_samples = 0
        self._lock = threading.Lock()
        self._file = open_scratch_file()
        if reserved and hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(self._file.fileno(), 0, reserved * FRAME_BYTES)
            except OSError as error:
                self._file.close()
                raise scratch_error(error) from error

    @property
    def num_samples(self) -> int:
        """Samples per channel written so far."""
        return self._num_samples

    def append(self, block: Audio) -> None:
        """Write the next samples ``[2, n]``.

        Raises:
            DemixError: the disk is full.
        """
        rest = np.ascontiguousarray(block.T, np.float32).reshape(-1).view(np.uint8).data
        try:
            with self._lock:
                self._file.seek(self._num_samples * FRAME_BYTES)
                while rest:
                    # A disk that fills up takes a part first and refuses the next write.
                    rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise scratch_error(error) from error
        self._num_samples += block.shape[1]

    def read(self, start: int, stop: int) -> Audio:
        """Give samples ``[2, stop - start]``; zeros outside ``0..num_samples``.

        Raises:
            DemixError: the scratch file cannot be read back.
        """
        return read_padded(self._num_samples, start, stop, self._read_inside)

    def _read_inside(self, start: int, stop: int) -> Audio:
        frames = np.empty((stop - start, 2), np.float32)
        rest = frames.reshape(-1).view(np.uint8).data
        try:
            with self._lock:
                self._file.seek(start * FRAME_BYTES)
                while rest:
                    count = self._file.readinto(rest)
                    if not count:
                        raise OSError(errno.EIO, "it has become shorter")
                    rest = rest[count:]
        except OSError as error:
            raise scratch_error(error) from error
        return frames.T

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_scratch_file() -> io.FileIO:
    """Make a file without a name in the folder for scratch files; it goes when closed.

    Raises:
        DemixError: there is no such folder that can be written.
    """
    folder = scratch_folder()
    try:
        # Unbuffered, because blocks are large and an error belongs to the write it is of.
        return tempfile.TemporaryFile(prefix="demix-", buffering=0, dir=folder)
    except OSError as error:
        raise scratch_error(error) from error


def scratch_error(error: OSError) -> DemixError:
    """Say in one line why a scratch file failed, and what to do."""
    folder = shown(scratch_folder())
    if error.errno in DISK_FULL:
        return DemixError(
            f"{folder}: no space left for scratch files ({error.strerror}); "
            "free some, or set TMPDIR to a folder with more"
        )
    return DemixError(
        f"{folder}: scratch file failed ({error.strerror}); set TMPDIR to another folder"
    )
