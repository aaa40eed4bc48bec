"""Which songs a command line means, and where their stems go."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from my_submission.errors import DemixError

SUFFIXES = frozenset(
    ".aac .ac3 .aif .aifc .aiff .alac .ape .au .caf .flac .m4a .mka .mp2 .mp3 .mp4 .oga .ogg .opus"
    " .rf64 .w64 .wav .webm .wma .wv".split()
)
"""Files that count as songs where a folder is searched. A file that is named is always tried."""

MIXTURE = "mixture"
"""A folder that holds a file of this name is one song of a data set, its stems beside it."""


@dataclass(frozen=True)
class SongFile:
    """A song to separate.

    Attributes:
        path: The file.
        track: What its output folder is called; below a searched folder with the subfolders.
    """

    path: Path
    track: PurePath


def find_songs(inputs: Sequence[Path], *, exclude: Sequence[Path] = ()) -> list[SongFile]:
    """List the songs that files and folders stand for.

    Folders are searched with their subfolders, hidden ones left out. One that holds ``mixture.*``
    is a song of a data set: its mixture is the song, and the folder's name the track's.

    Args:
        inputs: Files and folders.
        exclude: Folders that are never searched: those of earlier outputs.

    Raises:
        DemixError: An input is not there, or a folder holds no song.
    """
    songs: list[SongFile] = []
    for path in inputs:
        if path.is_dir():
            found = list(_search(path, exclude))
            if not found:
                raise DemixError(f"{path}: a folder without songs")
            songs += found
        elif path.exists():
            songs.append(SongFile(path, PurePath(_track_name(path))))
        else:
            raise DemixError(f"{path}: no such file or folder")
    return songs


def _search(root: Path, exclude: Sequence[Path]) -> Iterator[SongFile]:
    excluded = {folder.resolve() for folder in exclude}
    for folder, subfolders, files in os.walk(root):
        here = Path(folder)
        subfolders[:] = sorted(
            name
            for name in subfolders
            if not name.startswith(".") and (here / name).resolve() not in excluded
        )
        names = sorted(
            name
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        )
        mixtures = [name for name in names if Path(name).stem == MIXTURE]
        below = here.relative_to(root)
        if mixtures:
            track = below if below.parts else PurePath(_safe(here.resolve().name))
            yield SongFile(here / mixtures[0], track)
        else:
            for name in names:
                yield SongFile(here / name, below / _track_name(Path(name)))


def _track_name(path: Path) -> str:
    # "song.v2.wav" is the track "song.v2"; only MUSDB18's ".stem.mp4" is a double suffix.
    return _safe(path.name.removesuffix(".stem.mp4") if path.suffix == ".mp4" else path.stem)


def _safe(name: str) -> str:
    # A name of dots alone would mean another folder.
    return name if name.strip(".") else "_"


def output_paths(
    song: SongFile, out: Path, template: str, names: Sequence[str], extension: str
) -> dict[str, Path]:
    """Say where each output of a song goes.

    Args:
        song: The song.
        out: The system's output folder.
        template: Path below it, with ``{track}``, ``{trackext}``, ``{stem}`` and ``{ext}``.
        names: The outputs: stems, or ``no_STEM``.
        extension: Of the output format, without a dot.

    Raises:
        DemixError: The template is wrong, leaves the folder, or gives two outputs one file.
    """
    paths = {}
    for name in names:
        try:
            relative = template.format(
                track=str(song.track),
                trackext=song.path.suffix.lstrip("."),
                stem=name,
                ext=extension,
            )
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            raise DemixError(
                f"--filename {template!r}: use {{track}}, {{trackext}}, {{stem}} and {{ext}} only"
            ) from error
        if PurePath(relative).is_absolute() or ".." in PurePath(relative).parts or not relative:
            raise DemixError(f"--filename {template!r}: leads out of the output folder")
        paths[name] = out / relative
    if len(set(paths.values())) < len(paths):
        raise DemixError(f"--filename {template!r}: gives several stems one file; use {{stem}}")
    return paths


def require_distinct(outputs: Sequence[tuple[SongFile, dict[str, Path]]]) -> None:
    """Refuse songs whose stems would overwrite each other's, or a song.

    Raises:
        DemixError: Two songs have an output file in common, or an output is an input.
    """
    owner: dict[Path, SongFile] = {}
    inputs = {song.path.resolve() for song, _ in outputs}
    for song, paths in outputs:
        for path in paths.values():
            if path.resolve() in inputs:
                raise DemixError(f"{path} is a song and would be overwritten: choose another -o")
            first = owner.setdefault(path, song)
            if first.path != song.path:
                raise DemixError(
                    f"{first.path} and {song.path} would both write {path}: "
                    "separate them into different folders (-o) or use {trackext} in --filename"
                )
