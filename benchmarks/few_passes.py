"""Separate a song by a system whose networks compute their first passes only.

Run as ``python -m benchmarks.few_passes SYSTEM MODELS SONG OUT PRECISION``; prints the peak memory
of the whole process in MB. The first passes are real, so whatever a network holds is held; later
ones give their input back, so that an hour of music takes minutes.
"""

import functools
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.one_run import open_separator, peak_memory_mb
from my_submission.audio import Signal
from my_submission.audio.output import OutputFormat
from my_submission.separators.demucs import DemucsSeparator
from my_submission.separators.tfc_tdf import TfcTdfSeparator
from my_submission.stems import Audio


def shorten(separator: type, name: str, instead: Callable[..., object], real_passes: int) -> None:
    """Let a method of each separator compute `real_passes` times, then do something else."""
    real = getattr(separator, name)
    passes: Counter[object] = Counter()

    @functools.wraps(real)
    def method(self: object, *arguments: object) -> object:
        passes[self] += 1
        compute = real if passes[self] <= real_passes else instead
        return compute(self, *arguments)

    setattr(separator, name, method)


def repeat_mixture(
    _separator: DemucsSeparator, mixture: Signal, spans: Sequence[range], sources: Sequence[str]
) -> list[Audio]:
    """Give the mixture for every source."""
    return [
        np.repeat(mixture.read(span.start, span.stop)[None], len(sources), axis=0) for span in spans
    ]


if __name__ == "__main__":
    system, models, song, out, precision = sys.argv[1:]
    shorten(TfcTdfSeparator, "estimate", lambda _separator, chunks: chunks, real_passes=2)
    shorten(DemucsSeparator, "_estimate", repeat_mixture, real_passes=1)
    paths = {name: Path(out) / f"{name}.wav" for name in ("vocals", "no_vocals")}
    separator = open_separator(system, Path(models), precision, "cpu")
    separator.separate_to_files(
        song, paths, fmt=OutputFormat(container="wav", subtype="int16", clip_mode="clamp")
    )
    print(peak_memory_mb())
