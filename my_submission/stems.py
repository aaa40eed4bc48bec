"""The names and units that everything else is written in."""

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Stem = Literal["bass", "drums", "other", "vocals"]
"""One of the four sources, always by name: the challenge and Demucs order them differently."""

STEMS: tuple[Stem, ...] = get_args(Stem)
"""The challenge's order, in which every array ``[stems, channels, samples]`` here is laid out."""

SAMPLE_RATE = 44_100
"""Hz, of every signal between the source and the sink."""

Audio = npt.NDArray[np.float32]
"""Sound as float32 ``[..., channels, samples]``, full scale at 1."""
