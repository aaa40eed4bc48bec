"""A rehearsal: a fresh clone of what would be pushed, run as the challenge runs it."""

import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from evaluator.errors import EvaluatorError
from my_submission.audio.scratch_space import scratch_folder
from my_submission.devices import resolve_device
from my_submission.errors import DemixError
from submitting import mdx23_run
from submitting.checks import Check, ok, to_do, warning
from submitting.contents import lfs_objects
from submitting.git import GitError, Repository
from submitting.hardware import cores_of_the_grader
from submitting.network_guard import Guard, network_guard
from submitting.programs import Ended, run_limited
from submitting.rehearsal_results import problem_of_budget, verify_stems
from submitting.submission import Submission

NAME = "rehearsal"
SONG = "rehearsal song"
SONG_SECONDS = 30
SAMPLE_RATE = 44_100

GRACE_SECONDS = 60.0
"""Beyond the challenge's limits, which the run itself keeps where its evaluator is ours."""

KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
"""Variables that the run gets of ours; neither proxies nor anything of demix or Python."""

_LFS = (
    *("-c", "filter.lfs.smudge=git-lfs smudge -- %f"),
    *("-c", "filter.lfs.process=git-lfs filter-process"),
    *("-c", "filter.lfs.required=true"),
)


@dataclass(frozen=True)
class _Run:
    """Where the parts of a rehearsal lie."""

    folder: Path

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def songs(self) -> Path:
        return self.folder / "songs"

    @property
    def mixture(self) -> Path:
        return self.songs / SONG / "mixture.wav"

    @property
    def results(self) -> Path:
        return self.folder / "results"


def rehearse(submission: Submission, python: Path, say: Callable[[str], None]) -> Check:
    """Run the submission in a fresh clone, in a fresh environment, without a network.

    Args:
        submission: All of it is committed.
        python: The environment's interpreter.
        say: Gets a line before what takes long, and what the run printed last where it failed.
    """
    try:
        scratch = scratch_folder()
        with tempfile.TemporaryDirectory(
            prefix="demix-rehearsal-", dir=scratch, ignore_cleanup_errors=True
        ) as name:
            run = _Run(Path(name).resolve())
            say(f"rehearsal: a fresh clone in {run.clone}, and a song of {SONG_SECONDS} s")
            clone(submission, run.clone)
            write_song(run.mixture)
            return _perform(submission, run, python, say)
    except DemixError as error:
        return to_do(NAME, str(error))
    except OSError as error:
        return to_do(NAME, f"{error.filename or 'it'} cannot be written or run: {error.strerror}")


def clone(submission: Submission, folder: Path) -> None:
    """Clone what would be pushed, with what Git LFS has of it on this machine.

    Raises:
        GitError: Something of it is missing here.
        DemixError: It is not the commit that is to be submitted.
    """
    source = submission.repository
    address = source.root.resolve().as_uri()
    branch = source.branch()
    if branch is None:
        raise DemixError("the head is detached: git switch -c BRANCH")
    # From this repository as from a remote one, even where its .lfsconfig names another.
    lfs = ("-c", f"lfs.url={address}", *_storage(source), *_LFS)
    single = ("--quiet", "--no-local", "--depth", "1", "--no-tags", "--branch", branch)
    try:
        source.text(*lfs, "clone", *single, "--", address, str(folder))
    except GitError as error:
        raise DemixError(
            f"what would be pushed cannot be cloned ({error}): git lfs fetch, or commit what is "
            "missing"
        ) from error
    cloned = Repository(folder)
    if cloned.head() != submission.head:
        raise DemixError("there was a commit meanwhile: run the same command again")


def _storage(source: Repository) -> tuple[str, ...]:
    """Give the option for a folder of Git LFS's files that lies elsewhere: a clone looks inside."""
    try:
        source.line("config", "--get", "lfs.storage")
    except GitError:
        return ()
    return ("-c", f"lfs.storage={lfs_objects(source).parent}")


