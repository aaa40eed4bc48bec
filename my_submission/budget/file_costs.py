"""What reading and writing songs cost on this machine, measured."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from my_submission.audio import open_song
from my_submission.audio.output import FLOAT_WAV, OutputFormat, StemWriter
from my_submission.audio.scratch_space import scratch_folder
from my_submission.budget.assembly import Estimates, assembled
from my_submission.budget.finishing import Finishing, Writing
from my_submission.budget.shared import SharedSound
from my_submission.budget.song_copy import SongCopy
from my_submission.stems import SAMPLE_RATE, STEMS

SPLITTING_SHARE = 0.3
"""Of the limit, that is kept for the split by frequency at most."""

SHORTEST_FILES = 0.03
"""Seconds that four files take at least: where the processor comes in slices, every step that waits
for another thread or the disk may wait for the next slice, too."""

SHORTEST_END = 0.01
"""Seconds that closing them and moving them to their places takes at least: nothing waits then."""

MOST_TRIALS, TRIALS_S = 10, 0.2
"""Of each measurement: so many, or as many as it takes to fill so many seconds."""

TRIAL = 5 * SAMPLE_RATE
"""Samples that are read and written to see how long it takes."""


@dataclass(frozen=True)
class WritingCosts:
    """What writing a song's files costs.

    Attributes:
        files: Files without a sample in them, seconds.
        writing: Putting estimates together and writing them, per sample.
        closing: The part of `writing` that is left once all blocks have been taken: encoding, where
            a common gain is known only then, and copying.
        end: The part of `files` that closing them and bringing them to their places is, seconds.
        silence: Encoding it to the end of the files, per sample.
    """

    files: float = 0.0
    writing: float = 0.0
    closing: float = 0.0
    end: float = 0.0
    silence: float = 0.0

    def of(self, num_samples: int, replacing: float) -> Writing:
        """Give what a song of so many samples takes, and bringing its files to their places."""
        return Writing(
            self.files + self.writing * num_samples + replacing,
            self.closing * num_samples + replacing,
            self.end + self.silence * num_samples + replacing,
        )


@dataclass(frozen=True)
class FileCosts:
    """What reading and writing cost on this machine.

    Attributes:
        opening: Checking and copying a song, seconds per sample.
        stems: Writing a file for each stem.
        copies: Writing the file of one stem, and copying it for the others.
        splitting: Splitting the mixture by frequency, seconds per sample.
        replacing: What comes on top of writing where the files take others' places: some file
            systems write a file to the disk then. Seconds per sample.
    """

    opening: float
    stems: WritingCosts
    copies: WritingCosts
    splitting: float = 0.0
    replacing: float = 0.0

    def writing_song(self, num_samples: int) -> float:
        """Give what writing a song of so many samples takes, in seconds."""
        return self.stems.of(num_samples, 0.0).whole

    def finishing(self, num_samples: int, limit: float, *, replaces: bool = False) -> Finishing:
        """Give what the end of a song of so many samples needs of its limit.

        Args:
            num_samples: The song's length.
            limit: Seconds for it.
            replaces: Whether there are files in the places of those to come.
        """
        replacing = self.replacing * num_samples if replaces else 0.0
        return Finishing(
            self.stems.of(num_samples, replacing),
            self.copies.of(num_samples, replacing),
            self.splitting,
            SPLITTING_SHARE * limit,
        )


def measure_files(fmt: OutputFormat = FLOAT_WAV) -> FileCosts:
    """Measure what it takes to open a WAV file, to put stems together and to write them.

    Args:
        fmt: How they are written: MP3 takes thirty times as long as WAV.

    Raises:
        DemixError: Scratch files cannot be written.
    """
    noise = np.random.default_rng(0).uniform(-1, 1, (2, TRIAL)).astype(np.float32)
    with (
        tempfile.TemporaryDirectory(dir=scratch_folder()) as name,
        SharedSound.create(2) as song,
    ):
        folder = Path(name)
        soundfile.write(folder / "song.wav", noise.T, SAMPLE_RATE, subtype="FLOAT")
        song.write(0, noise)
        opening = _least_seconds(lambda: _open(folder / "song.wav"))
        stems, equal = _writing_costs(song, folder, fmt, is_copied=False)
        copies, _ = _writing_costs(song, folder, fmt, is_copied=True)
        replaced = _time_writing(song, TRIAL, folder, fmt, replaces=True)
        split = _time_writing(song, TRIAL, folder, fmt, is_split=True)
    return FileCosts(
        opening=opening / TRIAL,
        stems=stems,
        copies=copies,
        splitting=max(0.0, split.taking - equal.taking) / TRIAL,
        replacing=max(0.0, replaced.closing - equal.closing) / TRIAL,
    )


def _open(path: Path) -> None:
    with SongCopy() as copy, open_song(path, say=_silent, copy=copy):
        pass


def _least_seconds(run: Callable[[], object]) -> float:
    """Measure a call's seconds: the least of several, for other programs come in between."""
    found: list[float] = []
    while sum(found) < TRIALS_S and len(found) < MOST_TRIALS:
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return min(found)


