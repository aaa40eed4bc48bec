"""Who played what on a song, for its metadata."""

from dataclasses import dataclass, field

from numpy.random import Generator

from training.synthesis.catalogue import Font, Split, fonts
from training.synthesis.draw import weighted


@dataclass
class Credits:
    """What a song was made of, for its metadata."""

    fonts: set[str] = field(default_factory=set)
    kits: set[str] = field(default_factory=set)
    voices: list[str] = field(default_factory=list)
    instruments: dict[str, list[str]] = field(default_factory=dict)

    def add(self, stem: str, instrument: str) -> None:
        """Note an instrument of a stem."""
        self.instruments.setdefault(stem, []).append(instrument)

    def take_font(self, split: Split, rng: Generator) -> Font:
        """Draw a sound font of a split, and note it."""
        font = weighted(rng, fonts(split))
        self.fonts.add(font.name)
        return font
