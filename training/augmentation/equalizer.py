"""Other tone colours: shelves and bells, as on a mixing desk."""

from dataclasses import dataclass

import numpy as np

from my_submission.stems import STEMS, Audio
from training.augmentation.base import WithProbability, log_uniform, require_range
from training.synthesis.effects import filtered, high_shelf, peak

LOW_SHELF_HZ = (60.0, 300.0)
HIGH_SHELF_HZ = (3_000.0, 12_000.0)
BELL_HZ = (100.0, 10_000.0)
BELL_Q = (0.5, 2.0)
NUM_BELLS = 2


@dataclass(frozen=True)
class Bell:
    """One bell: its middle in Hz, gain in dB and width as Q."""

    frequency_hz: float
    gain_db: float
    q: float


@dataclass(frozen=True)
class Curve:
    """All bands of an equalizer; shelves are (corner in Hz, gain in dB)."""

    low_shelf: tuple[float, float]
    bells: tuple[Bell, ...]
    high_shelf: tuple[float, float]

    @property
    def sum_of_gains_db(self) -> float:
        """The most that a frequency can gain or lose, in dB: no band exceeds its own gain."""
        gains = [self.low_shelf[1], self.high_shelf[1], *(bell.gain_db for bell in self.bells)]
        return sum(abs(gain) for gain in gains)


@dataclass(frozen=True, kw_only=True)
class Equalizer(WithProbability):
    """A low shelf, two bells and a high shelf, whose energy changes by `Curve.sum_of_gains_db`.

    Attributes:
        probability: For each stem; so it is in coherent chunks, where engineers do the same.
        max_gain_db: Of each band, up or down.
    """

    probability: float = 0.5
    max_gain_db: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("max_gain_db", 0, self.max_gain_db)

    def draw(self, rng: np.random.Generator, *, coherent: bool) -> list[Curve | None]:  # noqa: ARG002
        """Draw a curve per stem."""
        happens = self.happens(rng)
        curves = [self._curve(rng) for _ in STEMS]
        return [curve if yes else None for curve, yes in zip(curves, happens, strict=True)]

    def apply(self, sound: Audio, drawn: Curve) -> Audio:
        """Filter by the curve; the sound before the chunk is taken to be silence."""
        corner_hz, low_db = drawn.low_shelf
        # A low shelf is a gain and the opposite high shelf, by the formulas of both.
        changed = filtered(
            sound,
            high_shelf(corner_hz, -low_db),
            *(peak(bell.frequency_hz, bell.gain_db, bell.q) for bell in drawn.bells),
            high_shelf(*drawn.high_shelf),
        )
        changed *= np.float32(10 ** (low_db / 20))
        return changed

    def _curve(self, rng: np.random.Generator) -> Curve:
        def gain_db() -> float:
            return float(rng.uniform(-self.max_gain_db, self.max_gain_db))

        return Curve(
            low_shelf=(log_uniform(rng, *LOW_SHELF_HZ), gain_db()),
            bells=tuple(
                Bell(log_uniform(rng, *BELL_HZ), gain_db(), log_uniform(rng, *BELL_Q))
                for _ in range(NUM_BELLS)
            ),
            high_shelf=(log_uniform(rng, *HIGH_SHELF_HZ), gain_db()),
        )
