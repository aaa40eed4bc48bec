"""A run with sounds, and how tests look into its report without a browser."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.run_folders import noise, write_scores, write_sounds

RATE = 8000


class Tags(HTMLParser):
    """Collects a page's elements and its text."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self) -> list[str]:
        values = [
            attributes.get(name)
            for _, attributes in self.tags
            for name in ("href", "src", "srcset")
        ]
        return [value for value in values if value]


@pytest.fixture(name="run")
def run_of_one_song(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Give a run of a song of two seconds."""
    write_sounds(tmp_path / "run", tmp_path / "data", "a", noise(rng, 2 * RATE), RATE)
    write_scores(tmp_path / "run", "a", 6.0, reference=str(tmp_path / "data" / "a"))
    return tmp_path / "run"


def pieces(folder: Path, number: int) -> dict[str, str]:
    script = (folder / f"piece-{number}.js").read_text()
    found = re.fullmatch(rf"demixPiece\({number}, (.*)\);\n", script)
    assert found
    sounds: dict[str, str] = json.loads(found[1])
    return sounds
