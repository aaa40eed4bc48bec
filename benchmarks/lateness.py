"""Whether songs are ever late, and what a slow machine costs in quality.

Run as ``python -m benchmarks.lateness``; ``--help`` lists its options. It separates with the
starter, for real: real files, the real clock, and the worker that runs the networks slowed down by
stopping it most of the time (`benchmarks.throttle`). That is not known to it: it was measured at
full speed.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import psutil
import soundfile

from benchmarks.machine import this_environment
from benchmarks.songs import SAMPLE_RATE, demo_stems, write_music
from benchmarks.throttle import throttled
from my_submission.budget.coverage import Coverage, Stretch
from my_submission.budget.ladder import STEPS
from my_submission.budget.messages import Task
from my_submission.budget.record import Record
from my_submission.budget.shared import SharedSound
from my_submission.budget.song_run import SongRun
from my_submission.budget.timed_separator import TimedSeparator
from my_submission.stems import STEMS, Audio, Stem

SLOWNESS = (1.0, 20.0)
LIMITS_S = (1.0, 240.0)
SONGS_S = (5.0, 60.0)
"""Ranges that songs are drawn from, evenly on a logarithmic scale."""

PARTS = ("quality", "planning", "songs")

REPETITIONS = 4
"""Of a demo song for the measurement of quality: several passes of each network."""


@dataclass(frozen=True)
class Outcome:
    """One song of the campaign."""

    song_s: float
    limit_s: float
    slowness: float
    used_s: float
    step: str
    is_valid: bool

    @property
    def is_late(self) -> bool:
        """Whether it took longer than allowed."""
        return self.used_s > self.limit_s


def campaign(num_songs: int, seed: int) -> list[Outcome]:
    """Separate songs drawn at random, one after the other."""
    rng = np.random.default_rng(seed)

    def draw(bounds: tuple[float, float]) -> float:
        return float(np.exp(rng.uniform(*np.log(bounds))))

    outcomes = []
    with tempfile.TemporaryDirectory() as name, TimedSeparator(Task("starter"), say=quiet) as timed:
        folder = Path(name)
        timed.set_up()
        for number in range(num_songs):
            song_s, limit_s, slowness = draw(SONGS_S), draw(LIMITS_S), draw(SLOWNESS)
            song = folder / "song.wav"
            write_music(song, round(song_s))
            began = time.monotonic()
            record = separate(timed, song, folder, limit_s, slowness)
            used = time.monotonic() - began
            is_valid = all(
                info.frames == round(song_s) * SAMPLE_RATE and info.channels == 2
                for info in (soundfile.info(folder / f"{stem}.wav") for stem in STEMS)
            )
            outcome = Outcome(round(song_s), limit_s, slowness, used, record.step, is_valid)
            outcomes.append(outcome)
            print(
                f"{number + 1:4}: song {song_s:4.0f} s, limit {limit_s:6.1f} s, 1/{slowness:.1f} "
                f"of the speed: {used:6.1f} s, {record.step}{' LATE' if outcome.is_late else ''}",
                flush=True,
            )
    return outcomes


def separate(
    timed: TimedSeparator, song: Path, folder: Path, limit_s: float, slowness: float
) -> Record:
    """Separate a song with a worker that is slowed down."""

    def workers() -> list[int]:
        return [process.pid for process in psutil.Process().children()]

    slowed = throttled(workers, slowness) if slowness > 1 else nullcontext()
    with slowed:
        paths: dict[str, Path] = {stem: folder / f"{stem}.wav" for stem in STEMS}
        return timed.separate_to_files(song, paths, limit_s)


def quality(shares: Sequence[float]) -> list[dict[str, float | str]]:
    """Score the demo songs where the machine has so many times the speed that a song needs.

    The limit is what the whole recipe takes here, with what is kept for the end; the worker is then
    slowed down.
    """
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as name, TimedSeparator(Task("starter"), say=quiet) as timed:
        timed.set_up()
        for title, stems in demo_stems().items():
            truth = np.tile(stems, REPETITIONS)
            song = Path(name) / f"{title}.wav"
            soundfile.write(song, truth.sum(axis=0).T, SAMPLE_RATE, subtype="FLOAT")
            separate(timed, song, Path(name), 600.0, 1.0)
            needed = separate(timed, song, Path(name), 600.0, 1.0).used_seconds
            for share in (1.0, *shares):
                limit = 600.0 if share == 1 else 1.05 * needed
                record = separate(timed, song, Path(name), limit, 1 / share)
                rows.append(
                    {
                        "song": title,
                        "share": share,
                        "limit_s": limit,
                        "step": record.step,
                        "sdr": mean_sdr(truth, Path(name)),
                    }
                )
    return rows


def mean_sdr(truth: Audio, folder: Path) -> float:
    """Give the mean of the stems' SDR, the challenge's, in dB."""
    found = [soundfile.read(folder / f"{stem}.wav", dtype="float32")[0].T for stem in STEMS]
    return statistics.fmean(
        10 * np.log10((np.sum(stem**2) + 1e-7) / (np.sum((stem - estimate) ** 2) + 1e-7))
        for stem, estimate in zip(truth.astype(np.float64), found, strict=True)
    )


def overhead(seconds: int = 60, repeats: int = 3) -> float:
    """Give the share of a song's time that planning and talking to the worker take."""
    spent: list[float] = []
    compute = SongRun.compute

    def measured(run: SongRun, *args: object) -> bool:
        began = time.thread_time()
        try:
            return compute(run, *args)  # type: ignore[arg-type]
        finally:
            spent.append(time.thread_time() - began)

    shares = []
    with (
        patch.object(SongRun, "compute", measured),
        tempfile.TemporaryDirectory() as name,
        TimedSeparator(Task("starter"), say=quiet) as timed,
    ):
        song = Path(name) / "song.wav"
        write_music(song, seconds)
        timed.set_up()
        for _ in range(repeats):
            spent.clear()
            record = separate(timed, song, Path(name), 600.0, 1.0)
            shares.append(sum(spent) / record.used_seconds)
    return statistics.median(shares)


