"""The songs that networks are trained on, decoded once and read by position."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, STEMS, Audio, Stem

Samples = npt.NDArray[np.int16]

FULL_SCALE = 32768.0
"""The int16 value of 1.0."""


class SongStore:
    """Songs as int16 arrays mapped from disk, so that processes share them and start at once.

    Args:
        folder: Holds one folder per song, with `bass.flac`, `drums.flac`, `other.flac` and
            `vocals.flac` (or `.wav`), stereo, 44.1 kHz and equally long. Others are left out.
        cache: Where the decoded songs are kept; 21 MB per minute.

    Raises:
        DemixError: There is no complete song, or a stem has another format or length.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self._songs: list[Samples] = []
        self.names: list[str] = []
        cache.mkdir(parents=True, exist_ok=True)
        for song in song_folders(folder):
            decoded = cache / f"{song.name}.npy"
            if not decoded.exists():
                _decode(song, decoded)
            self._songs.append(np.load(decoded, mmap_mode="r"))
            self.names.append(song.name)
        if not self._songs:
            raise DemixError(f"{folder}: holds no song with {', '.join(STEMS)}")

    def __len__(self) -> int:
        return len(self._songs)

    def num_samples(self, song: int) -> int:
        """Length of a song in samples."""
        return int(self._songs[song].shape[1])

    def excerpt(self, song: int, stem: int, start: int, num_samples: int) -> Audio:
        """Read a part of one stem.

        Args:
            song: Position in `names`.
            stem: Position in `STEMS`.
            start: First sample.
            num_samples: Length; behind the song's end there are zeros.

        Returns:
            float32 `[2, num_samples]`.
        """
        part = self._songs[song][stem, start : start + num_samples]
        sound = np.zeros((2, num_samples), np.float32)
        sound[:, : len(part)] = part.T
        sound /= FULL_SCALE
        return sound

    def stems(self, song: int) -> Audio:
        """Read a whole song as float32 `[4, 2, samples]`."""
        length = self.num_samples(song)
        return np.stack([self.excerpt(song, stem, 0, length) for stem in range(len(STEMS))])


def song_folders(folder: Path) -> Sequence[Path]:
    """List the complete songs of a folder by name."""
    if not folder.is_dir():
        raise DemixError(f"{folder}: no such folder of songs")
    return [
        song
        for song in sorted(folder.iterdir())
        if song.is_dir() and all(stem_path(song, stem) for stem in STEMS)
    ]


def stem_path(song: Path, stem: Stem) -> Path | None:
    """Give the file of a song's stem, None where there is none."""
    for suffix in (".flac", ".wav"):
        path = song / f"{stem}{suffix}"
        if path.is_file():
            return path
    return None


def read_stems(song: Path) -> Samples:
    """Decode the four stems of a song as int16 `[4, samples, 2]`.

    Raises:
        DemixError: A stem is not stereo, not 44.1 kHz or not as long as the others.
    """
    stems = []
    for stem in STEMS:
        path = stem_path(song, stem)
        if path is None:
            raise DemixError(f"{song}: has no {stem}.flac or {stem}.wav")
        samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
        if rate != SAMPLE_RATE or samples.shape[1] != 2:
            raise DemixError(
                f"{path}: {samples.shape[1]} channels at {rate} Hz; "
                f"training takes stereo at {SAMPLE_RATE} Hz"
            )
        stems.append(samples)
    lengths = {len(samples) for samples in stems}
    if len(lengths) > 1:
        raise DemixError(f"{song}: its stems are {sorted(lengths)} samples long; make them equal")
    return np.stack(stems)


def _decode(song: Path, destination: Path) -> None:
    # np.save appends .npy to a name, so it gets the open file.
    temporary = destination.with_suffix(f".{os.getpid()}.part")
    with temporary.open("wb") as file:
        np.save(file, read_stems(song))
    temporary.replace(destination)
