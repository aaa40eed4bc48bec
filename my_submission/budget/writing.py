"""Writes what a run has come to, and does with less where there is not the time for that."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from my_submission.audio.output import OutputFormat, StemWriter
from my_submission.budget.finishing import Hurry
from my_submission.budget.song_copy import SongCopy
from my_submission.budget.song_run import SongRun
from my_submission.stems import STEMS, Audio
from my_submission.streams import named_output


def write_stems(
    run: SongRun,
    song: SongCopy,
    paths: Mapping[str, Path],
    fmt: OutputFormat,
    *,
    sample_rate: int,
    out_samples: int,
    say: Callable[[str], None],
) -> float | None:
    """Put together what has been estimated, and write it.

    Where four different stems cannot be written in time, or that turns out while it is done, the
    mixture is shared out equally: one file is written then, and copied. Where the time ends all the
    same, the files are silent from there on.

    Args:
        run: It is over.
        song: What it is about.
        paths: File by name of what is wanted.
        fmt: Of the files.
        sample_rate: Of the files, Hz.
        out_samples: Of each file.
        say: Takes a line if the stems are turned down or clamped.

    Returns:
        Seconds up to which the files hold sound; None for all.

    Raises:
        DemixError: A file cannot be written.
    """
    open_writer = partial(
        StemWriter,
        paths,
        run.num_samples,
        fmt,
        sample_rate=sample_rate,
        out_samples=out_samples,
        say=say,
    )
    hurry = run.hurry()
    if hurry.can_write():
        with suppress(_TooSlowError):
            opened = open_writer(is_late=hurry.is_over)
            return _written(opened, _blocks(run, song, paths, hurry.can_split), hurry)
    run.forget_estimates()
    hurry = run.hurry(is_copied=True)
    opened = open_writer(copies=_copies(paths), is_late=hurry.is_over)
    return _written(opened, _blocks(run, song, paths, _never), hurry)


def _written(
    opened: StemWriter, blocks: Iterable[tuple[int, dict[str, Audio]]], hurry: Hurry
) -> float | None:
    with opened as writer:
        for position, block in blocks:
            if hurry.is_lost(position):
                raise _TooSlowError
            writer.write(block)
            if writer.sound_seconds is not None:
                break
    return writer.sound_seconds


class _TooSlowError(Exception):
    """Leaves nothing of what has been written."""


def _blocks(
    run: SongRun, song: SongCopy, names: Iterable[str], can_split: Callable[[int], bool]
) -> Iterator[tuple[int, dict[str, Audio]]]:
    """Give consecutive blocks ``[2, n]`` of what is wanted, and where they begin."""
    position = 0
    for block in run.assembled(can_split):
        mixture = song.read(position, position + block.shape[-1])
        stems: dict[str, Audio] = dict(zip(STEMS, block, strict=True))
        yield position, {name: named_output(name, stems, mixture) for name in names}
        position += block.shape[-1]


def _copies(names: Iterable[str]) -> dict[str, str]:
    """Map each stem's name to that of another which is the same where the mixture is shared out."""
    stems = [name for name in names if name in STEMS]
    return dict.fromkeys(stems[1:], stems[0]) if stems else {}


def _never(_position: int) -> bool:
    return False
