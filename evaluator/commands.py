"""The `demix` commands of the evaluator: `evaluate` and `score`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from evaluator.errors import EvaluatorError
from evaluator.report import print_scores, quarter_of_mixture, write_scores
from evaluator.scoring import SongScore, score_song, songs_with_references
from evaluator.sound import (
    LOSSLESS,
    STEMS,
    list_songs,
    name_some,
    require_sound,
    subfolders,
)
from my_submission.cli.batch import Report, error_console, run_songs
from my_submission.cli.options import (
    BackendOption,
    DeviceOption,
    ModelsOption,
    NameOption,
    OutOption,
    PrecisionOption,
    SkipExistingOption,
)
from my_submission.display import shown
from my_submission.errors import DemixError


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    app.command()(evaluate)
    app.command()(score)


def evaluate(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="Folder with SONG/mixture.wav and SONG/STEM.wav (or .flac)."
        ),
    ],
    name: NameOption = "starter",
    out: OutOption = Path("separated"),
    device: DeviceOption = "auto",
    models: ModelsOption = None,
    precision: PrecisionOption = "auto",
    backend: BackendOption = "auto",
    skip_existing: SkipExistingOption = False,
) -> None:
    """Separate a folder of songs into OUT/SYSTEM/SONG/STEM.wav and score the stems.

    A song that fails is named and the others go on; the exit status is 1 then.

    The scores are printed and kept in OUT/SYSTEM/scores.json.
    """
    console = error_console()
    results = out / name
    with _as_demix_errors():
        songs = list_songs(data)
    if results.resolve() == data.resolve():
        raise DemixError(f"{results} holds the references: give another folder with --out")

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    # Late: torch takes seconds to import, which `demix --help` should not wait for.
    from my_submission.separator import Separator

    separator = Separator(
        name, models=models, device=device, precision=precision, backend=backend, say=say
    )
    scores: list[SongScore] = []

    def separate_and_score(song: str, report: Report) -> None:
        stems = {stem: results / song / f"{stem}.wav" for stem in STEMS}
        with _as_demix_errors():
            mixture = require_sound(data / song, "mixture", LOSSLESS)
            # Before the long part: a song that cannot be scored is found out at once.
            for stem in STEMS:
                require_sound(data / song, stem, LOSSLESS)
            if not (skip_existing and all(path.is_file() for path in stems.values())):
                separator.separate_to_files(
                    mixture, stems, source_rate=True, progress=report, say=say
                )
            scores.append(score_song(data / song, results / song, name=song))

    failed = run_songs(songs, separate_and_score, jobs=1, console=console, title=str)
    if scores:
        _show(scores, data, results / "scores.json")
    if failed:
        say(f"failed: {shown(name_some(failed))}")
        raise typer.Exit(1)


def score(
    references: Annotated[
        Path, typer.Argument(metavar="REFERENCES", help="Folder with SONG/STEM.wav or .flac.")
    ],
    estimates: Annotated[
        Path, typer.Argument(metavar="ESTIMATES", help="Folder with SONG/STEM.wav, .flac or .mp3.")
    ],
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Keep the scores in a file.")
    ] = None,
) -> None:
    """Score separated songs.

    A song that cannot be scored is named and the others go on; the exit status is 1 then.
    """
    console = error_console()
    with _as_demix_errors():
        names = songs_with_references(references)
        separated = {path.name for path in subfolders(estimates)}
        if not separated.intersection(names):
            raise EvaluatorError(f"{estimates} holds no estimates of {name_some(names)}")
    scores: list[SongScore] = []

    def score_one(song: str, _report: Report) -> None:
        with _as_demix_errors():
            if song not in separated:
                raise EvaluatorError(f"{estimates} holds no estimates of {song}")
            scores.append(score_song(references / song, estimates / song, name=song))

    failed = run_songs(names, score_one, jobs=1, console=console, title=str)
    if scores:
        _show(scores, references, json_file)
    if failed:
        raise typer.Exit(1)


def _show(scores: list[SongScore], references: Path, json_file: Path | None) -> None:
    with _as_demix_errors():
        quarter = quarter_of_mixture(references, [song.name for song in scores])
        print_scores(scores, quarter)
        if json_file is not None:
            write_scores(json_file, scores, quarter)


@contextmanager
def _as_demix_errors() -> Iterator[None]:
    try:
        yield
    except EvaluatorError as error:
        raise DemixError(str(error)) from error
