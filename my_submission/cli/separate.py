"""`demix separate`: songs in, stems out."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from my_submission.cli import batch
from my_submission.cli.inputs import SongFile, find_songs, output_paths, require_distinct
from my_submission.cli.options import (
    BackendOption,
    DeviceOption,
    ModelsOption,
    NameOption,
    OutOption,
    PrecisionOption,
    SkipExistingOption,
)
from my_submission.cli.resuming import is_separated
from my_submission.display import shown
from my_submission.stems import STEMS, Stem


def _print_systems(wanted: bool) -> None:
    if wanted:
        from my_submission.systems import SYSTEMS

        typer.echo("\n".join(SYSTEMS))
        raise typer.Exit


def separate(
    songs: Annotated[
        list[Path],
        typer.Argument(
            metavar="SONG...", help="Sound files; folders are searched.", show_default=False
        ),
    ],
    name: NameOption = "starter",
    out: OutOption = Path("separated"),
    device: DeviceOption = "auto",
    models: ModelsOption = None,
    precision: PrecisionOption = "auto",
    backend: BackendOption = "auto",
    two_stems: Annotated[
        Stem | None,
        typer.Option("--two-stems", help="Write this stem and no_STEM: the mixture less it."),
    ] = None,
    float32: Annotated[bool, typer.Option("--float32", help="32-bit float WAV.")] = False,
    int24: Annotated[bool, typer.Option("--int24", help="24-bit WAV or FLAC.")] = False,
    flac: Annotated[bool, typer.Option("--flac", help="FLAC instead of WAV.")] = False,
    mp3: Annotated[bool, typer.Option("--mp3", help="MP3 instead of WAV.")] = False,
    clip_mode: Annotated[
        Literal["rescale", "clamp", "none"],
        typer.Option(
            help="Where integer samples would clip. rescale: one common gain for all stems of the "
            "song; clamp: cut peaks off; none: refuse. Stems never get gains of their own."
        ),
    ] = "rescale",
    sample_rate: Annotated[
        Literal["44100", "source"],
        typer.Option(help="Rate of the stems: 44100 Hz, or the song's own."),
    ] = "44100",
    filename: Annotated[
        str,
        typer.Option(help="Path of a stem below OUT/SYSTEM; {trackext} is the song's suffix."),
    ] = "{track}/{stem}.{ext}",
    deadline: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.1,
            help="Seconds for each song: what there is no time for is left out, the least "
            "important first; SONG.budget.json beside the stems tells of it.",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Songs at a time.")] = 1,
    skip_existing: SkipExistingOption = False,
    _list_systems: Annotated[
        bool,
        typer.Option(
            "--list-systems", callback=_print_systems, is_eager=True, help="List systems."
        ),
    ] = False,
) -> None:
    """Separate songs into OUT/SYSTEM/TRACK/STEM.wav."""
    from my_submission.audio.output import OutputFormat

    if flac and mp3:
        raise typer.BadParameter("--flac and --mp3 exclude each other")
    if float32 and (int24 or flac or mp3):
        raise typer.BadParameter("--float32 is for WAV files, without --int24, --flac or --mp3")
    if int24 and mp3:
        raise typer.BadParameter("--int24 is for WAV and FLAC files")
    if deadline is not None and jobs > 1:
        raise typer.BadParameter("--deadline is for one song at a time, without --jobs")
    container: Literal["wav", "flac", "mp3"] = "flac" if flac else "mp3" if mp3 else "wav"
    subtype: Literal["int16", "int24", "float32"] = (
        "float32" if float32 else "int24" if int24 else "int16"
    )
    fmt = OutputFormat(container=container, subtype=subtype, clip_mode=clip_mode)
    wanted = [two_stems, f"no_{two_stems}"] if two_stems else list(STEMS)

    found = find_songs(songs, exclude=[out, out / name])
    outputs = [
        (song, output_paths(song, out / name, filename, wanted, container)) for song in found
    ]
    require_distinct(outputs)
    console = batch.error_console()
    waiting = [
        (song, paths)
        for song, paths in outputs
        if not (skip_existing and is_separated(paths.values()))
    ]
    if len(waiting) < len(outputs):
        console.print(f"{len(outputs) - len(waiting)} song(s) already separated, skipped")
    if not waiting:
        return

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    with ExitStack() as stack:
        to_files: Callable[..., object]
        if deadline is None:
            from my_submission.separator import Separator

            separator = Separator(
                name, models=models, device=device, precision=precision, backend=backend, say=say
            )
            to_files = partial(separator.separate_to_files, fmt=fmt)
        else:
            from my_submission.budget.messages import Task
            from my_submission.budget.timed_separator import TimedSeparator

            task = Task(name, models, device, precision, backend)
            timed = stack.enter_context(TimedSeparator(task, say=say))
            timed.set_up(fmt)
            to_files = partial(timed.separate_to_files, seconds=deadline, fmt=fmt)

        def separate_song(job: tuple[SongFile, dict[str, Path]], report: batch.Report) -> None:
            song, paths = job
            to_files(
                song.path,
                paths,
                source_rate=sample_rate == "source",
                progress=report,
                say=say,
            )

        failed = batch.run_songs(
            waiting, separate_song, jobs=jobs, console=console, title=lambda job: str(job[0].track)
        )
    if len(failed) < len(waiting):
        say(f"{len(waiting) - len(failed)} song(s) separated into {shown(out / name)}")
    if failed:
        raise typer.Exit(1)
