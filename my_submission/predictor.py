"""The adapter between a system and the Music Demixing Challenge 2021's evaluator."""

import inspect
from pathlib import Path

from evaluator.music_demixing import MusicDemixingPredictor
from my_submission.separator import Separator
from my_submission.user_config import SYSTEM


class DemixPredictor(MusicDemixingPredictor):
    """Runs the configured system under the evaluator's protocol.

    All networks are loaded in the set-up time; a song's time is spent on nothing but the song.
    """

    def __init__(self) -> None:
        # Some copies of the evaluator name their results by the model, others take no argument.
        parameters = inspect.signature(MusicDemixingPredictor.__init__).parameters
        super().__init__(**({"model_name": SYSTEM} if "model_name" in parameters else {}))
        self._separator: Separator | None = None

    def prediction_setup(self) -> None:
        """Load the system, and print what runs its networks.

        Raises:
            DemixError: It is unknown, or its weights are missing or wrong.
        """
        self._separator = Separator(SYSTEM, say=print)

    def prediction(
        self,
        mixture_file_path: str,
        bass_file_path: str,
        drums_file_path: str,
        other_file_path: str,
        vocals_file_path: str,
    ) -> None:
        """Separate one song into four float32 WAV files, at its sample rate and length.

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
            source_rate=True,
        )
