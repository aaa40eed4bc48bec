"""A stand-in for `Separator` without networks, for tests of what lies around it."""

import numpy as np

from my_submission.stems import Audio
from tests.conftest import GAINS

SEPARATOR = "my_submission.separator.Separator"
"""Where `MySeparationModel` takes it from."""


class ScalingSeparator:
    """Gives the mixture times `GAINS` as the stems, whatever its sample rate."""

    def __init__(self, *_system: str, **_options: object) -> None:
        pass

    def separate_array(self, mixture: Audio, _sample_rate: int) -> dict[str, Audio]:
        return {stem: np.float32(gain) * mixture for stem, gain in GAINS.items()}
