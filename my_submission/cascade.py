"""What a cascade of separators is written in: signals that are computed when they are read.

A separator reads its song by position, ahead and again, and gives a stream in order. Where one's
output goes into another, `Shelf.keep` turns the stream into a signal, and signals can be added,
subtracted and scaled. So a cascade reads like its recipe, and nothing holds the whole song.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Self

import numpy as np

from my_submission.audio import ScratchSignal, Signal
from my_submission.audio.scratch import BLOCK_FRAMES, FRAME_BYTES
from my_submission.audio.scratch_space import require_scratch_space
from my_submission.stems import Audio


class Sound:
    """A signal for arithmetic: ``a + b``, ``a - b`` and ``0.5 * a``, sample by sample in float32.

    Args:
        num_samples: Its length; signals that are combined are equally long.
        read: Gives samples ``[2, stop - start]`` from `start` to `stop`, zeros outside.
    """

    def __init__(self, num_samples: int, read: Callable[[int, int], Audio]) -> None:
        self.num_samples = num_samples
        self.read = read

    @classmethod
    def of(cls, signal: Signal) -> "Sound":
        """Make a signal one that can be calculated with."""
        return cls(signal.num_samples, signal.read)

    def __add__(self, other: "Sound") -> "Sound":
        return Sound(self.num_samples, lambda a, b: self.read(a, b) + other.read(a, b))

    def __sub__(self, other: "Sound") -> "Sound":
        return Sound(self.num_samples, lambda a, b: self.read(a, b) - other.read(a, b))

    def __rmul__(self, gain: float) -> "Sound":
        return Sound(self.num_samples, lambda a, b: np.float32(gain) * self.read(a, b))

    def stream(self) -> Iterator[Audio]:
        """Give the whole signal as consecutive blocks ``[2, n]``."""
        for start in range(0, self.num_samples, BLOCK_FRAMES):
            yield self.read(start, min(start + BLOCK_FRAMES, self.num_samples))


class Shelf:
    """Keeps streams in scratch files for as long as the ``with`` block around it lasts.

    Args:
        num_samples: Length of every stream.
        num_sounds: How many stereo sounds will be kept; their space on disk is reserved at once.

    Raises:
        DemixError: There is no folder for scratch files, or not enough space in it.
    """

    def __init__(self, num_samples: int, num_sounds: int) -> None:
        require_scratch_space(num_sounds * num_samples * FRAME_BYTES)
        self._num_samples = num_samples
        with ExitStack() as files:
            self._free = [
                files.enter_context(ScratchSignal(reserved=num_samples)) for _ in range(num_sounds)
            ]
            self._files = files.pop_all()

    def keep(self, stream: Iterator[Audio], num_sounds: int) -> list[Sound]:
        """Turn a stream ``[num_sounds, 2, n]`` into its sounds.

        The stream is pulled as far as one of them is read and not before: so a cascade advances
        as a whole, and its first samples are done long before its last.
        """
        kept = [self._free.pop() for _ in range(num_sounds)]

        def read(index: int, start: int, stop: int) -> Audio:
            while kept[index].num_samples < min(stop, self._num_samples):
                for signal, sound in zip(kept, next(stream), strict=True):
                    signal.append(sound)
            return kept[index].read(start, stop)

        return [Sound(self._num_samples, partial(read, index)) for index in range(num_sounds)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._files.close()