def gains() -> dict[str, float]:
    """Give what the mean SDR gains, dB, where the starter estimates one stem and no other."""
    from my_submission.separator import Separator

    separator = Separator("starter", device="cpu")
    scores: dict[str, list[float]] = {}
    for stems in demo_stems().values():
        mixture = stems.sum(axis=0)
        estimates = separator.separate_array(mixture)
        scores.setdefault("", []).append(_score_with(stems, mixture, {}))
        for stem in STEMS:
            score = _score_with(stems, mixture, {stem: estimates[stem]})
            scores.setdefault(stem, []).append(score)
    nothing = statistics.fmean(scores[""])
    return {stem: statistics.fmean(scores[stem]) - nothing for stem in STEMS}


def _score_with(stems: Audio, mixture: Audio, known: Mapping[Stem, Audio]) -> float:
    from my_submission.budget.assembly import Estimates, assembled

    num_samples = mixture.shape[1]
    with SharedSound.create(2) as song:
        song.write(0, mixture)
        estimates = Estimates(num_samples, tfc_tdf=Coverage(num_samples))
        for stem, estimate in known.items():
            sound = SharedSound.create(2)
            sound.write(0, estimate)
            coverage = estimates.alone.setdefault(stem, Coverage(num_samples, 1))
            coverage.add(Stretch(sound, 0, num_samples))
        found = np.concatenate(list(assembled(song, estimates, by_frequency=True)), axis=-1)
        estimates.close()
    return statistics.fmean(
        10 * np.log10((np.sum(stem**2) + 1e-7) / (np.sum((stem - estimate) ** 2) + 1e-7))
        for stem, estimate in zip(stems.astype(np.float64), found, strict=True)
    )


def quiet(_line: str) -> None:
    """Say nothing."""


def main() -> None:
    """Measure, and print what was found; exit with 1 if a song was late or not valid."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lateness", description=__doc__)
    parser.add_argument("--songs", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=4, help="songs side by side")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS, help="what to measure")
    parser.add_argument("--gains", action="store_true", help="measure only what each stem gains")
    parser.add_argument("--json", type=Path, help="keep the figures in a file")
    options = parser.parse_args()
    if options.gains:
        print(json.dumps({stem: round(gain, 2) for stem, gain in gains().items()}))
        return
    print(this_environment().describe())
    found: dict[str, object] = {}
    if options.json and options.json.exists():
        found = json.loads(options.json.read_text())
    found["machine"] = asdict(this_environment())
    if "quality" in options.parts:
        found["quality"] = rows = quality([0.5, 0.25, 0.125])
        for row in rows:
            print(
                f"{row['song']}: {row['share']} of the needed speed: SDR {row['sdr']:.2f} dB, "
                f"{row['step']}"
            )
    if "planning" in options.parts:
        found["planning_share"] = share = overhead()
        print(f"planning: {100 * share:.2f} % of the run")
    failed = False
    if "songs" in options.parts:
        counts = [len(part) for part in np.array_split(np.arange(options.songs), options.jobs)]
        with ProcessPoolExecutor(options.jobs) as pool:
            seeds = range(options.seed, options.seed + options.jobs)
            outcomes = [o for part in pool.map(campaign, counts, seeds) for o in part]
        found["songs"] = [asdict(outcome) for outcome in outcomes]
        failed = summarise(outcomes)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if failed:
        sys.exit(1)


def summarise(outcomes: Sequence[Outcome]) -> bool:
    """Print how a campaign went; tell whether a song was late or not valid."""
    late = [outcome for outcome in outcomes if outcome.is_late]
    invalid = [outcome for outcome in outcomes if not outcome.is_valid]
    for step in STEPS:
        print(f"{step:8} {sum(outcome.step == step for outcome in outcomes):4}")
    print(f"late: {len(late)} of {len(outcomes)}; not valid: {len(invalid)}")
    tightest = max(outcome.used_s / outcome.limit_s for outcome in outcomes)
    print(f"the tightest used {100 * tightest:.0f} % of its limit")
    return bool(late or invalid)


if __name__ == "__main__":
    main()
