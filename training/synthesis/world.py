"""The three calls of the WORLD vocoder (Morise et al. 2016) that the voices need, typed.

pyworld's extension module is loaded without the package around it: that package asks
`pkg_resources` for its own version, and setuptools has dropped `pkg_resources`.
"""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from my_submission.errors import DemixError

FRAME_PERIOD = 0.005
"""Seconds between WORLD's frames."""

Frames = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Analysis:
    """Speech taken apart.

    Attributes:
        f0: Hz, `[frames]`; 0 where unvoiced.
        log_envelope: Natural logarithm of the power spectral envelope, `[frames, bins]`.
        aperiodicity: Share of noise per bin, 0 to 1, `[frames, bins]`.
    """

    f0: Frames
    log_envelope: Frames
    aperiodicity: Frames


def analyse(speech: npt.NDArray[np.float64], sample_rate: int) -> Analysis:
    """Take mono speech `[samples]` apart into pitch, envelope and aperiodicity."""
    world = _extension()
    speech = np.ascontiguousarray(speech)
    coarse, times = world.dio(speech, sample_rate, f0_floor=60.0, f0_ceil=500.0)
    f0 = world.stonemask(speech, coarse, times, sample_rate)
    fft_size = 1024 if sample_rate <= 24_000 else 2048
    envelope = world.cheaptrick(speech, f0, times, sample_rate, fft_size=fft_size)
    aperiodicity = world.d4c(speech, f0, times, sample_rate, fft_size=fft_size)
    return Analysis(
        f0.astype(np.float32),
        np.log(envelope + 1e-12).astype(np.float32),
        aperiodicity.astype(np.float32),
    )


def synthesise(analysis: Analysis, sample_rate: int) -> Frames:
    """Put frames together again as mono sound `[samples]`; bins reach to half the rate."""
    sound: npt.NDArray[np.float64] = _extension().synthesize(
        analysis.f0.astype(np.float64),
        np.exp(analysis.log_envelope.astype(np.float64)),
        np.ascontiguousarray(analysis.aperiodicity, np.float64),
        sample_rate,
        1000 * FRAME_PERIOD,
    )
    return sound.astype(np.float32)


@cache
def _extension() -> ModuleType:
    package = importlib.util.find_spec("pyworld")
    folders = (package.submodule_search_locations if package else None) or []
    for file in (file for folder in folders for file in Path(folder).glob("pyworld.*.so")):
        spec = importlib.util.spec_from_file_location("pyworld.pyworld", file)
        if spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise DemixError("pyworld is not installed: pip install pyworld")
