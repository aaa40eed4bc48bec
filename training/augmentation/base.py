"""What every augmentation is, and the draws that several make."""

import math
from dataclasses import Field, dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from my_submission.errors import DemixError
from my_submission.stems import STEMS, Audio

Drawn = TypeVar("Drawn")


class Augmentation(Protocol[Drawn]):
    """One way of changing stems. Its options are the fields of a dataclass, plain numbers."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def draw(self, rng: np.random.Generator, *, coherent: bool) -> list[Drawn | None]:
        """Draw the parameters for each stem of a chunk, in the order of `STEMS`.

        Args:
            rng: The only source of randomness. How much is drawn from it does not depend on what
                is drawn, so that one option changes nothing else.
            coherent: Whether the stems are one moment of one song, which stays one.

        Returns:
            None for a stem that stays as it is.
        """
        ...

    def apply(self, sound: Audio, drawn: Drawn) -> Audio:
        """Change one stem, float32 `[2, samples]`; its argument stays as it is.

        Returns:
            The changed stem, of the same shape. It depends on the arguments alone.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class WithProbability:
    """An augmentation that happens to a stem or does not.

    Attributes:
        probability: For each stem, or for a coherent chunk as a whole where that is said.
    """

    probability: float = 1.0

    def __post_init__(self) -> None:
        require_share("probability", self.probability)

    def happens(self, rng: np.random.Generator) -> list[bool]:
        """Draw for each stem whether it is changed."""
        return [bool(happens) for happens in rng.random(len(STEMS)) < self.probability]


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw evenly on a logarithmic scale, as for frequencies and times."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def require_share(name: str, value: float) -> None:
    """Refuse what is no share between 0 and 1."""
    if not 0 <= value <= 1:
        raise DemixError(f"{name}={value:g}: give a share from 0 to 1")


def require_range(name: str, low: float, high: float, *, at_least: float = -math.inf) -> None:
    """Refuse a range whose ends are exchanged, too low or no numbers."""
    if not at_least <= low <= high < math.inf or not math.isfinite(low):
        bound = "" if at_least == -math.inf else f", from {at_least:g} on"
        raise DemixError(f"{name} from {low:g} to {high:g}: give the lower end first{bound}")
