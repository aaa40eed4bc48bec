"""What musicians play: notes, drum hits and controller moves, in seconds."""

from typing import NamedTuple


class Note(NamedTuple):
    """One note. `start` and `duration` in seconds, `pitch` as MIDI key, `velocity` 1 to 127."""

    start: float
    duration: float
    pitch: float
    velocity: float


class Hit(NamedTuple):
    """One stroke on a piece of the drum kit. `start` in seconds, `strength` 0 to 1."""

    start: float
    piece: str
    strength: float


class Move(NamedTuple):
    """One move of a MIDI controller. `time` in seconds, `value` 0 to 127."""

    time: float
    controller: int
    value: int
