"""Sound in scratch files that two processes read and write by position."""

import errno
import os
from types import TracebackType
from typing import Self

import numpy as np

from my_submission.audio.scratch import open_scratch_file, read_padded, scratch_error
from my_submission.stems import Audio


class SharedSound:
    """Float32 sound ``[channels, samples]`` in a file without a name, known by its descriptor.

    Every read and write names its place, so that processes do not move each other's.

    Args:
        descriptor: Of the open file; closed by `close`.
        num_channels: Of the sound.
    """

    def __init__(self, descriptor: int, num_channels: int) -> None:
        self.descriptor = descriptor
        self.num_channels = num_channels

    @classmethod
    def create(cls, num_channels: int) -> Self:
        """Make an empty one.

        Raises:
            DemixError: There is no folder for scratch files.
        """
        with open_scratch_file() as file:
            return cls(os.dup(file.fileno()), num_channels)

    @property
    def num_samples(self) -> int:
        """Samples up to the last that has been written."""
        return os.fstat(self.descriptor).st_size // (4 * self.num_channels)

    def write(self, start: int, block: Audio) -> None:
        """Write ``[channels, n]`` from sample `start` on.

        Raises:
            DemixError: The disk is full.
        """
        rest = np.ascontiguousarray(block.T, np.float32).reshape(-1).view(np.uint8).data
        place = 4 * self.num_channels * start
        try:
            while rest:
                written = os.pwrite(self.descriptor, rest, place)
                rest, place = rest[written:], place + written
        except OSError as error:
            raise scratch_error(error) from error

    def read(self, start: int, stop: int) -> Audio:
        """Read ``[channels, stop - start]`` of what has been written.

        Raises:
            DemixError: It cannot be read back.
        """
        frames = np.empty((stop - start, self.num_channels), np.float32)
        rest = frames.reshape(-1).view(np.uint8).data
        place = 4 * self.num_channels * start
        try:
            while rest:
                count = os.preadv(self.descriptor, [rest], place)
                if not count:
                    raise OSError(errno.EIO, "it has become shorter")
                rest, place = rest[count:], place + count
        except OSError as error:
            raise scratch_error(error) from error
        return frames.T

    def close(self) -> None:
        """Give the disk space back, once every process has."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Excerpt:
    """A stretch of a song as a signal of its own, with what surrounds it there.

    Args:
        sound: The song, stereo.
        start: Its first sample.
        stop: The sample after its last.
    """

    def __init__(self, sound: SharedSound, start: int, stop: int) -> None:
        self._sound, self._start = sound, start
        self.num_samples = stop - start

    def read(self, start: int, stop: int) -> Audio:
        """Give samples ``[2, stop - start]``; outside ``0..num_samples`` the song goes on."""
        start, stop = self._start + start, self._start + stop
        return read_padded(self._sound.num_samples, start, stop, self._sound.read)