@dataclass(frozen=True)
class _Written:
    """Seconds of four files: until all blocks have been taken, and from then on."""

    taking: float
    closing: float

    @property
    def seconds(self) -> float:
        return self.taking + self.closing


def _writing_costs(
    song: SharedSound, folder: Path, fmt: OutputFormat, *, is_copied: bool
) -> tuple[WritingCosts, _Written]:
    """Measure one way of writing files; give what it costs, and `TRIAL` samples of it."""
    files = _time_writing(song, 1, folder, fmt, is_copied=is_copied)
    equal = _time_writing(song, TRIAL, folder, fmt, is_copied=is_copied)
    silent = _time_writing(song, TRIAL, folder, fmt, is_copied=is_copied, is_silent=True)
    costs = WritingCosts(
        files=max(files.seconds, SHORTEST_FILES),
        writing=max(0.0, equal.seconds - files.seconds) / TRIAL,
        closing=max(0.0, equal.closing - files.closing) / TRIAL,
        end=max(files.closing, SHORTEST_END),
        silence=max(0.0, silent.closing - files.closing) / TRIAL,
    )
    return costs, equal


def _time_writing(
    song: SharedSound,
    num_samples: int,
    folder: Path,
    fmt: OutputFormat,
    *,
    is_copied: bool = False,
    replaces: bool = False,
    is_split: bool = False,
    is_silent: bool = False,
) -> _Written:
    """Measure the writing of a song of which nothing has been estimated.

    Args:
        song: Of so many samples or more.
        num_samples: To write.
        folder: For the files.
        fmt: Of the files.
        is_copied: Write one of them, and copy it.
        replaces: Leave earlier files in their places until they are there.
        is_split: Split it by frequency; else equally.
        is_silent: Take nothing of it.
    """
    paths: dict[str, Path] = {stem: folder / f"{stem}{fmt.suffix}" for stem in STEMS}
    copies: dict[str, str] = dict.fromkeys(STEMS[1:], STEMS[0]) if is_copied else {}
    takings: list[float] = []
    closings: list[float] = []

    def write() -> None:
        if not replaces:
            for path in paths.values():
                path.unlink(missing_ok=True)
        began = time.perf_counter()
        blocks = assembled(song, Estimates(num_samples), can_split=lambda _: is_split)
        with StemWriter(
            paths, num_samples, fmt, copies=copies, is_late=lambda _: is_silent, say=_silent
        ) as writer:
            for block in blocks:
                writer.write(dict(zip(STEMS, block, strict=True)))
            taken = time.perf_counter()
        takings.append(taken - began)
        closings.append(time.perf_counter() - taken)

    _least_seconds(write)
    return _Written(min(takings), min(closings))


def _silent(_line: str) -> None:
    """Say nothing: noise within full scale is written as it is."""
