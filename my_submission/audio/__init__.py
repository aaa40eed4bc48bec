"""Sound in and out: files to signals read by position, and stems to files that appear whole."""

from my_submission.audio.scratch import ArraySignal, ScratchSignal, Signal
from my_submission.audio.song import FileSignal, Song, open_song

__all__ = ["ArraySignal", "FileSignal", "ScratchSignal", "Signal", "Song", "open_song"]
