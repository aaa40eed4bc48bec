"""Writes all stems of a song as a stream: whole and together, or not at all."""

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from my_submission.audio.atomic import OutputFiles, file_error
from my_submission.audio.copying import copy_with_holes
from my_submission.audio.encoding import ClipMode, Container, Encoder, OutputFormat, Subtype
from my_submission.audio.resampling import StreamResampler, check_rate, resampled_length
from my_submission.audio.scratch import BLOCK_FRAMES, ScratchSignal
from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, Audio

__all__ = ["FLOAT_WAV", "ClipMode", "Container", "OutputFormat", "StemWriter", "Subtype"]

FLOAT_WAV = OutputFormat(container="wav", subtype="float32", clip_mode="none")
"""Untouched samples: nothing is rounded, and nothing can clip."""


class StemWriter:
    """A context manager that takes consecutive blocks of all stems and writes one file each.

    The files lie under temporary names in their own folders until the ``with`` ends. If it ends
    cleanly they are renamed, all together; if it ends by any exception, Ctrl-C and alarms
    included, nothing is left of them, nor of the folders that were made for them.

    Where clipping is avoided by a common gain, which is only known at the end, the sound waits
    in scratch files (8 bytes per frame and stem).

    Args:
        paths: the file of each stem.
        num_samples: how many samples at 44.1 kHz will be written.
        fmt: how.
        sample_rate: of the files, in Hz.
        out_samples: exact length of the files in frames; by default that of ``num_samples`` at
            ``sample_rate``.
        copies: names whose files are copies of others', by these: no blocks are taken for them.
        is_late: asked before each block whether the files must be done with now: from there on
            they are silent, in all stems alike. It is told two shares of the song: what has been
            taken and waits to be encoded or copied, and what silence would then have to be encoded.
        say: takes a line if the stems are turned down or clamped.

    Attributes:
        sound_seconds: from when on the files are silent because it was late; None if they are not.
            Before the ``with`` ends it may come to be less.

    Raises:
        DemixError: the format cannot hold the sample rate; from ``with`` on: an output cannot be
            written, or its path is a folder.
    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        num_samples: int,
        fmt: OutputFormat,
        *,
        sample_rate: int = SAMPLE_RATE,
        out_samples: int | None = None,
        copies: Mapping[str, str] | None = None,
        is_late: Callable[[float, float], bool] | None = None,
        say: Callable[[str], None],
    ) -> None:
        check_rate("output", sample_rate)
        fmt.check_rate(sample_rate)
        if out_samples is None:
            out_samples = resampled_length(num_samples, SAMPLE_RATE, sample_rate)
        self._paths = dict(paths)
        self._copies = dict(copies or {})
        self._names = [name for name in paths if name not in self._copies]
        self._num_samples = num_samples
        self._fmt = fmt
        self._sample_rate = sample_rate
        self._out_samples = out_samples
        self._is_late = is_late or _never
        self._say = say
        self._is_two_pass = fmt.is_bounded and fmt.clip_mode == "rescale"
        self._files = OutputFiles(self._paths)
        self._temporary: dict[str, Path] = {}
        self._encoders: dict[str, Encoder] = {}
        self._scratch: dict[str, ScratchSignal] = {}
        self._resamplers = {
            name: StreamResampler(SAMPLE_RATE, sample_rate, out_samples) for name in self._names
        }
        self._written = 0
        self._peaks = dict.fromkeys(self._names, 0.0)
        self._num_clamped = 0
        self.sound_seconds: float | None = None

    def __enter__(self) -> Self:
        try:
            self._temporary = self._files.create()
            for name in self._names:
                if self._is_two_pass:
                    self._scratch[name] = ScratchSignal()
                else:
                    self._encoders[name] = self._new_encoder(name)
        except BaseException:
            self._abandon()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        is_done = False
        try:
            if exc_type is None:
                self._finish()
                is_done = True
        finally:
            if not is_done:
                self._abandon()

    def write(self, blocks: Mapping[str, Audio]) -> None:
        """Write the next samples of every stem.

        Args:
            blocks: sound ``[2, n]`` at 44.1 kHz for each name that is no copy, with one ``n``.

        Raises:
            DemixError: NaN or infinity in a block, sound beyond full scale where that is an
                error, or no space left.
            ValueError: the blocks differ in length or go beyond ``num_samples``.
        """
        shapes = {blocks[name].shape for name in self._names}
        num_new = max(shape[-1] for shape in shapes)
        if shapes != {(2, num_new)}:
            raise ValueError(f"blocks are [2, n] with one n, not {sorted(shapes)}")
        if self._written + num_new > self._num_samples:
            raise ValueError(f"{self._written + num_new} samples for files of {self._num_samples}")
        taken = self._written / self._num_samples
        waiting = taken if self._is_two_pass or self._copies else 0.0
        # What has not been encoded yet may come to be silent, too.
        silent = 1.0 if self._is_two_pass else 1 - taken
        if self.sound_seconds is None and self._is_late(waiting, silent):
            self.sound_seconds = self._written / SAMPLE_RATE
        if self.sound_seconds is not None:
            return
        for name in self._names:
            self._take(name, self._resamplers[name].push(blocks[name]))
        self._written += num_new

    def _take(self, name: str, block: Audio) -> None:
        # As files have it, frame by frame; what comes may lie apart, which is slow to look through.
        block = np.ascontiguousarray(block.T).T
        peak = float(max(np.max(block, initial=0.0), -np.min(block, initial=0.0)))
        if not math.isfinite(peak):
            raise DemixError(
                f"{name}: the separation gave NaN or infinity "
                f"at about {self._written / SAMPLE_RATE:.1f} s; check the weights "
                "with `demix weights verify`, or run on another device"
            )
        self._peaks[name] = max(self._peaks[name], peak)
        if self._is_two_pass:
            self._scratch[name].append(block)
            return
        if self._fmt.is_bounded and peak > 1:
            if self._fmt.clip_mode == "none":
                raise DemixError(
                    f"{name}: would clip at about {self._written / SAMPLE_RATE:.1f} s "
                    f"(peak {peak:.3f}); use float32, or clip mode rescale or clamp"
                )
            self._num_clamped += int(np.count_nonzero(np.abs(block) > 1))
        self._encoders[name].write(block)

    def _finish(self) -> None:
        if self.sound_seconds is None:
            if self._written != self._num_samples:
                raise ValueError(f"{self._written} samples for files of {self._num_samples}")
            for name in self._names:
                self._take(name, self._resamplers[name].finish())
        if self._is_two_pass:
            self._encode_scratch()
        for encoder in self._encoders.values():
            if self.sound_seconds is not None:
                encoder.fill()
            encoder.close()
        for name, other in self._copies.items():
            try:
                copy_with_holes(self._temporary[other], self._temporary[name])
            except OSError as error:
                raise file_error(self._paths[name], error) from error
        if self._num_clamped:
            self._say(
                f"clamped {self._num_clamped} samples beyond full scale; "
                "float32 or clip mode rescale keeps them"
            )
        self._files.commit()

    def _encode_scratch(self) -> None:
        loudest = max(self._peaks, key=lambda name: self._peaks[name], default="")
        gain = 1 / max(self._peaks.get(loudest, 0.0), 1.0)
        if gain < 1:
            self._say(
                f"all stems turned down by {-20 * math.log10(gain):.2f} dB (x {gain:.4f}), "
                f"because {loudest} would clip; float32 keeps the level"
            )
        for name in self._names:
            self._encoders[name] = self._new_encoder(name)
        taken = min((scratch.num_samples for scratch in self._scratch.values()), default=0)
        # All stems side by side: where the time ends, they end together.
        for start in range(0, taken, BLOCK_FRAMES):
            encoded = start / self._out_samples
            if self._is_late(encoded if self._copies else 0.0, 1 - encoded):
                self.sound_seconds = start / self._sample_rate
                break
            for name, scratch in self._scratch.items():
                block = scratch.read(start, min(start + BLOCK_FRAMES, taken))
                self._encoders[name].write(block if gain == 1 else block * np.float32(gain))
        for scratch in self._scratch.values():
            scratch.close()

    def _new_encoder(self, name: str) -> Encoder:
        return Encoder(
            self._temporary[name],
            self._paths[name],
            self._fmt,
            sample_rate=self._sample_rate,
            num_samples=self._out_samples,
        )

    def _abandon(self) -> None:
        # Last in, first out: the files' removal comes last and comes whatever happens before.
        with ExitStack() as stack:
            stack.callback(self._files.discard)
            for encoder in self._encoders.values():
                stack.callback(encoder.abandon)
            for scratch in self._scratch.values():
                stack.callback(scratch.close)


def _never(_waiting: float, _silent: float) -> bool:
    return False