def write_song(path: Path) -> None:
    """Write the song: half a minute of tones and noise, the same every time."""
    rng = np.random.default_rng(0)
    seconds = np.arange(SONG_SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    tones = sum(np.sin(2 * np.pi * pitch * seconds) for pitch in (55.0, 220.0, 277.2, 329.6))
    beat = np.exp(-20 * (seconds % 0.5)) * rng.uniform(-1, 1, seconds.size)
    left, right = 0.08 * tones + 0.3 * beat, 0.06 * tones + 0.3 * beat
    path.parent.mkdir(parents=True)
    soundfile.write(path, np.stack([left, right], axis=1), SAMPLE_RATE, subtype="PCM_16")


def _perform(submission: Submission, run: _Run, python: Path, say: Callable[[str], None]) -> Check:
    challenge = submission.challenge
    for name in ("home", "guard"):
        (run.folder / name).mkdir()
    guard = network_guard(run.folder / "guard")
    limit = challenge.song_limit(SONG_SECONDS)
    # Where the challenge's own limit is one of the song's length, late is told from failed here.
    most = (
        challenge.set_up_seconds + GRACE_SECONDS + (limit if challenge.song_seconds else 20 * limit)
    )
    program = (
        ["./run.sh"]
        if challenge.name == "mdx21"
        else [str(python), "-c", Path(mdx23_run.__file__).read_text(encoding="utf-8")]
    )
    with cores_of_the_grader(submission):
        ended = run_limited(
            [*guard.prefix, *program],
            folder=run.clone,
            environment=_environment(submission, run, python, guard),
            limit=most,
            log=run.folder / "log",
        )
    if ended.status != 0:
        for line in ended.lines:
            say(f"  | {line}")
        return to_do(NAME, _failure(ended, guard))
    stems = run.results if challenge.name == "mdx21" else run.results / "predictions"
    try:
        verify_stems(run.mixture, stems / SONG)
        problem = problem_of_budget(NAME, stems / SONG)
    except EvaluatorError as error:
        return to_do(NAME, f"it ran, but {error}")
    if problem is not None:
        return problem
    text = (
        f"a fresh clone separated {SONG_SECONDS} s in {ended.seconds:.1f} s, loading included; "
        f"{guard.kind}; four stems verified"
    )
    late = _lateness(ended, limit) if challenge.name == "mdx23" else ""
    if late and submission.wants_gpu and resolve_device("auto") == "cpu":
        return warning(NAME, f'{text}; {late}, without the GPU that "gpu" asks for')
    return to_do(NAME, f"{text}; {late}: take a faster system") if late else ok(NAME, text)


def _lateness(ended: Ended, limit: float) -> str:
    """Say by how much the song was late; empty where it was in time.

    The grader's side of 2021 ends what is late by itself; that of 2023 lets it finish.
    """
    told = re.search(rf"(?m)^{SONG}: ([\d.]+) s$", "\n".join(ended.lines))
    seconds = float(told[1]) if told else ended.seconds
    return f"the song alone took {seconds:.1f} s of {limit:.1f} s" if seconds > limit else ""


def _failure(ended: Ended, guard: Guard) -> str:
    if ended.status is None:
        return f"it had not ended after {ended.seconds:.0f} s, beyond the challenge's limits"
    last = ended.lines[-1].strip() if ended.lines else "it printed nothing"
    return f"the fresh clone failed, exit status {ended.status}, {guard.kind}: {last}"


def _environment(submission: Submission, run: _Run, python: Path, guard: Guard) -> dict[str, str]:
    """Give the run's variables: the challenge's, and little else."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    if not submission.wants_gpu:
        kept["CUDA_VISIBLE_DEVICES"] = ""  # as on the grader's machine
    challenge = submission.challenge
    (run.results / "predictions").mkdir(parents=True)
    if challenge.name == "mdx21":
        own = {
            "TEST_DATASET_PATH": str(run.songs),
            "RESULTS_DATASET_PATH": str(run.results),
            "INFERENCE_SETUP_TIMEOUT_SECONDS": f"{challenge.set_up_seconds:g}",
            "INFERENCE_PER_MUSIC_TIMEOUT_SECONDS": f"{challenge.song_limit(SONG_SECONDS):g}",
            "AICROWD_IS_GRADING": "true",
        }
    else:
        own = {
            "AICROWD_DATASET_DIR": str(run.songs),
            "AICROWD_PUBLIC_SHARED_DIR": str(run.results),
        }
    return {
        **kept,
        "PATH": f"{python.parent}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(python.parent.parent),
        "HOME": str(run.folder / "home"),
        "PYTHONNOUSERSITE": "1",
        **guard.environment,
        **own,
    }
