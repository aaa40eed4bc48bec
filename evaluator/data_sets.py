"""Songs with known stems: plain folders (MDXDB21's layout), and MUSDB18 through `musdb`.

- ``folder``: ``ROOT/SONG/mixture.wav`` and the four stems beside it, ``.wav`` or ``.flac``.
- ``musdb18-hq``: the same below ``ROOT/train`` and ``ROOT/test``.
- ``musdb18``: ``ROOT/train/SONG.stem.mp4`` and ``ROOT/test/…``. A song is decoded once, by one
  ffmpeg process, to 16-bit files in a temporary folder: the samples that ``musdb`` itself gives.

The mixture is the one that the data set holds, not the sum of the stems. Of MUSDB18, which songs
there are and which belong to the validation split is what ``musdb`` says.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from evaluator.errors import EvaluatorError
from evaluator.sound import LOSSLESS, STEMS, list_songs, require_names, require_sound

DataKind = Literal["folder", "musdb18", "musdb18-hq"]
Subset = Literal["train", "test"]
Split = Literal["train", "valid"]

SUBSETS: tuple[Subset, ...] = ("train", "test")
STEM_FILE = ".stem.mp4"


@dataclass(frozen=True)
class SongFiles:
    """The files of one song, there until it is closed; a context manager.

    Args:
        mixture: WAV or FLAC.
        references: the same of each stem.
        decoded: where they lie, if only for now.
    """

    mixture: Path
    references: Mapping[str, Path]
    decoded: "tempfile.TemporaryDirectory[str] | None" = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was decoded."""
        if self.decoded is not None:
            self.decoded.cleanup()


@dataclass(frozen=True)
class DataSong:
    """One song of a data set.

    Args:
        name: its name, which names the folder of its estimates.
        location: its folder, or its ``.stem.mp4``.
        streams: of a ``.stem.mp4``, the stream of the mixture and of each stem.
        rate: of a ``.stem.mp4``, in Hz.
    """

    name: str
    location: Path
    streams: Mapping[str, int] = field(default_factory=dict)
    rate: int = 0

    def open(self, scratch: Path | None = None) -> SongFiles:
        """Give the song's files; a ``.stem.mp4`` is decoded here.

        Args:
            scratch: the folder for what is decoded; the system's own where it is not given.

        Raises:
            EvaluatorError: a file is missing, or cannot be decoded.
        """
        if not self.streams:
            mixture = require_sound(self.location, "mixture", LOSSLESS)
            stems = {stem: require_sound(self.location, stem, LOSSLESS) for stem in STEMS}
            return SongFiles(mixture, stems)
        folder = tempfile.TemporaryDirectory(prefix="demix-", dir=scratch)
        try:
            files = {name: Path(folder.name) / f"{name}.wav" for name in self.streams}
            self._decode(files)
        except BaseException:
            folder.cleanup()
            raise
        return SongFiles(files["mixture"], {stem: files[stem] for stem in STEMS}, folder)

    def _decode(self, files: Mapping[str, Path]) -> None:
        command = [_program("ffmpeg"), "-nostdin", "-v", "error", "-i", f"file:{self.location}"]
        for name, file in files.items():
            # As stempeg does it for musdb: from time 0, as 16 bits.
            command += ["-map", f"0:{self.streams[name]}", "-ss", "0", "-ar", str(self.rate)]
            command += ["-c:a", "pcm_s16le", "-fflags", "+bitexact", str(file)]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            raise EvaluatorError(f"{self.location} cannot be decoded: {_last_line(done.stderr)}")


@dataclass(frozen=True)
class DataSet:
    """The songs to evaluate on.

    Args:
        root: the folder that was given, absolute.
        kind: its layout.
        subset: of MUSDB18; None for a plain folder.
        split: of the train subset: the songs to train on, or those to validate on.
        songs: sorted by name.
    """

    root: Path
    kind: DataKind
    subset: Subset | None
    split: Split | None
    songs: tuple[DataSong, ...]


def open_data_set(
    root: Path,
    *,
    subset: Subset | None = None,
    split: Split | None = None,
    names: Sequence[str] | None = None,
) -> DataSet:
    """Find the songs of a folder, whichever of the three layouts it has.

    Args:
        root: the folder.
        subset: of MUSDB18; ``test`` where it is not given.
        split: of MUSDB18's train subset, as ``musdb`` has it.
        names: only these songs.

    Raises:
        EvaluatorError: there are no songs, or not those that were asked for; ``subset`` or
            ``split`` do not go with the folder; `musdb` or ffmpeg is needed and missing.
    """
    root = root.resolve() if root.is_dir() else root
    kind = kind_of(root)
    if kind == "folder":
        if subset is not None or split is not None:
            raise EvaluatorError(
                f"{root} is a plain folder of songs: --subset and --split are for MUSDB18, a"
                " folder that holds train and test"
            )
        songs = [DataSong(name, root / name) for name in list_songs(root)]
    else:
        subset = subset or "test"
        if split is not None and subset != "train":
            raise EvaluatorError(f"subset {subset} has no split {split}: give --subset train")
        songs = _musdb_songs(root, kind, subset, split)
        if not songs:
            there = ", ".join(name for name in SUBSETS if (root / name).is_dir())
            raise EvaluatorError(f"{root} holds no songs of subset {subset}; there is: {there}")
    chosen = songs if names is None else _chosen(songs, names, root)
    return DataSet(root, kind, subset, split, tuple(chosen))


def kind_of(root: Path) -> DataKind:
    """Tell a folder's layout by what lies in it; ``folder`` where it is neither of the others."""
    for subset in SUBSETS:
        if any((root / subset).glob(f"*{STEM_FILE}")):
            return "musdb18"
    if any(root.glob(f"*{STEM_FILE}")):
        raise EvaluatorError(f"{root} is one subset of MUSDB18: give the folder that it lies in")
    for subset in SUBSETS:
        if any((root / subset).glob("*/mixture.wav")):
            return "musdb18-hq"
    return "folder"


def _chosen(songs: Sequence[DataSong], names: Sequence[str], root: Path) -> list[DataSong]:
    require_names(names, [song.name for song in songs], root)
    return [song for song in songs if song.name in names]


def _musdb_songs(root: Path, kind: DataKind, subset: Subset, split: Split | None) -> list[DataSong]:
    try:
        import musdb
    except ModuleNotFoundError as error:
        raise EvaluatorError(f"MUSDB18 is read with musdb: pip install {error.name}") from error
    _program("ffprobe")
    is_wav = kind == "musdb18-hq"
    # Its own dependency, which it does not pass on.
    probe_error: type[Exception] = musdb.audio_classes.stempeg.read.ffmpeg.Error
    try:
        data: Any = musdb.DB(root=str(root), is_wav=is_wav, subsets=[subset], split=split)
    except probe_error as error:
        told: bytes = getattr(error, "stderr", None) or b""
        reason = _last_line(told.decode(errors="replace"))
        raise EvaluatorError(f"{root}: musdb finds a song that is no sound: {reason}") from error
    songs = []
    for track in data.tracks:
        path = Path(track.path)
        if is_wav and path.is_file():
            songs.append(DataSong(track.name, path.parent))
        elif not is_wav:
            streams = {"mixture": track.stem_id}
            streams |= {name: source.stem_id for name, source in track.sources.items()}
            songs.append(DataSong(track.name, path, streams, int(track.rate)))
    return sorted(songs, key=lambda song: song.name)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise EvaluatorError(f"MUSDB18 is read with {name}, which is not installed: install ffmpeg")
    return found


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
