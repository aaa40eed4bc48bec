"""A song as a budget's process and its worker share it."""

from types import TracebackType
from typing import Self

from my_submission.audio.scratch import read_padded
from my_submission.budget.coverage import Loudness
from my_submission.budget.shared import SharedSound
from my_submission.stems import Audio


class SongCopy:
    """A song as it is read: its sound, for other processes too, and where it is loud.

    A `Recording`, which `open_song` fills.

    Attributes:
        sound: Stereo.
        loudness: Of what has been read.
        num_samples: That have been read.
    """

    def __init__(self) -> None:
        self.sound = SharedSound.create(2)
        self.loudness = Loudness()
        self.num_samples = 0

    def append(self, block: Audio) -> None:
        """Take the next samples ``[2, n]``.

        Raises:
            DemixError: The disk is full.
        """
        self.sound.write(self.num_samples, block)
        self.loudness.add(block)
        self.num_samples += block.shape[1]

    def read(self, start: int, stop: int) -> Audio:
        """Give samples ``[2, stop - start]``; zeros outside ``0..num_samples``."""
        return read_padded(self.num_samples, start, stop, self.sound.read)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.sound.close()
