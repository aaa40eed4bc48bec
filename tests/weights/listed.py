"""What the fixtures ``manifest`` and ``models`` hold."""

import hashlib
from pathlib import Path

from my_submission import weights

BASS = b"bass of the first system"
DRUMS = b"drums of the first system"
OTHER_DRUMS = b"drums of the second system"


def sha(content: bytes) -> str:
    """Hash bytes."""
    return hashlib.sha256(content).hexdigest()


def states(system: str, models: Path, manifest: Path) -> dict[str, tuple[str, str]]:
    """Give state and reason of every file of a system, by name."""
    statuses = weights.verify(system, models, manifest=manifest)
    return {status.path.name: (status.state, status.reason) for status in statuses}
