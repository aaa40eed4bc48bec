"""Songs on disk, read by position: nothing is opened until it is read, and nothing read whole."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from my_submission.audio import FileSignal
from my_submission.audio.decoding import SoundFileSource, open_source
from my_submission.display import shown
from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, STEMS, Audio, Stem

SUFFIXES = (".flac", ".wav")
"""File types of stems. Both are found by position, exactly; those of MP3 are not."""

Say = Callable[[str], None]


class Track:
    """One song: four files of the same length, and perhaps changed versions of them.

    No dataclass: Lightning takes those apart when it moves a batch to a device.

    Args:
        name: The song's name, which is that of its folder.
        num_samples: Length of every stem.
        files: File of each stem: stereo WAV or FLAC at 44.1 kHz, as `open_track` checks.
        versions: The same song in other pitches and tempos (`training.augment`); each has a
            length of its own and no versions.
    """

    def __init__(
        self,
        name: str,
        num_samples: int,
        files: Mapping[Stem, Path],
        versions: Sequence["Track"] = (),
    ) -> None:
        self.name = name
        self.num_samples = num_samples
        self.files = dict(files)
        self.versions = tuple(versions)

    def __repr__(self) -> str:
        """Say which song it is."""
        return f"Track({self.name!r}, {self.num_samples} samples, {len(self.versions)} versions)"

    def read(self, stem: Stem, start: int, num_samples: int) -> Audio:
        """Read a part of one stem; the file is open only meanwhile.

        Args:
            stem: Which.
            start: First sample; may be negative.
            num_samples: Length of the part.

        Returns:
            float32 `[2, num_samples]`, the caller's own; zeros outside the song.

        Raises:
            DemixError: The file is gone, damaged, shorter than it was, or holds NaN or infinity.
        """
        path = self.files[stem]
        with open_in_place(path) as source:
            sound = FileSignal(source, self.num_samples, shown(path)).read(
                start, start + num_samples
            )
        if not np.isfinite(sound).all():
            raise DemixError(f"{path}: holds NaN or infinity; repair or export it again")
        return sound

    def stems(self, start: int = 0, num_samples: int | None = None) -> Audio:
        """Read a part of all stems, by default all of it: `[4, 2, num_samples]`.

        They are in the order of `STEMS`, and the mixture is their sum.

        Raises:
            DemixError: As `read`.
        """
        if num_samples is None:
            num_samples = self.num_samples - start
        return np.stack([self.read(stem, start, num_samples) for stem in STEMS])


@contextmanager
def open_in_place(path: Path) -> Iterator[SoundFileSource]:
    """Open a stem for reading by position.

    Raises:
        DemixError: It is missing, damaged, or in a format whose samples have no known place.
    """
    with open_source(path) as source:
        if not isinstance(source, SoundFileSource) or not source.seekable:
            raise DemixError(f"{path}: is no plain WAV or FLAC file; convert it to one")
        yield source


def open_track(folder: Path) -> Track:
    """Find a song's stems in its folder and check their headers.

    Args:
        folder: Holds `bass`, `drums`, `other` and `vocals`, each as `.flac` or `.wav`.

    Raises:
        DemixError: A stem is missing or there twice, is not stereo at 44.1 kHz, is empty, or is
            not as long as the others.
    """
    files = {}
    lengths = {}
    for stem in STEMS:
        path = stem_file(folder, stem)
        if path is None:
            raise DemixError(f"{folder}: has no {stem}.flac or {stem}.wav")
        with open_in_place(path) as source:
            rate, channels = source.rate, len(source.layout)
            lengths[stem] = int(source.sound_file.frames)
        if (rate, channels) != (SAMPLE_RATE, 2):
            raise DemixError(
                f"{path}: {channels} channels at {rate} Hz; training takes stereo at {SAMPLE_RATE} "
                "Hz: convert it"
            )
        files[stem] = path
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{stem} {length}" for stem, length in lengths.items())
        raise DemixError(f"{folder}: its stems differ in length ({told} samples); make them equal")
    if not lengths["bass"]:
        raise DemixError(f"{folder}: its stems hold no samples; remove it or export it again")
    return Track(folder.name, lengths["bass"], files)


def open_tracks(folder: Path, say: Say) -> list[Track]:
    """Open the songs of a folder, sorted by name.

    Folders without any stem are no songs. A song that lacks some of them is left out.

    Args:
        folder: Holds a folder per song.
        say: Takes a line for each song that is left out.

    Raises:
        DemixError: There is no such folder, or no complete song in it; or as `open_track`.
    """
    songs = [path for path in song_folders(folder) if is_complete(path, say)]
    if not songs:
        raise DemixError(
            f"{folder}: holds no song: a song is a folder with {', '.join(STEMS)} as .flac or .wav"
        )
    return [open_track(song) for song in songs]


def song_folders(folder: Path) -> list[Path]:
    """List the folders in a folder that hold a stem, sorted by name; hidden ones are left out.

    Raises:
        DemixError: There is no such folder.
    """
    if not folder.is_dir():
        raise DemixError(f"{folder}: no such folder of songs")
    return [
        path
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".")
        and path.is_dir()
        and any(stem_file(path, stem) for stem in STEMS)
    ]


def is_complete(song: Path, say: Say) -> bool:
    """Tell whether a song has all its stems; say which ones it lacks."""
    missing = [stem for stem in STEMS if stem_file(song, stem) is None]
    if missing:
        say(f"{song}: left out, because it has no {' and no '.join(missing)}")
    return not missing


def stem_file(song: Path, stem: Stem) -> Path | None:
    """Give the file of a song's stem, None where there is none.

    Raises:
        DemixError: There are two, so that which one is meant is not known.
    """
    found = [path for suffix in SUFFIXES if (path := song / f"{stem}{suffix}").is_file()]
    if len(found) > 1:
        raise DemixError(f"{song}: holds {stem} as .flac and as .wav; remove one")
    return found[0] if found else None
