"""What is known here of the scores of what is submitted."""

from collections.abc import Mapping
from pathlib import Path

from evaluator.aggregation import average, counted, mean_over_stems
from evaluator.command_errors import as_demix_errors
from evaluator.run_reading import read_run
from evaluator.runs import Run, places
from evaluator.sound import STEMS
from my_submission.errors import DemixError

NOT_SCORED = "not scored"
METRIC = "global_sdr"


def run_folders(root: Path, system: str) -> list[Path]:
    """Give where `demix evaluate` and `predict.py` leave the runs of a system by default."""
    return [root / "separated" / system, root / "data" / "results" / system]


def local_score(folders: list[Path], system: str, hashes: Mapping[str, str]) -> str:
    """Tell, in a line, how the weights that are submitted have scored here.

    Args:
        folders: Runs, the first that fits is taken.
        system: Its name.
        hashes: SHA-256 by file of the weights that are submitted.

    Returns:
        The challenge's SDR; or that there is none, and why a run that is there does not count.
    """
    reasons = []
    for folder in folders:
        if not folder.is_dir():
            continue
        try:
            with as_demix_errors():
                run = read_run(folder)
        except DemixError as error:
            reasons.append(str(error))
            continue
        obstacle = _obstacle(run, system, hashes)
        if obstacle:
            reasons.append(f"{folder.name} in {folder.parent.name}: {obstacle}")
            continue
        return _score(run)
    return f"{NOT_SCORED} ({'; '.join(reasons)})" if reasons else NOT_SCORED


def _obstacle(run: Run, system: str, hashes: Mapping[str, str]) -> str:
    if run.system != system:
        return f"of {run.system}"
    if not run.scores:
        return "without scores of the stems that are there"
    for origin in run.origins:
        weights = (origin or {}).get("weights")
        if weights is not None and dict(weights) != dict(hashes):
            return "with other weights"
    return ""


def _score(run: Run) -> str:
    songs = [song for song in run.songs if song.scores]
    found = average(METRIC, [song.values for song in songs])
    if found is None:
        return NOT_SCORED
    values = {stem: {METRIC: score} for stem, score in found.scores.items()}
    mean = mean_over_stems(values, METRIC)
    parts = [f"{stem} {found.scores[stem]:.2f}" for stem in STEMS if stem in found.scores]
    parts += [] if mean is None else [f"mean {mean:.2f}"]
    data = ", ".join(sorted(filter(None, (Path(place).name for place in places(songs)))))
    text = f"challenge's SDR in dB: {', '.join(parts)}; {counted(len(songs), len(songs))}"
    text += f" of {data}" if data else ""
    notes = list(run.warnings)
    if any(song.origin is None or "weights" not in song.origin for song in songs):
        notes.append("made with weights that are not recorded")
    if any(song.degradations for song in songs):
        notes.append("some of it for want of time not in full quality")
    return f"{text} ({'; '.join(notes)})" if notes else text
