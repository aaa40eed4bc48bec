"""The evaluator's protocol of the Sound Demixing Challenge 2023, to run a submission locally.

The grader has its own copy of this module. The names and environment variables here are its:

- ``AICROWD_DATASET_DIR``: songs, as ``SONG/mixture.wav``; before the argument `dataset_dir`.
- ``AICROWD_PUBLIC_SHARED_DIR``: stems go to ``predictions/SONG/STEM.wav`` in it; before the
  argument `predictions_dir`.

It holds whole songs in memory and writes 16-bit files, which clip beyond full scale: the grader's
copy does, and what is measured here is what it would measure.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import numpy.typing as npt
import soundfile

from my_submission.user_config import MySeparationModel


class AIcrowdWrapper:
    """Runs the submission's model on songs of a folder. The model is loaded here.

    Args:
        dataset_dir: folder with ``SONG/mixture.wav``.
        predictions_dir: folder for ``SONG/STEM.wav``.

    Raises:
        AssertionError: one of the folders does not exist.
        DemixError: the model's system is unknown, or its weights are missing or wrong.
    """

    def __init__(
        self,
        dataset_dir: str = "./public_dataset/",
        predictions_dir: str = "./evaluator_outputs/",
    ) -> None:
        shared = os.environ.get("AICROWD_PUBLIC_SHARED_DIR")
        self.predictions_dir = (
            predictions_dir if shared is None else str(Path(shared) / "predictions")
        )
        self.dataset_dir = os.environ.get("AICROWD_DATASET_DIR", dataset_dir)
        # Before the networks, which take long to load.
        for folder in (self.dataset_dir, self.predictions_dir):
            # Raised rather than asserted, so that it holds under `python -O` too.
            if not folder or not Path(folder).exists():
                raise AssertionError(f"{folder} - No such directory")
        self.model = MySeparationModel()
        self.instruments = ["bass", "drums", "other", "vocals"]

    def raise_aicrowd_error(self, msg: str) -> NoReturn:
        """Fail as the challenge wants it to be done.

        Raises:
            NameError: always, with `msg`.
        """
        raise NameError(msg)

    def check_output(
        self,
        separated_music_arrays: Mapping[str, npt.ArrayLike],
        output_sample_rates: Mapping[str, int],
    ) -> None:
        """Check that a model gave the four stems, each with its sample rate, and nothing else.

        Raises:
            AssertionError: one is missing, or there is one too many.
        """
        for what, given in (
            ("stems", separated_music_arrays),
            ("sample rates", output_sample_rates),
        ):
            if set(given) != set(self.instruments):
                raise AssertionError(
                    f"{what} of {', '.join(sorted(given)) or 'nothing'}:"
                    f" {', '.join(self.instruments)} are needed"
                )

    def save_prediction(
        self,
        prediction_path: str,
        separated_music_arrays: Mapping[str, npt.ArrayLike],
        output_sample_rates: Mapping[str, int],
    ) -> None:
        """Write the stems of a song as 16-bit WAV files.

        Args:
            prediction_path: the song's folder, which is made where it is missing.
            separated_music_arrays: ``{stem: [samples, channels]}``, full scale at 1.
            output_sample_rates: ``{stem: Hz}``.

        Raises:
            OSError: the folder cannot be made.
            soundfile.LibsndfileError: a file cannot be written.
        """
        folder = Path(prediction_path)
        folder.mkdir(parents=True, exist_ok=True)
        for instrument in self.instruments:
            # The subtype is left to soundfile, as the grader leaves it.
            soundfile.write(
                str(folder / f"{instrument}.wav"),
                data=separated_music_arrays[instrument],
                samplerate=output_sample_rates[instrument],
            )

    def separate_music_file(self, foldername: str) -> bool:
        """Separate one song of the data folder and write its stems.

        Args:
            foldername: the song's folder in the data folder.

        Returns:
            True, when all is written.

        Raises:
            soundfile.LibsndfileError: the mixture cannot be read, or a stem cannot be written.
            AssertionError: the model did not give the four stems.
            DemixError: the model cannot separate the mixture.
        """
        sound, rate = soundfile.read(str(Path(self.dataset_dir) / foldername / "mixture.wav"))
        stems, rates = self.model.separate_music_file(sound, rate)
        self.check_output(stems, rates)
        self.save_prediction(str(Path(self.predictions_dir) / foldername), stems, rates)
        return True
