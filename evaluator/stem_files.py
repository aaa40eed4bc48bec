"""Whether what a file tells of a song's stems is about the stems that are there.

Times alone do not tell: a copy of a run may have any. So a file about stems keeps their sizes,
times and hashes, and a hash is taken again only where the size is the same and the time is not.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

DESCRIBED = "stems"
"""Where in a song's ``scores.json`` the description of its stems lies."""


def describe_stems(stems: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Describe files: ``bytes``, ``modified_ns`` since 1970, and ``sha256`` of each stem.

    Args:
        stems: file by stem; all are there.
    """
    return {
        stem: {
            "bytes": path.stat().st_size,
            "modified_ns": path.stat().st_mtime_ns,
            "sha256": _hash(path),
        }
        for stem, path in stems.items()
    }


def is_about(document: Mapping[str, Any], path: Path, stems: Mapping[str, Path]) -> bool:
    """Tell whether a song's ``scores.json`` is about the stems that are there.

    Args:
        document: its contents.
        path: the file; its time decides where it does not describe the stems.
        stems: file by stem, of those that are there.
    """
    described = document.get(DESCRIBED)
    if not isinstance(described, dict):
        return not is_newer(stems.values(), path)
    return all(_is_described(file, described.get(stem)) for stem, file in stems.items())


def is_newer(stems: Iterable[Path], path: Path) -> bool:
    """Tell whether one of a song's stems was written after a file about them; all are there."""
    written = path.stat().st_mtime_ns
    return any(stem.stat().st_mtime_ns > written for stem in stems)


def _is_described(path: Path, description: object) -> bool:
    if not isinstance(description, dict):
        return False
    found = path.stat()
    if description.get("bytes") != found.st_size:
        return False
    is_untouched = description.get("modified_ns") == found.st_mtime_ns
    return is_untouched or description.get("sha256") == _hash(path)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
