"""The command `python -m training.augment`: songs in other pitches and tempos, written ahead.

What changes pitch and tempo well is too slow for training to wait for. Beside the songs of
`ROOT/train` this makes `OUT/train_p=P_t=T/SONG/STEM.flac` for every pitch shift P in semitones and
every change of tempo T in percent; the data module's `augmented` takes OUT. Steps and names are
those of kuielab/mdx-net.
"""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from my_submission.audio.encoding import Container, OutputFormat
from my_submission.audio.output import StemWriter
from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.audio.whole import length_if_whole
from my_submission.endings import one_line_errors
from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, STEMS
from training.data.decoded import fits_16_bits
from training.data.split import MUSDB18_VALIDATION
from training.data.tracks import Say, Track, open_tracks, song_folders, stem_file
from training.data.versions import Change
from training.soundstretch import StoppedError, changed_stem, require_program

TEMPO_STEP = 10
"""Percent."""


@dataclass(frozen=True)
class Version:
    """A version of a song that is to be there.

    Attributes:
        track: The song.
        change: Its other pitch and tempo.
        folder: Where it goes.
    """

    track: Track
    change: Change
    folder: Path

    def is_there(self) -> bool:
        """Tell whether an earlier run has written it.

        Raises:
            DemixError: Another song's version lies there.
        """
        files = [stem_file(self.folder, stem) for stem in STEMS]
        lengths = {length_if_whole(path) for path in files if path is not None}
        expected = self.change.num_samples(self.track.num_samples)
        if any(length is not None and length != (expected, SAMPLE_RATE) for length in lengths):
            raise DemixError(
                f"{self.folder}: holds a version of another song; choose another folder to write to"
            )
        return None not in files and None not in lengths


def changes(max_semitones: int, max_tempo_percent: int) -> list[Change]:
    """List all changes up to these, in steps of a semitone and of `TEMPO_STEP`, but none at all."""
    shifts = range(-max_semitones, max_semitones + 1)
    tempos = range(-(max_tempo_percent // TEMPO_STEP), max_tempo_percent // TEMPO_STEP + 1)
    every = [Change(shift, TEMPO_STEP * tempo) for shift in shifts for tempo in tempos]
    return [change for change in every if change != Change(0, 0)]


def augment(
    tracks: Sequence[Track],
    songs: Path,
    out: Path,
    wanted: Sequence[Change],
    *,
    jobs: int = 1,
    container: Container = "flac",
    say: Say = print,
) -> None:
    """Write the versions that are not there yet, several at a time.

    A version appears whole or not at all, so that a run that was stopped is gone on with by the
    same call. Where it ends by an exception, what runs is stopped first.

    Args:
        tracks: The songs of `songs`.
        songs: The folder that they lie in, after which the folders of versions are named.
        out: Where those go.
        wanted: Which versions.
        jobs: Versions that are made at a time.
        container: `flac` or `wav`, of 16 bits where the song has no more, else of 24.
        say: Takes lines of progress, and one for each version that had to be turned down.

    Raises:
        DemixError: A song cannot be read, `soundstretch` fails, or there is no space left.
    """
    versions = [
        Version(track, change, change.folder(out, songs) / track.name)
        for track in tracks
        for change in wanted
    ]
    missing = [version for version in versions if not version.is_there()]
    if len(missing) < len(versions):
        say(f"{len(versions) - len(missing)} of {len(versions)} versions are there already")
    stop = Event()
    started, seconds = time.monotonic(), 0.0
    with ThreadPoolExecutor(jobs) as pool:
        running = {
            pool.submit(write_version, version, container, stop, say): version
            for version in missing
        }
        try:
            for done, future in enumerate(as_completed(running), start=1):
                future.result()
                version = running[future]
                seconds += version.track.num_samples / SAMPLE_RATE
                speed = seconds / (time.monotonic() - started)
                place = version.folder.relative_to(out)
                say(f"{done}/{len(missing)} {place} ({speed:.1f} times real time)")
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def write_version(version: Version, container: Container, stop: Event, say: Say) -> None:
    """Write one version of a song: four stems of the same length, under one gain.

    Args:
        version: Which.
        container: `flac` or `wav`.
        stop: Set by another thread to end the work.
        say: Takes a line where all stems had to be turned down, so that none clips.

    Raises:
        DemixError: As `augment`.
        StoppedError: `stop` was set.
    """
    track, change = version.track, version.change
    num_samples = change.num_samples(track.num_samples)
    form = OutputFormat(container, "int16" if fits_16_bits(track) else "int24", "rescale")
    paths = {str(stem): version.folder / f"{stem}{form.suffix}" for stem in STEMS}
    with ExitStack() as stack:
        stems = {
            stem: stack.enter_context(changed_stem(track, stem, change, stop)) for stem in STEMS
        }

        def say_where(line: str) -> None:
            say(f"{version.folder}: {line}")

        writer = stack.enter_context(StemWriter(paths, num_samples, form, say=say_where))
        for start in range(0, num_samples, BLOCK_FRAMES):
            if stop.is_set():
                raise StoppedError
            length = min(BLOCK_FRAMES, num_samples - start)
            writer.write({str(name): stem.read(length) for name, stem in stems.items()})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = _parser().parse_args(arguments)
    with one_line_errors():
        if options.jobs < 1:
            raise DemixError(f"-j {options.jobs}: give at least 1")
        wanted = changes(options.semitones, options.tempo)
        if not wanted:
            raise DemixError("--semitones 0 --tempo 0: nothing would be changed")
        require_program()
        songs = _songs_folder(options.data)
        tracks = open_tracks(songs, print)
        if options.leave_out_validation:
            tracks = [track for track in tracks if track.name not in MUSDB18_VALIDATION]
        print(f"{len(tracks)} songs in {songs}, {len(wanted)} versions of each", flush=True)
        augment(
            tracks,
            songs,
            options.out,
            wanted,
            jobs=options.jobs,
            container=options.format,
            say=lambda line: print(line, flush=True),
        )


def _songs_folder(data: Path) -> Path:
    """Give the folder itself, or of MUSDB18-HQ's root the training songs."""
    train = data / "train"
    return train if not song_folders(data) and train.is_dir() else data


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.augment",
        description="Write songs in other pitches and tempos, for training.",
    )
    parser.add_argument("data", type=Path, help="folder of songs, or MUSDB18-HQ's: its train")
    parser.add_argument("out", type=Path, help="where to write; versions there are kept")
    parser.add_argument(
        "--semitones", type=int, choices=range(4), default=2, help="largest pitch shift (2)"
    )
    parser.add_argument(
        "--tempo", type=int, choices=range(0, 31, 10), default=20, help="largest change in %% (20)"
    )
    parser.add_argument("-j", "--jobs", type=int, default=1, help="versions made at a time (1)")
    parser.add_argument("--format", choices=("flac", "wav"), default="flac", help="of files (flac)")
    parser.add_argument(
        "--leave-out-validation",
        action="store_true",
        help="leave out the songs that the default split of MUSDB18 validates on",
    )
    return parser


if __name__ == "__main__":
    main()
