"""Separate a song by a golden system whose networks compute their first passes only.

Run as ``python -m tests.few_passes SYSTEM MODELS SONG OUT``; prints the peak memory of the whole
process in KiB. The first passes are real, so whatever a network holds is held; later ones give
their input back, so that an hour of music takes seconds. `benchmarks.memory` skips none.
"""

import functools
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from my_submission import Separator
from my_submission.audio import Signal
from my_submission.audio.output import OutputFormat
from my_submission.separators.demucs import DemucsV2Separator
from my_submission.separators.tfc_tdf import TfcTdfSeparator
from my_submission.stems import Audio

REAL_PASSES = 8


def shorten(
    monkey: type, name: str, instead: Callable[..., Audio], real_passes: int = REAL_PASSES
) -> None:
    """Let a method compute `real_passes` times, and something else from then on."""
    real = getattr(monkey, name)
    passes = 0

    @functools.wraps(real)
    def method(*arguments: object) -> object:
        nonlocal passes
        passes += 1
        return real(*arguments) if passes <= real_passes else instead(*arguments)

    setattr(monkey, name, method)


def repeat_mixture(
    _separator: DemucsV2Separator, mixture: Signal, starts: Sequence[int], length: int
) -> Audio:
    """Give the mixture for every stem."""
    segments = np.stack([mixture.read(start, start + length) for start in starts])
    return np.repeat(segments[:, None], 4, axis=1)


if __name__ == "__main__":
    system, models, song, out = sys.argv[1:]
    shorten(TfcTdfSeparator, "estimate", lambda _separator, chunks: chunks)
    shorten(DemucsV2Separator, "_estimate", repeat_mixture, real_passes=1)
    paths = {name: Path(out) / f"{name}.wav" for name in ("vocals", "no_vocals")}
    Separator(system, models=models, device="cpu").separate_to_files(
        song, paths, fmt=OutputFormat(container="wav", subtype="int16", clip_mode="clamp")
    )
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
