"""Sound files, found by stem and read in blocks: memory does not grow with their length."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import soundfile as sf

from evaluator.errors import EvaluatorError, one_line

STEMS = ("bass", "drums", "other", "vocals")
"""The four sources, in the challenge's order."""

LOSSLESS = (".wav", ".flac")
"""File types of mixtures and references."""

READABLE = (*LOSSLESS, ".mp3")
"""File types of estimates."""

BLOCK_FRAMES = 1 << 14
"""Small enough that a block of a song's nine files stays in the processor's cache."""

Block = npt.NDArray[np.float64]
"""A piece of a file, ``[frames, channels]``, full scale at 1."""


def find_sound(folder: Path, name: str, suffixes: Sequence[str]) -> Path | None:
    """Find the file of a stem or mixture.

    Args:
        folder: a song's folder.
        name: file name without its type, such as ``vocals``.
        suffixes: the types that count.

    Returns:
        The file, or None where there is none.

    Raises:
        EvaluatorError: there are several, so that which one is meant is not known.
    """
    found = [path for suffix in suffixes if (path := folder / f"{name}{suffix}").is_file()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise EvaluatorError(f"{folder} holds {names}: remove all but one")
    return found[0] if found else None


def require_sound(folder: Path, name: str, suffixes: Sequence[str]) -> Path:
    """Find a file like ``find_sound``; that it is missing is an EvaluatorError too."""
    path = find_sound(folder, name, suffixes)
    if path is None:
        files = " or ".join(f"{name}{suffix}" for suffix in suffixes)
        raise EvaluatorError(f"{folder} holds no {files}")
    return path


def list_songs(folder: Path, suffixes: Sequence[str] = LOSSLESS) -> list[str]:
    """Names of a folder's songs, sorted: its subfolders that hold a mixture.

    Args:
        folder: the folder of songs.
        suffixes: file types of mixtures.

    Raises:
        EvaluatorError: the folder does not exist, or holds no song.
    """
    names = [path.name for path in subfolders(folder) if find_sound(path, "mixture", suffixes)]
    if not names:
        raise EvaluatorError(f"{folder} holds no songs: a song is a folder with mixture.wav in it")
    return names


def subfolders(folder: Path) -> list[Path]:
    """Folders in a folder, sorted by name.

    Raises:
        EvaluatorError: the folder does not exist, or is none.
    """
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise EvaluatorError(f"{folder} {what}: give a folder of songs")
    return sorted(path for path in folder.iterdir() if path.is_dir())


def name_some(names: Sequence[str], most: int = 10) -> str:
    """Names in one line, the last ones as a count where there are many."""
    some = one_line(", ".join(names[:most]))
    return f"{some} and {len(names) - most} more" if len(names) > most else some


def split_names(text: str | None) -> list[str] | None:
    """Split names that a user has given with commas between; None stays None."""
    if text is None:
        return None
    return [name.strip() for name in text.split(",") if name.strip()]


def require_names(names: Sequence[str], known: Sequence[str], folder: Path) -> None:
    """Refuse names of songs that are not there.

    Raises:
        EvaluatorError: one is not known, or none is given.
    """
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise EvaluatorError(
            f"{folder} has no song {name_some(unknown) or repr('')}; there are: {name_some(known)}"
        )


class StraightFile(sf.SoundFile):  # type: ignore[misc]  # has no types
    """A file to be read from its beginning to its end, and where someone calls `seek`.

    Args:
        path: the file.

    Raises:
        EvaluatorError: it cannot be read as sound.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # By descriptor, because libsndfile cannot open names that are not Unicode.
            super().__init__(os.open(path, os.O_RDONLY), closefd=True)
        except sf.LibsndfileError as error:
            raise unreadable(path, error) from error
        except OSError as error:
            raise EvaluatorError(f"{path} cannot be read: {error.strerror}") from error

    def seekable(self) -> bool:
        """Say no: after each read, soundfile would seek the place where libsndfile already is.

        Of an MP3 the next 3,500 samples are wrong then, because frames lean on those before them.
        """
        return False


def unreadable(path: Path, error: sf.LibsndfileError) -> EvaluatorError:
    """Say that a file cannot be read as sound."""
    return EvaluatorError(f"{path} cannot be read as sound: {error.error_string}")


class SoundReader:
    """A sound file, read from its beginning in blocks; a context manager.

    Args:
        path: the file.

    Raises:
        EvaluatorError: the file is missing, is no sound, or (when read) is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise EvaluatorError(f"{path} is missing")
        self._file = StraightFile(path)
        self.num_frames: int = self._file.frames
        self.sample_rate: int = self._file.samplerate
        self.num_channels: int = self._file.channels
        self.subtype: str = self._file.subtype

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def read(self) -> Block:
        """Read the next block; an empty one at the end of the file.

        Raises:
            EvaluatorError: the file is damaged, or holds NaN or infinite samples.
        """
        try:
            block: Block = self._file.read(BLOCK_FRAMES, dtype="float64", always_2d=True)
        except sf.LibsndfileError as error:
            raise unreadable(self.path, error) from error
        if not np.isfinite(block).all():
            raise EvaluatorError(f"{self.path} holds NaN or infinite samples")
        return block


def require_same_form(
    expected: SoundReader, found: SoundReader, *, check_channels: bool = True
) -> None:
    """Check that two files can be compared sample by sample.

    Raises:
        EvaluatorError: length, sample rate or number of channels differ.
    """
    for what, wanted, given in (
        ("Hz", expected.sample_rate, found.sample_rate),
        ("channels", expected.num_channels, found.num_channels),
        ("samples", expected.num_frames, found.num_frames),
    ):
        if wanted != given and (check_channels or what != "channels"):
            raise EvaluatorError(
                f"{found.path} has {given} {what}, but {expected.path} has {wanted}"
            )


def read_together(*readers: SoundReader) -> Iterator[tuple[Block, ...]]:
    """Read files of one form in step.

    Yields:
        One block of each file, all of the same shape.

    Raises:
        EvaluatorError: a file is damaged, not finite, or ends before its header says.
    """
    frames = 0
    while True:
        blocks = tuple(reader.read() for reader in readers)
        longest = max(len(block) for block in blocks)
        for reader, block in zip(readers, blocks, strict=True):
            if len(block) < longest or (not longest and frames < reader.num_frames):
                raise EvaluatorError(
                    f"{reader.path} ends after {frames + len(block)} samples,"
                    f" its header says {reader.num_frames}: write it again"
                )
        if not longest:
            return
        frames += longest
        yield blocks
