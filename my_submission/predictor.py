"""The adapter between a system and the Music Demixing Challenge 2021's evaluator."""

import inspect
import os
from pathlib import Path

from evaluator.music_demixing import MusicDemixingPredictor
from my_submission.budget.messages import Task
from my_submission.budget.timed_separator import TimedSeparator
from my_submission.errors import DemixError
from my_submission.user_config import SYSTEM

SET_UP_LIMIT = "INFERENCE_SETUP_TIMEOUT_SECONDS"
DEFAULT_SET_UP = 900.0
SET_UP_SHARE = 0.9
"""Of the limit of the set-up, after which songs may come although it goes on."""

LIMIT = "INFERENCE_PER_MUSIC_TIMEOUT_SECONDS"
DEFAULT_LIMIT = 240.0
"""Seconds for a song, where the grader sets none."""


class DemixPredictor(MusicDemixingPredictor):
    """Runs the configured system under the evaluator's protocol, within its time limit per song.

    All networks are loaded and measured in the set-up time; a song's time is spent on nothing but
    the song.
    """

    def __init__(self) -> None:
        # Some copies of the evaluator name their results by the model, others take no argument.
        parameters = inspect.signature(MusicDemixingPredictor.__init__).parameters
        super().__init__(**({"model_name": SYSTEM} if "model_name" in parameters else {}))
        self._separator: TimedSeparator | None = None

    def prediction_setup(self) -> None:
        """Load the system, measure it, and print what runs its networks.

        Raises:
            DemixError: It is unknown, or its weights are missing or wrong; or the limit is no
                number of seconds.
        """
        song_limit()
        self._separator = TimedSeparator(Task(SYSTEM), say=_say)
        self._separator.set_up(seconds=SET_UP_SHARE * _limit(SET_UP_LIMIT, DEFAULT_SET_UP))

    def prediction(
        self,
        mixture_file_path: str,
        bass_file_path: str,
        drums_file_path: str,
        other_file_path: str,
        vocals_file_path: str,
    ) -> None:
        """Separate one song into four float32 WAV files, at its sample rate and length.

        What there is no time for is left out, the least important first; a line and
        ``mixture.budget.json`` beside the stems tell of it.

        Raises:
            DemixError: The song cannot be read, or a stem cannot be written.
        """
        if self._separator is None:
            self.prediction_setup()
        assert self._separator is not None
        self._separator.separate_to_files(
            mixture_file_path,
            {
                "bass": Path(bass_file_path),
                "drums": Path(drums_file_path),
                "other": Path(other_file_path),
                "vocals": Path(vocals_file_path),
            },
            song_limit(),
            source_rate=True,
        )


def song_limit() -> float:
    """Give the seconds that the grader allows for a song.

    Raises:
        DemixError: The environment variable for it is not a number above zero.
    """
    return _limit(LIMIT, DEFAULT_LIMIT)


def _limit(variable: str, default: float) -> float:
    text = os.environ.get(variable) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise DemixError(f"{variable} is {text!r}: give seconds above zero")
    return seconds


def _say(line: str) -> None:
    print(line, flush=True)
