"""Which songs are trained on, and which ones tell how well it goes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from my_submission.errors import DemixError
from training.data.tracks import Say, Track, open_tracks
from training.data.versions import with_versions

MUSDB18_VALIDATION = (
    "ANiMAL - Rockshow",
    "Actions - One Minute Smile",
    "Alexander Ross - Goodbye Bolero",
    "Clara Berry And Wooldog - Waltz For My Victims",
    "Fergessen - Nos Palpitants",
    "James May - On The Line",
    "Johnny Lokke - Promises & Lies",
    "Leaf - Summerghost",
    "Meaxic - Take A Step",
    "Patrick Talbot - A Reason To Leave",
    "Skelpolu - Human Mistakes",
    "Traffic Experiment - Sirens",
    "Triviul - Angelsaint",
    "Young Griffo - Pennies",
)
"""The 14 songs of MUSDB18's 100 training songs that the `musdb` package keeps for validation."""


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Which songs there are. All folders are read where they are, and nothing is moved.

    Attributes:
        musdb: Root of MUSDB18-HQ, with the songs in `train` and `test`.
        train_on_test: Whether its test songs are trained on too, as for Leaderboard B.
        folders: Further folders of songs to train on.
        validation_folders: Folders of songs to validate on: MDXDB21, for one.
        validation_songs: Training songs that are validated on instead: their names, or how many
            of the first. None: `MUSDB18_VALIDATION`, or none where there are `validation_folders`.
        augmented: Folders in which `training.augment` has put changed versions of the songs.
        max_semitones: The largest pitch shift that is taken of those.
        max_tempo_percent: The largest change of tempo that is taken of those.
    """

    musdb: Path | None = None
    train_on_test: bool = False
    folders: Sequence[Path] = ()
    validation_folders: Sequence[Path] = ()
    validation_songs: int | Sequence[str] | None = None
    augmented: Sequence[Path] = ()
    max_semitones: int = 2
    max_tempo_percent: int = 20


@dataclass(frozen=True)
class Split:
    """The songs of a training, of which none is on both sides."""

    train: tuple[Track, ...]
    validation: tuple[Track, ...]


def split_songs(options: DataOptions, say: Say) -> Split:
    """Find the songs and divide them.

    Args:
        options: Which.
        say: Takes a line for what is left out or not there.

    Raises:
        DemixError: A folder is missing or holds no songs; the songs to validate on are not there,
            or not said; nothing is left to train on; a song is on both sides; or a song cannot be
            read (`open_track`).
    """
    attach = partial(
        with_versions,
        folders=options.augmented,
        max_semitones=options.max_semitones,
        max_tempo_percent=options.max_tempo_percent,
        say=say,
    )
    songs = [
        track
        for folder in _training_folders(options)
        for track in attach(open_tracks(folder, say), folder)
    ]
    held_out = _held_out(options, songs, say)
    train = [track for track in songs if track.name not in held_out]
    # The same song may be there in two folders; it is validated on once.
    validation = list({track.name: track for track in songs if track.name in held_out}.values())
    for folder in options.validation_folders:
        validation += open_tracks(folder, say)
    if not train:
        raise DemixError(f"{len(songs)} songs are too few: all of them are kept for validation")
    _check_apart(train, validation)
    return Split(tuple(train), tuple(validation))


def _training_folders(options: DataOptions) -> list[Path]:
    folders = list(options.folders)
    if options.musdb is not None:
        subsets = ("train", "test") if options.train_on_test else ("train",)
        for subset in subsets:
            if not (options.musdb / subset).is_dir():
                raise DemixError(
                    f"{options.musdb}: has no folder {subset}; give the root of MUSDB18-HQ"
                )
        folders = [*(options.musdb / subset for subset in subsets), *folders]
    elif options.train_on_test:
        raise DemixError("train_on_test is about MUSDB18-HQ: give its root as musdb")
    if not folders:
        raise DemixError("no songs to train on: give musdb, folders or both")
    return folders


def _held_out(options: DataOptions, songs: Sequence[Track], say: Say) -> Collection[str]:
    """Give the names of the songs that are not trained on."""
    wanted = options.validation_songs
    if wanted is None and options.validation_folders:
        return ()
    names = {track.name for track in songs}
    if wanted is None:
        found = names.intersection(MUSDB18_VALIDATION)
        if not found:
            raise DemixError(
                "no songs for validation: none has a name of MUSDB18's validation songs; give "
                "validation_songs or validation_folders"
            )
        missing = sorted(set(MUSDB18_VALIDATION) - found)
        if missing:
            say(f"validation is on {len(found)} songs; MUSDB18's split also has {missing}")
        return found
    if isinstance(wanted, int):
        first = list(dict.fromkeys(track.name for track in songs))[: max(wanted, 0)]
        if wanted != len(first):
            raise DemixError(f"validation_songs={wanted}: give 0 to {len(names) - 1} songs")
        return first
    unknown = sorted(set(wanted) - names)
    if unknown:
        raise DemixError(f"validation_songs: there is no song {', '.join(unknown)}")
    return set(wanted)


def _check_apart(train: Sequence[Track], validation: Sequence[Track]) -> None:
    trained = {track.files["bass"].resolve() for track in train}
    for track in validation:
        if track.files["bass"].resolve() in trained:
            raise DemixError(
                f"{track.files['bass'].parent}: is both trained on and validated on; take its "
                "folder out of one of the two"
            )
