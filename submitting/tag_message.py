"""What a submission's tag carries, as text that people and `demix submissions` read.

The first line is the description; after an empty one come lines ``Key: value``. There is a line
``Weights: FILE SHA-256`` for each file, and one ``Version: NAME VERSION`` for each package.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from my_submission.display import shown


@dataclass(frozen=True)
class TagMessage:
    """What a tag tells of a submission; what it does not tell is empty.

    Attributes:
        description: What the participant calls it.
        system: What is evaluated.
        challenge: By which challenge.
        weights: SHA-256 by file.
        versions: By package, that of Python among them, as in the environment of the rehearsal.
        timing: What `demix timing` told.
        rehearsal: What the rehearsal told.
        score: The local score, or that there is none.
    """

    description: str
    system: str = ""
    challenge: str = ""
    weights: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    timing: str = ""
    rehearsal: str = ""
    score: str = ""


_SINGLE = {
    "System": "system",
    "Challenge": "challenge",
    "Timing": "timing",
    "Rehearsal": "rehearsal",
    "Local score": "score",
}
_WEIGHTS, _VERSION = "Weights", "Version"


def write_message(message: TagMessage) -> str:
    """Give the text of a tag."""
    lines = [shown(message.description), ""]
    for key, name in _SINGLE.items():
        value = getattr(message, name)
        if value:
            lines.append(f"{key}: {shown(value)}")
    lines += [f"{_WEIGHTS}: {file} {digest}" for file, digest in message.weights.items()]
    lines += [f"{_VERSION}: {name} {version}" for name, version in message.versions.items()]
    return "\n".join(lines) + "\n"


def read_message(text: str) -> TagMessage:
    """Read the text of a tag; of one that people have written, the description."""
    description, _, rest = text.partition("\n")
    single: dict[str, str] = {}
    weights: dict[str, str] = {}
    versions: dict[str, str] = {}
    for line in rest.splitlines():
        key, separator, value = line.partition(": ")
        if not separator:
            continue
        if key in _SINGLE:
            single[_SINGLE[key]] = value
        elif key in (_WEIGHTS, _VERSION):
            name, _, what = value.rpartition(" ")
            (weights if key == _WEIGHTS else versions)[name] = what
    return TagMessage(description, weights=weights, versions=versions, **single)
