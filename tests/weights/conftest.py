"""Fixtures of the tests of weights."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from .listed import BASS, DRUMS, OTHER_DRUMS, sha
from .server import Server, serving
from .world import SIZE, World


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Run a server until the end of the test."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.delenv("DEMIX_WEIGHTS_URL", raising=False)
    with serving() as running:
        yield running


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make the folder that the list lies in."""
    (tmp_path / "repository").mkdir()
    return tmp_path / "repository"


@pytest.fixture
def world(server: Server, tmp_path: Path, repository: Path) -> World:
    """Give an empty list and a folder that does not exist yet."""
    return World(server, tmp_path / "models", repository / "manifest.toml")


@pytest.fixture
def content(rng: np.random.Generator) -> bytes:
    """Give the bytes of a weight file."""
    return rng.bytes(SIZE)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """List of two systems that share a file name, and of one that this repository makes."""
    path = tmp_path / "manifest.toml"
    path.write_text(
        f"""
[first."bass.onnx"]
bytes = {len(BASS)}
sha256 = "{sha(BASS).upper()}"
url = "https://example.org/zip/first.zip"
zip_member = "bass.onnx"
licence = "MIT"

[first."drums.th"]
sha256 = "{sha(DRUMS)[:8]}"
url = "https://example.org/drums.th"
licence = "MIT"

[second."drums.th"]
sha256 = "{sha(OTHER_DRUMS)}"
url = "https://example.org/second/drums.th"
licence = "not stated"

[second."bass.onnx"]
by_hand = "the shared folder"
licence = "not stated"

# Made here.
[ours."bass.onnx"]
licence = "MIT"  # of this repository

[ours."mixer.ckpt"]
bytes = 1
sha256 = "00000000"
licence = "MIT"
""",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models that holds the first system, whole and right."""
    folder = tmp_path / "my models"
    (folder / "first").mkdir(parents=True)
    (folder / "first" / "bass.onnx").write_bytes(BASS)
    (folder / "first" / "drums.th").write_bytes(DRUMS)
    return folder
