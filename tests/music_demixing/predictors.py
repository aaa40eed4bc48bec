"""A predictor for the protocol's tests, and what they all look at."""

import signal
from pathlib import Path
from typing import Any

import soundfile

from evaluator.music_demixing import MusicDemixingPredictor
from evaluator.sound import STEMS
from tests.song_folders import write_wav

VARIABLES = (
    "TEST_DATASET_PATH",
    "RESULTS_DATASET_PATH",
    "INFERENCE_SETUP_TIMEOUT_SECONDS",
    "INFERENCE_PER_MUSIC_TIMEOUT_SECONDS",
    "PARTIAL_RUN_MUSIC_NAMES",
    "AICROWD_IS_GRADING",
)


class QuarterPredictor(MusicDemixingPredictor):
    """Gives a quarter of the mixture as every stem, and notes what it was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.setups = 0
        self.songs: list[str] = []

    def prediction_setup(self) -> None:
        self.setups += 1

    def prediction(
        self,
        mixture_file_path: str,
        bass_file_path: str,
        drums_file_path: str,
        other_file_path: str,
        vocals_file_path: str,
    ) -> None:
        self.songs.append(Path(mixture_file_path).parent.name)
        mixture, rate = soundfile.read(mixture_file_path)
        paths = (bass_file_path, drums_file_path, other_file_path, vocals_file_path)
        for stem, path in zip(STEMS, paths, strict=True):
            self.write_stem(stem, Path(path), mixture / 4, rate)

    def write_stem(self, stem: str, path: Path, sound: Any, rate: int) -> None:
        assert path.name == f"{stem}.wav"
        write_wav(path, sound, rate)


def assert_no_alarm() -> None:
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
