"""The grader's protocol of the Music Demixing Challenge 2021, to run a submission locally.

The grader has its own copy of this module. The names and environment variables here are its:

- ``TEST_DATASET_PATH``: songs, as ``SONG/mixture.wav``; default ``data/test/``.
- ``RESULTS_DATASET_PATH``: stems, as ``SONG/STEM.wav``; default ``data/results/<model_name>``.
- ``INFERENCE_SETUP_TIMEOUT_SECONDS``: limit of the setup; default 900.
- ``INFERENCE_PER_MUSIC_TIMEOUT_SECONDS``: limit of each song; default 240.
- ``PARTIAL_RUN_MUSIC_NAMES``: the songs to run, with commas between; default all.
- ``AICROWD_IS_GRADING``: set by the grader; locally the stems are scored at the end.
"""

import os
import time
import traceback
from pathlib import Path
from typing import ClassVar

from evaluator import aicrowd_helpers
from evaluator.errors import EvaluatorError, one_line
from evaluator.report import baselines_of, print_scores, write_scores
from evaluator.scoring import has_references, score_folder
from evaluator.sound import (
    STEMS,
    SoundReader,
    list_songs,
    name_some,
    read_together,
    subfolders,
)
from evaluator.time_limit import time_limit

MIXTURE_SUFFIXES = (".wav",)
"""The protocol knows no other type of mixture."""


