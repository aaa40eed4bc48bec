"""Changes that are made to stems while chunks are mixed, each in a file of its own.

What is drawn is apart from what is applied, and each change draws from a generator of its own: so
one that is added, or set otherwise, leaves what the others draw as it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from zlib import crc32

import numpy as np

from my_submission.errors import DemixError
from my_submission.stems import STEMS, Audio
from training.augmentation.base import Augmentation
from training.augmentation.channel_swap import ChannelSwap
from training.augmentation.equalizer import Equalizer
from training.augmentation.gain import Gain
from training.augmentation.polarity import Polarity
from training.augmentation.reverb import Reverb
from training.augmentation.stem_drop import StemDrop

__all__ = ["AUGMENTATIONS", "Augmentation", "Chain", "make_chain"]

AUGMENTATIONS: Mapping[str, type[Augmentation[Any]]] = {
    "stem_drop": StemDrop,
    "equalizer": Equalizer,
    "reverb": Reverb,
    "channel_swap": ChannelSwap,
    "polarity": Polarity,
    "gain": Gain,
}
"""By name, in the order in which they are applied, whatever order they are given in."""

Changes = Sequence[tuple[Augmentation[Any], Any]]
"""What happens to one stem: changes and their parameters, in order."""


@dataclass(frozen=True)
class Chain:
    """Augmentations, applied one after the other; empty by default.

    Attributes:
        parts: By name, in the order of `AUGMENTATIONS`.
    """

    parts: Mapping[str, Augmentation[Any]]

    def draw(self, seed: Sequence[int], *, coherent: bool) -> list[Changes]:
        """Draw what happens to each of the stems of one chunk.

        Args:
            seed: The chunk's; the same seed gives the same draws.
            coherent: Whether the stems are one moment of one song.

        Returns:
            Changes of each stem, in the order of `STEMS`.
        """
        changes: list[list[tuple[Augmentation[Any], Any]]] = [[] for _ in STEMS]
        for name, part in self.parts.items():
            rng = np.random.default_rng([*seed, crc32(name.encode())])
            for stem_changes, drawn in zip(changes, part.draw(rng, coherent=coherent), strict=True):
                if drawn is not None:
                    stem_changes.append((part, drawn))
        return list(changes)


def apply(sound: Audio, changes: Changes) -> Audio:
    """Change one stem `[2, samples]`; without changes it comes back itself."""
    for part, drawn in changes:
        sound = part.apply(sound, drawn)
    return sound


def is_dropped(changes: Changes) -> bool:
    """Tell whether nothing is left of a stem, so that it need not be read."""
    return any(isinstance(part, StemDrop) for part, _ in changes)


def make_chain(options: Mapping[str, Mapping[str, Any]] | None) -> Chain:
    """Make the augmentations that options ask for.

    Args:
        options: Options of each augmentation by its name, as `{"gain": {"max_gain_db": 6}}`.

    Raises:
        DemixError: There is no such augmentation or option, or a value makes no sense.
    """
    options = options or {}
    unknown = sorted(set(options) - set(AUGMENTATIONS))
    if unknown:
        raise DemixError(
            f"augmentations: there is no {', '.join(unknown)}; there are {', '.join(AUGMENTATIONS)}"
        )
    return Chain(
        {
            name: _make(name, kind, options[name] or {})
            for name, kind in AUGMENTATIONS.items()
            if name in options
        }
    )


def _make(
    name: str, kind: type[Augmentation[Any]], options: Mapping[str, Any]
) -> Augmentation[Any]:
    known = {field.name for field in fields(kind)}
    for option, value in options.items():
        if option not in known:
            raise DemixError(
                f"augmentations.{name}: there is no {option}; there are {', '.join(sorted(known))}"
            )
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DemixError(f"augmentations.{name}.{option}={value!r}: give a number")
    return kind(**options)
