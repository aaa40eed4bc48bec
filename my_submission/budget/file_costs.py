"""What reading and writing songs cost on this machine, measured."""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
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

MOST_TRIALS, TRIALS_S = 10, 1.5
"""Of each measurement: so many, or as many as fit into so many seconds, of all together. They take
turns: what else the machine does for a while then falls on all of them, and spoils none."""

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
            self.end + replacing,
            self.silence * num_samples,
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
        write = partial(_time_writing, song, folder, fmt)
        least = _least(
            {
                "opening": partial(_time_opening, folder / "song.wav"),
                "equal": partial(_time_splitting, song, by_frequency=False),
                "split": partial(_time_splitting, song, by_frequency=True),
                **{
                    f"{way} {kind}": partial(
                        write, num_samples, is_copied=way == "copies", is_silent=kind == "silent"
                    )
                    for way in ("stems", "copies")
                    for kind, num_samples in (("files", 1), ("silent", TRIAL), ("whole", TRIAL))
                },
                "replaced": partial(write, TRIAL, replaces=True),  # those before left theirs
            }
        )
    return FileCosts(
        opening=least["opening"].taking / TRIAL,
        stems=_writing_costs(least, "stems"),
        copies=_writing_costs(least, "copies"),
        splitting=max(0.0, least["split"].taking - least["equal"].taking) / TRIAL,
        replacing=max(0.0, least["replaced"].closing - least["stems whole"].closing) / TRIAL,
    )


@dataclass(frozen=True)
class _Seconds:
    """Of a trial: until all blocks have been taken, and from then on."""

    taking: float
    closing: float = 0.0

    @property
    def whole(self) -> float:
        return self.taking + self.closing


def _least(trials: Mapping[str, Callable[[], _Seconds]]) -> dict[str, _Seconds]:
    """Make trials in turn; give the least of each, for other programs come in between."""
    found: dict[str, list[_Seconds]] = {name: [] for name in trials}
    began = time.perf_counter()
    for _ in range(MOST_TRIALS):
        for name, trial in trials.items():
            found[name].append(trial())
        if time.perf_counter() - began > TRIALS_S:
            break
    return {
        name: _Seconds(min(one.taking for one in some), min(one.closing for one in some))
        for name, some in found.items()
    }


def _writing_costs(least: Mapping[str, _Seconds], way: str) -> WritingCosts:
    files, whole, silent = (least[f"{way} {kind}"] for kind in ("files", "whole", "silent"))
    return WritingCosts(
        files=max(files.whole, SHORTEST_FILES),
        writing=max(0.0, whole.whole - files.whole) / TRIAL,
        closing=max(0.0, whole.closing - files.closing) / TRIAL,
        end=max(files.closing, SHORTEST_END),
        silence=max(0.0, silent.closing - files.closing) / TRIAL,
    )


def _time_opening(path: Path) -> _Seconds:
    began = time.perf_counter()
    with SongCopy() as copy, open_song(path, say=_silent, copy=copy):
        return _Seconds(time.perf_counter() - began)


def _time_splitting(song: SharedSound, *, by_frequency: bool) -> _Seconds:
    began = time.perf_counter()
    for _ in assembled(song, Estimates(TRIAL), can_split=lambda _: by_frequency):
        pass
    return _Seconds(time.perf_counter() - began)


def _time_writing(
    song: SharedSound,
    folder: Path,
    fmt: OutputFormat,
    num_samples: int,
    *,
    is_copied: bool = False,
    replaces: bool = False,
    is_silent: bool = False,
) -> _Seconds:
    """Measure the writing of a song of which nothing has been estimated.

    Args:
        song: Of so many samples or more.
        folder: For the files.
        fmt: Of the files.
        num_samples: To write.
        is_copied: Write one of them, and copy it.
        replaces: Leave earlier files in their places until they are there.
        is_silent: Take nothing of it.
    """
    paths: dict[str, Path] = {stem: folder / f"{stem}{fmt.suffix}" for stem in STEMS}
    copies: dict[str, str] = dict.fromkeys(STEMS[1:], STEMS[0]) if is_copied else {}
    if not replaces:
        for path in paths.values():
            path.unlink(missing_ok=True)
    began = time.perf_counter()
    blocks = assembled(song, Estimates(num_samples), can_split=lambda _: False)
    with StemWriter(
        paths, num_samples, fmt, copies=copies, is_late=lambda *_: is_silent, say=_silent
    ) as writer:
        for block in blocks:
            writer.write(dict(zip(STEMS, block, strict=True)))
        taken = time.perf_counter()
    return _Seconds(taken - began, time.perf_counter() - taken)


def _silent(_line: str) -> None:
    """Say nothing: noise within full scale is written as it is."""
