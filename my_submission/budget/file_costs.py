"""What reading and writing songs cost on this machine, measured."""

import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from my_submission.audio import open_song
from my_submission.audio.output import FLOAT_WAV, OutputFormat, StemWriter
from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.audio.scratch_space import scratch_folder
from my_submission.budget.assembly import Estimates, assembled
from my_submission.budget.coverage import Coverage, Stretch
from my_submission.budget.finishing import Finishing
from my_submission.budget.shared import SharedSound
from my_submission.budget.song_copy import SongCopy
from my_submission.costs import seconds_of
from my_submission.stems import SAMPLE_RATE, STEMS, Audio

SPLITTING_SAFETY = 1.5
"""Times what the split by frequency is expected to take."""

SPLITTING_SHARE = 0.3
"""Of the limit, that is kept for the split by frequency at most."""

SHORTEST_FILES = 0.03
"""Seconds that four files take at least: where the processor comes in slices, every step that waits
for another thread or the disk may wait for the next slice, too."""

TRIAL = 5 * SAMPLE_RATE
"""Samples that are read and written to see how long it takes."""


@dataclass(frozen=True)
class FileCosts:
    """What reading and writing cost on this machine, in seconds.

    Attributes:
        opening: Checking and copying a song, per sample.
        writing: Putting estimates together and writing them, per sample.
        splitting: Splitting the mixture by frequency, per sample.
        files: Four files without a sample in them.
        closing: The part of `writing` that is left once all blocks have been taken: encoding, where
            a common gain is known only then.
    """

    opening: float
    writing: float
    splitting: float
    files: float = 0.0
    closing: float = 0.0

    def writing_song(self, num_samples: int) -> float:
        """Give what writing a song of so many samples takes."""
        return self.files + self.writing * num_samples

    def finishing(self, num_samples: int, limit: float) -> Finishing:
        """Give what the end of a song of so many samples needs of its limit, seconds."""
        return Finishing(
            self.writing_song(num_samples),
            SPLITTING_SAFETY * self.splitting,
            SPLITTING_SHARE * limit,
            self.closing * num_samples,
        )


def measure_files(fmt: OutputFormat = FLOAT_WAV) -> FileCosts:
    """Measure what it takes to open a WAV file, to put stems together and to write them.

    Args:
        fmt: How they are written: MP3 takes thirty times as long as WAV.

    Raises:
        DemixError: Scratch files cannot be written.
    """
    noise = np.random.default_rng(0).uniform(-1, 1, (8, TRIAL)).astype(np.float32)
    with (
        tempfile.TemporaryDirectory(dir=scratch_folder()) as name,
        SharedSound.create(2) as song,
        SharedSound.create(8) as estimate,
    ):
        folder = Path(name)
        soundfile.write(folder / "song.wav", noise[:2].T, SAMPLE_RATE, subtype="FLOAT")
        song.write(0, noise[:2])
        estimate.write(0, noise)
        coverage = Coverage(TRIAL)
        coverage.add(Stretch(estimate, 0, TRIAL))

        def put_together(estimates: Estimates, *, is_split: bool) -> float:
            def run() -> None:
                deque(assembled(song, estimates, can_split=lambda _: is_split), maxlen=0)

            return seconds_of(run)

        whole = put_together(Estimates(TRIAL, tfc_tdf=coverage), is_split=False)
        equal = put_together(Estimates(TRIAL), is_split=False)
        by_frequency = put_together(Estimates(TRIAL), is_split=True)
        opening = seconds_of(lambda: _open(folder / "song.wav"))
        files = seconds_of(lambda: _write(noise[:, :1], folder, fmt))
        closings: list[float] = []
        total = seconds_of(lambda: closings.append(_write(noise, folder, fmt)))
        writing = max(0.0, total - files)
    return FileCosts(
        opening=opening / TRIAL,
        writing=(max(whole, equal) + writing) / TRIAL,
        splitting=max(by_frequency - equal, 0.0) / TRIAL,
        files=max(files, SHORTEST_FILES),
        closing=min(writing, min(closings)) / TRIAL,
    )


def _open(path: Path) -> None:
    with SongCopy() as copy, open_song(path, say=_silent, copy=copy):
        pass


def _write(noise: Audio, folder: Path, fmt: OutputFormat) -> float:
    """Write four stems; give the seconds from the last block on."""
    paths: dict[str, Path] = {stem: folder / f"{stem}{fmt.suffix}" for stem in STEMS}
    num_samples = noise.shape[1]
    with StemWriter(paths, num_samples, fmt, say=_silent) as writer:
        for start in range(0, num_samples, BLOCK_FRAMES):
            block = noise.reshape(len(STEMS), 2, -1)[..., start : start + BLOCK_FRAMES]
            writer.write(dict(zip(STEMS, block, strict=True)))
        taken = time.perf_counter()
    return time.perf_counter() - taken


def _silent(_line: str) -> None:
    """Say nothing: noise within full scale is written as it is."""
