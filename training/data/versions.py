"""Songs in other pitches and tempos: how their folders are named and found.

The songs of `ROOT/train`, two semitones up and 10 % slower, lie in `OUT/train_p=2_t=-10`, each in a
folder of its name. These are the names that kuielab/mdx-net gives.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from my_submission.errors import DemixError
from training.data.tracks import Say, Track, is_complete, open_track, song_folders

_NAME = re.compile(r"(.+)_p=(-?\d+)_t=(-?\d+)", re.DOTALL)

LENGTH_TOLERANCE = 0.01
"""Share by which a version's length may differ from what its tempo makes of the song's."""


@dataclass(frozen=True, order=True)
class Change:
    """How a version of a song differs from it.

    Attributes:
        semitones: Pitch shift.
        tempo_percent: Added to the tempo: 10 makes a song 1.1 times as fast.
    """

    semitones: int
    tempo_percent: int

    def folder(self, out: Path, songs: Path) -> Path:
        """Give the folder in `out` for versions of the songs in `songs`."""
        return out / f"{songs.resolve().name}_p={self.semitones}_t={self.tempo_percent}"

    def num_samples(self, num_samples: int) -> int:
        """Give the length of a changed song in samples."""
        return round(num_samples / (1 + self.tempo_percent / 100))


def with_versions(
    tracks: Sequence[Track],
    songs: Path,
    folders: Sequence[Path],
    *,
    max_semitones: int,
    max_tempo_percent: int,
    say: Say,
) -> list[Track]:
    """Give songs their versions.

    Args:
        tracks: The songs of `songs`.
        songs: The folder that they lie in.
        folders: Where versions are looked for; those of other songs may lie there too.
        max_semitones: Versions with a larger pitch shift are not taken.
        max_tempo_percent: Versions with a larger change of tempo are not taken.
        say: Takes a line for each version that lacks a stem and is left out.

    Raises:
        DemixError: There is no such folder, or a version is not as long as it should be.
    """
    versions: dict[str, list[Track]] = {track.name: [] for track in tracks}
    originals = {track.name: track for track in tracks}
    for folder in folders:
        if not folder.is_dir():
            raise DemixError(f"{folder}: no such folder of changed songs")
        for changed in sorted(folder.iterdir()):
            change = _change(changed, songs)
            if (
                change is None
                or abs(change.semitones) > max_semitones
                or abs(change.tempo_percent) > max_tempo_percent
            ):
                continue
            for song in song_folders(changed):
                if song.name in originals and is_complete(song, say):
                    version = open_track(song)
                    _check_length(originals[song.name], version, change, song)
                    versions[song.name].append(version)
    return [
        Track(track.name, track.num_samples, track.files, versions[track.name]) for track in tracks
    ]


def _change(folder: Path, songs: Path) -> Change | None:
    match = _NAME.fullmatch(folder.name)
    if match is None or match[1] != songs.resolve().name or not folder.is_dir():
        return None
    return Change(int(match[2]), int(match[3]))


def _check_length(original: Track, version: Track, change: Change, folder: Path) -> None:
    expected = change.num_samples(original.num_samples)
    if abs(version.num_samples - expected) > max(LENGTH_TOLERANCE * expected, 1):
        raise DemixError(
            f"{folder}: {version.num_samples} samples are no version of {original.name} with "
            f"{original.num_samples}, which would have {expected}; is it another song's?"
        )