class MusicDemixingPredictor:
    """Runs a submission over a folder of songs; subclasses separate one.

    Args:
        model_name: names the folder of results where ``RESULTS_DATASET_PATH`` does not.

    Raises:
        EvaluatorError: a time limit is not a number of seconds above zero.
    """

    one_line_errors: ClassVar[tuple[type[Exception], ...]] = (EvaluatorError,)
    """Errors of which users need the message, not the traceback. (The grader's copy has none.)"""

    def __init__(self, model_name: str = "baseline") -> None:
        self.model_name = model_name
        # Absolute, so that prediction code may change the working directory.
        here = Path.cwd()
        self.test_data_path = os.environ.get("TEST_DATASET_PATH") or f"{here}/data/test/"
        self.results_data_path = (
            os.environ.get("RESULTS_DATASET_PATH") or f"{here}/data/results/{model_name}"
        )
        self.inference_setup_timeout = _seconds("INFERENCE_SETUP_TIMEOUT_SECONDS", 900)
        self.inference_per_music_timeout = _seconds("INFERENCE_PER_MUSIC_TIMEOUT_SECONDS", 240)
        self.partial_run = os.environ.get("PARTIAL_RUN_MUSIC_NAMES")

    def prediction_setup(self) -> None:
        """Load what all songs need, within the setup's time limit. Does nothing here."""

    def prediction(
        self,
        mixture_file_path: str,
        bass_file_path: str,
        drums_file_path: str,
        other_file_path: str,
        vocals_file_path: str,
    ) -> None:
        """Separate one song within the song's time limit.

        Args:
            mixture_file_path: the song to read.
            bass_file_path: file to write, like the next three; their folder exists.
            drums_file_path: see above.
            other_file_path: see above.
            vocals_file_path: see above.
        """
        raise NotImplementedError("a predictor needs a method prediction")

    def get_all_music_names(self) -> list[str]:
        """Names of the songs to run, sorted.

        Raises:
            EvaluatorError: there are no songs, or ``PARTIAL_RUN_MUSIC_NAMES`` has others.
        """
        names = list_songs(Path(self.test_data_path), MIXTURE_SUFFIXES)
        if not self.partial_run:
            return names
        wanted = [name.strip() for name in self.partial_run.split(",") if name.strip()]
        unknown = [name for name in wanted if name not in names]
        if unknown or not wanted:
            raise EvaluatorError(
                f"PARTIAL_RUN_MUSIC_NAMES: no song {', '.join(unknown) or repr(self.partial_run)}"
                f" in {self.test_data_path}, there are: {', '.join(names)}"
            )
        return [name for name in names if name in wanted]

    def get_music_folder_location(self, music_name: str) -> str:
        """Folder of a song's mixture and references."""
        return str(Path(self.test_data_path) / music_name)

    def get_music_file_location(self, music_name: str, instrument: str | None = None) -> str:
        """File of a song's mixture, or of a stem to write, whose folder is made.

        Args:
            music_name: the song.
            instrument: the stem; the mixture where not given.

        Raises:
            EvaluatorError: the stem's folder cannot be made.
        """
        if instrument is None:
            return str(Path(self.get_music_folder_location(music_name)) / "mixture.wav")
        folder = self._results_folder(music_name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EvaluatorError(
                f"{folder} cannot be made ({error.strerror}): set RESULTS_DATASET_PATH"
            ) from error
        return str(folder / f"{instrument}.wav")

    def run(self) -> None:
        """Evaluate, and score the stems unless the grader does.

        Raises:
            EvaluatorError: the songs or the stems are not as they must be, or time was over.
            BaseException: whatever the prediction raised, after it was reported.
        """
        try:
            self.evaluation()
        except BaseException:
            aicrowd_helpers.execution_error(traceback.format_exc())
            raise
        if aicrowd_helpers.is_grading():
            return
        if self._names_with_references():
            self.scoring()
        else:
            print(f"not scored: {self.test_data_path} holds no references")
        print(f"stems: {self.results_data_path}")

    def evaluation(self) -> None:
        """Set up once and separate and verify each song, each step within its limit.

        Raises:
            TimeLimitError: the setup or a song took too long.
            EvaluatorError: there are no songs, or a stem is not as it must be.
        """
        aicrowd_helpers.execution_start()
        names = self.get_all_music_names()
        for name in names:
            self._refuse_references_as_results(name)
        self._name_skipped_folders()
        limit = self.inference_setup_timeout
        with time_limit(
            limit, f"the setup took longer than {limit} s (INFERENCE_SETUP_TIMEOUT_SECONDS)"
        ):
            self.prediction_setup()
        aicrowd_helpers.execution_running()
        for done, name in enumerate(names, start=1):
            seconds = self._predict(name)
            if not self.verify_results(name):
                raise EvaluatorError(f"song {name}: verify_results refused the stems")
            print(
                f"{done}/{len(names)} {one_line(name)}: {seconds:.1f} s"
                f" of {self.inference_per_music_timeout} s",
                flush=True,
            )
            aicrowd_helpers.execution_progress(done / len(names))
        aicrowd_helpers.execution_success()

    def verify_results(self, music_name: str) -> bool:
        """Check a song's four files, read in blocks.

        Returns:
            True: all are there, stereo, finite, and as long and of the same rate as the mixture.

        Raises:
            EvaluatorError: one is not; the message says which and why.
        """
        with SoundReader(Path(self.get_music_file_location(music_name))) as mixture:
            length, sample_rate = mixture.num_frames, mixture.sample_rate
        for stem in STEMS:
            path = Path(self.get_music_file_location(music_name, stem))
            with SoundReader(path) as reader:
                for what, expected, found in (
                    ("channels", 2, reader.num_channels),
                    ("Hz", sample_rate, reader.sample_rate),
                    ("samples", length, reader.num_frames),
                ):
                    if found != expected:
                        raise EvaluatorError(f"{path} has {found} {what}, {expected} are needed")
                for _ in read_together(reader):
                    pass
        return True

    def scoring(self) -> dict[str, dict[str, float]]:
        """Score the results of the songs that have references; print and keep the scores.

        The table goes to standard output, and ``scores.json`` beside the results.

        Returns:
            For each song ``sdr_bass``, ``sdr_drums``, ``sdr_other``, ``sdr_vocals`` and their
            mean ``sdr``, in dB.

        Raises:
            EvaluatorError: no song has references, or results are missing or do not fit them.
        """
        names = self._names_with_references()
        if not names:
            raise EvaluatorError(f"{self.test_data_path} holds no references to score with")
        unscored = [name for name in self.get_all_music_names() if name not in names]
        if unscored:
            print(f"not scored, for want of references: {name_some(unscored)}")
        references, results = Path(self.test_data_path), Path(self.results_data_path)
        scores = score_folder(references, results, names=names)
        baselines = baselines_of(references, names)
        print_scores(scores, baselines)
        write_scores(results / "scores.json", scores, baselines)
        return {score.name: score.as_dict() for score in scores}

    def _predict(self, name: str) -> float:
        """Separate a song within its limit; returns the seconds that it took."""
        stems = {stem: self.get_music_file_location(name, stem) for stem in STEMS}
        for path in stems.values():
            # An earlier run's file must not stand in for one that this run did not write.
            try:
                Path(path).unlink(missing_ok=True)
            except OSError as error:
                raise EvaluatorError(f"{path} cannot be replaced: {error.strerror}") from error
        limit = self.inference_per_music_timeout
        began = time.monotonic()
        with time_limit(
            limit,
            f"song {name} took longer than {limit} s (INFERENCE_PER_MUSIC_TIMEOUT_SECONDS):"
            " take a faster system or device",
        ):
            self.prediction(
                mixture_file_path=self.get_music_file_location(name),
                bass_file_path=stems["bass"],
                drums_file_path=stems["drums"],
                other_file_path=stems["other"],
                vocals_file_path=stems["vocals"],
            )
        return time.monotonic() - began

    def _names_with_references(self) -> list[str]:
        return [
            name
            for name in self.get_all_music_names()
            if has_references(Path(self.get_music_folder_location(name)))
        ]

    def _results_folder(self, music_name: str) -> Path:
        return Path(self.results_data_path) / music_name

    def _refuse_references_as_results(self, music_name: str) -> None:
        folder = self._results_folder(music_name)
        if folder.resolve() == Path(self.get_music_folder_location(music_name)).resolve():
            raise EvaluatorError(
                f"{folder} holds the song itself: set RESULTS_DATASET_PATH to another folder"
            )

    def _name_skipped_folders(self) -> None:
        songs = list_songs(Path(self.test_data_path), MIXTURE_SUFFIXES)
        others = [
            path.name
            for path in subfolders(Path(self.test_data_path))
            if path.name not in songs and not path.name.startswith(".")
        ]
        if others:
            print(f"skipped, for want of mixture.wav: {name_some(others)}")


def _seconds(variable: str, default: int) -> int:
    text = os.environ.get(variable, str(default))
    if not (text.strip().isdecimal() and int(text) > 0):
        raise EvaluatorError(f"{variable} is {text!r}: give whole seconds above zero")
    return int(text)
