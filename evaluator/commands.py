"""The `demix` commands of the evaluator: `evaluate` and `score`."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from evaluator import commands_of_runs
from evaluator.baselines import Baselines
from evaluator.command_errors import as_demix_errors
from evaluator.contamination import contamination, union
from evaluator.data_sets import Split, Subset, open_data_set
from evaluator.errors import EvaluatorError
from evaluator.origins import Origin, remarks
from evaluator.report import baselines_of, mean_baselines, print_scores, write_scores
from evaluator.results import CEILING, FLOOR, Metrics, Scores, write_csv, write_text
from evaluator.scoring import SongScore, score_song, songs_with_references
from evaluator.sound import STEMS, name_some, split_names, subfolders
from evaluator.summary import score_table, summary
from my_submission.cli.batch import Report, error_console, run_songs
from my_submission.cli.options import (
    BackendOption,
    DeviceOption,
    JobsOption,
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
    commands_of_runs.register(app)


def evaluate(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Folder with SONG/mixture.wav and SONG/STEM.wav (or .flac), or MUSDB18 or "
            "MUSDB18-HQ: the folder with train and test.",
        ),
    ],
    name: NameOption = "starter",
    out: OutOption = Path("separated"),
    device: DeviceOption = "auto",
    models: ModelsOption = None,
    precision: PrecisionOption = "auto",
    backend: BackendOption = "auto",
    subset: Annotated[Subset | None, typer.Option(help="Of MUSDB18.", show_default="test")] = None,
    split: Annotated[
        Split | None, typer.Option(help="Of MUSDB18's train subset.", show_default="both")
    ] = None,
    songs: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Only these songs.", show_default="all"),
    ] = None,
    metrics: Annotated[
        Metrics,
        typer.Option(
            help="global: the challenge's SDR, SI-SDR and null depth; all: museval's BSSEval v4 "
            "as well, which takes about a minute per song and core."
        ),
    ] = "all",
    deadline: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.1,
            help="Seconds for each song, as for demix separate: mixture.budget.json beside the "
            "stems tells what was left out, and so does a report. Songs are then scored between "
            "separations, not beside them.",
        ),
    ] = None,
    skip_existing: SkipExistingOption = False,
    jobs: JobsOption = 1,
) -> None:
    """Separate songs into OUT/SYSTEM/SONG/STEM.wav and score them as they finish.

    A song that fails is named and the others go on; the exit status is 1 then. After a run that
    was stopped, --skip-existing goes on with the songs whose stems are not there or not whole,
    and scores what has not been scored.

    The scores are printed and kept in OUT/SYSTEM: scores.md and scores.csv, scores.json with the
    challenge's SDR, museval/SONG.json and SONG/scores.json.
    """
    if deadline is not None and jobs > 1:
        raise typer.BadParameter("--deadline is for one song at a time, without --jobs")
    console = error_console()
    run = out / name
    with as_demix_errors():
        found = open_data_set(data, subset=subset, split=split, names=split_names(songs))
    if run.resolve() == found.root or any(
        (run / song.name).resolve() == song.location for song in found.songs
    ):
        raise DemixError(f"{run} holds the references: give another folder with --out")
    if metrics == "all" and find_spec("museval") is None:
        raise DemixError("museval is not installed: pip install museval, or give --metrics global")

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    # Late: torch takes seconds to import, which `demix --help` should not wait for.
    from evaluator.evaluation import Evaluation, SeparateToFiles
    from evaluator.run_description import describe_run

    def load() -> tuple[SeparateToFiles, Origin]:
        if deadline is None:
            from my_submission.separator import Separator

            separator = Separator(
                name, models=models, device=device, precision=precision, backend=backend, say=say
            )
            return separator.separate_to_files, describe_run(name, found, separator.compute, models)
        from my_submission.budget.messages import Task
        from my_submission.budget.timed_separator import TimedSeparator
        from my_submission.compute import resolve_compute

        task = Task(name, models, device, precision, backend)
        timed = stack.enter_context(TimedSeparator(task, say=say))
        timed.set_up()
        # The same as in the process that runs the networks.
        compute = resolve_compute(device, precision, backend)
        origin = describe_run(name, found, compute, models, deadline)
        return partial(timed.separate_to_files, seconds=deadline), origin

    warnings = [contamination(name, s.name, found.subset, found.split) for s in found.songs]
    for warning in union(warnings):
        say(f"note: {warning}")
    evaluation = Evaluation(
        name,
        found,
        run,
        load,
        metrics=metrics,
        is_timed=deadline is not None,
        skip_existing=skip_existing,
        console=console,
        say=say,
    )
    with ExitStack() as stack:
        evaluation.separate_and_score(jobs)
    done = [evaluation.scores[s.name] for s in found.songs if s.name in evaluation.scores]
    if done:
        with as_demix_errors():
            write_csv(run, name, done)
            write_text(run / "scores.md", summary(name, found, done))
            scores, baselines = _challenge_scores(done)
            print_scores(scores, baselines)
            write_scores(run / "scores.json", scores, baselines)
        notes = "".join(f"\n{shown(line)}" for line in remarks([s["origin"] for s in done]))
        typer.echo(f"\n{score_table(done)}{notes}\n\nAll scores: {shown(run / 'scores.md')}")
    failed = [song.name for song in found.songs if song.name in evaluation.failed]
    if failed:
        say(f"failed: {shown(name_some(failed))}")
        raise typer.Exit(1)


def _challenge_scores(done: Sequence[Scores]) -> tuple[list[SongScore], Baselines]:
    """Give the global SDR of each song, and the means of floor and ceiling."""

    def score(song: Scores, stems: Scores) -> SongScore:
        return SongScore(song["song"], {stem: stems[stem]["global_sdr"] for stem in STEMS})

    baselines = [
        Baselines(score(song, song["floor"][FLOOR]), score(song, song["ceiling"][CEILING]))
        for song in done
    ]
    return [score(song, song["scores"]) for song in done], mean_baselines(baselines)


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
    with as_demix_errors():
        names = songs_with_references(references)
        separated = {path.name for path in subfolders(estimates)}
        if not separated.intersection(names):
            raise EvaluatorError(f"{estimates} holds no estimates of {name_some(names)}")
    scores: list[SongScore] = []

    def score_one(song: str, _report: Report) -> None:
        with as_demix_errors():
            if song not in separated:
                raise EvaluatorError(f"{estimates} holds no estimates of {song}")
            scores.append(score_song(references / song, estimates / song, name=song))

    failed = run_songs(names, score_one, jobs=1, console=console, title=str)
    if scores:
        _show(scores, references, json_file)
    if failed:
        raise typer.Exit(1)


def _show(scores: list[SongScore], references: Path, json_file: Path | None) -> None:
    with as_demix_errors():
        baselines = baselines_of(references, [song.name for song in scores])
        print_scores(scores, baselines)
        if json_file is not None:
            write_scores(json_file, scores, baselines)
