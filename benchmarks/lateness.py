"""Whether songs are ever late, and what a slow machine costs in quality.

Run as ``python -m benchmarks.lateness``; ``--help`` lists its options. It separates for real: real
files, the real clock, and a machine that is slowed down as a whole (`benchmarks.throttle`): reading
and writing as well as the networks. That is not known to it: it was measured at full speed.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import soundfile

from benchmarks.machine import this_environment
from benchmarks.slow_quality import UNLIMITED_S, gains, mean_loss, quality
from benchmarks.songs import SAMPLE_RATE, write_music
from benchmarks.throttle import SlowMachine
from my_submission.audio.output import FLOAT_WAV, OutputFormat
from my_submission.budget.file_costs import measure_files
from my_submission.budget.ladder import STEPS
from my_submission.budget.messages import Task
from my_submission.budget.record import SILENCE
from my_submission.budget.song_run import SongRun
from my_submission.budget.timed_separator import TimedSeparator
from my_submission.stems import STEMS

SLOWNESS = (1.0, 20.0)
LIMITS_S = (1.0, 240.0)
FORMATS = (FLOAT_WAV, OutputFormat(), OutputFormat("flac"))
"""Of the stems, one after the other: the grader's, the command's, and one that takes longer."""

SONGS_S = (5.0, 60.0)
"""Ranges that songs are drawn from, evenly on a logarithmic scale."""

PARTS = ("quality", "planning", "songs", "ladder")

MOST_LOSS_DB = 1.0
"""At a quarter of the speed that a song needs."""

MOST_PLANNING = 0.01
"""Of a run's time."""

LADDER = (1.1, 0.9, 0.7, 0.5, 0.3, 0.1, 0.03)
"""Shares of the time that a song needs."""


@dataclass(frozen=True)
class Outcome:
    """One song of the campaign.

    `least_s` is what opening it and writing four files takes, `silent_s` the end of the files that
    is silence because there was no time to write it.
    """

    song_s: float
    limit_s: float
    slowness: float
    least_s: float
    used_s: float
    step: str
    is_valid: bool
    silent_s: float = 0.0

    @property
    def is_late(self) -> bool:
        """Whether it took longer than allowed."""
        return self.used_s > self.limit_s

    @property
    def is_possible(self) -> bool:
        """Whether there was the time to open it and to write four files."""
        return self.least_s <= self.limit_s


def campaign(num_songs: int, seed: int) -> list[Outcome]:
    """Separate songs drawn at random, one after the other."""
    rng = np.random.default_rng(seed)

    def draw(bounds: tuple[float, float]) -> float:
        return float(np.exp(rng.uniform(*np.log(bounds))))

    outcomes = []
    with tempfile.TemporaryDirectory() as name, SlowMachine(Task("starter"), FORMATS) as machine:
        folder = Path(name)
        song = folder / "song.wav"
        costs = {fmt: measure_files(fmt) for fmt in FORMATS}
        for number in range(num_songs):
            fmt = FORMATS[number % len(FORMATS)]
            files = costs[fmt]
            stems = [folder / f"{stem}{fmt.suffix}" for stem in STEMS]
            for stem in stems:  # of the song before
                stem.unlink(missing_ok=True)
            song_s, limit_s, slowness = round(draw(SONGS_S)), draw(LIMITS_S), draw(SLOWNESS)
            write_music(song, song_s)
            separated = machine.separate(song, folder, limit_s, slowness, fmt=fmt)
            sounds = [soundfile.read(stem, dtype="float32", always_2d=True)[0] for stem in stems]
            is_valid = all(
                sound.shape == (song_s * SAMPLE_RATE, 2) and np.isfinite(sound).all()
                for sound in sounds
            )
            num_samples = song_s * SAMPLE_RATE
            least = slowness * (files.opening * num_samples + files.writing_song(num_samples))
            outcome = Outcome(
                song_s,
                limit_s,
                slowness,
                least,
                separated.seconds,
                separated.record.step,
                is_valid,
                sum(p.stop - p.start for p in separated.record.degraded if p.detail == SILENCE),
            )
            outcomes.append(outcome)
            mark = f"{' LATE' * outcome.is_late}{' (hopeless)' * (not outcome.is_possible)}"
            print(
                f"{number + 1:4}: song {song_s:4.0f} s, limit {limit_s:6.1f} s, 1/{slowness:.1f} "
                f"of the speed: {outcome.used_s:6.1f} s, {outcome.step}{mark}"
                + f", {outcome.silent_s:.1f} s of silence"
                * (outcome.silent_s > 0),
                flush=True,
            )
    return outcomes


def ladder(task: Task, song_s: int, shares: Sequence[float]) -> list[dict[str, object]]:
    """Separate a song by a system in shares of the time that it needs, and tell the steps."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name, SlowMachine(task) as machine:
        folder = Path(name)
        song = folder / "song.wav"
        write_music(song, song_s)
        needed = machine.separate(song, folder, UNLIMITED_S, 1.0).seconds
        for share in shares:
            separated = machine.separate(song, folder, share * needed, 1.0)
            details = {part.detail: None for part in separated.record.degraded}
            rows.append(
                {
                    "system": task.system,
                    "song_s": song_s,
                    "share": share,
                    "limit_s": share * needed,
                    "used_s": separated.seconds,
                    "is_late": separated.seconds > share * needed,
                    "step": separated.record.step,
                    "left_out": list(details),
                }
            )
    return rows


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
        paths: dict[str, Path] = {stem: Path(name) / f"{stem}.wav" for stem in STEMS}
        for _ in range(repeats):
            spent.clear()
            record = timed.separate_to_files(song, paths, UNLIMITED_S)
            shares.append(sum(spent) / record.used_seconds)
    return statistics.median(shares)


def quiet(_line: str) -> None:
    """Say nothing."""


def main() -> None:
    """Measure, and print what was found; exit with 1 if a bar was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lateness", description=__doc__)
    parser.add_argument("--songs", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=4, help="songs side by side")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS, help="what to measure")
    parser.add_argument("--system", default="leaderboard_a", help="for the ladder")
    parser.add_argument("--models", type=Path, help="their folder; without it, no ladder")
    parser.add_argument("--seconds", type=int, default=60, help="of the ladder's song")
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
    missed = []
    if "quality" in options.parts:
        found["quality"] = rows = quality([0.5, 0.25, 0.125])
        for row in rows:
            print(
                f"{row['song']}: {row['share']} of the needed speed: SDR {row['sdr']:.2f} dB, "
                f"{row['step']}"
            )
        loss = mean_loss(rows, 0.25)
        print(f"at a quarter of it the mean is {loss:.2f} dB lower")
        missed += ["quality"] * (loss > MOST_LOSS_DB)
    if "planning" in options.parts:
        found["planning_share"] = share = overhead()
        print(f"planning: {100 * share:.2f} % of the run")
        missed += ["planning"] * (share > MOST_PLANNING)
    if "ladder" in options.parts and options.models:
        task = Task(options.system, options.models)
        found["ladder"] = steps = ladder(task, options.seconds, LADDER)
        for step in steps:
            print(
                f"{step['system']}, {step['song_s']} s of song, limit {step['limit_s']:.1f} s: "
                f"{step['used_s']:.1f} s, {step['step']}, {step['left_out']}"
            )
        missed += ["ladder"] * any(step["is_late"] for step in steps)
    if "songs" in options.parts:
        counts = [len(part) for part in np.array_split(np.arange(options.songs), options.jobs)]
        with ThreadPoolExecutor(options.jobs) as pool:  # of threads: each has a process
            seeds = range(options.seed, options.seed + options.jobs)
            outcomes = [o for part in pool.map(campaign, counts, seeds) for o in part]
        found["songs"] = [asdict(outcome) for outcome in outcomes]
        missed += ["songs"] * summarise(outcomes)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


def summarise(outcomes: Sequence[Outcome]) -> bool:
    """Print how a campaign went; tell whether a song was late or not valid."""
    late = [outcome for outcome in outcomes if outcome.is_late]
    invalid = [outcome for outcome in outcomes if not outcome.is_valid]
    hopeless = [outcome for outcome in outcomes if not outcome.is_possible]
    for step in STEPS:
        print(f"{step:8} {sum(outcome.step == step for outcome in outcomes):4}")
    print(f"late: {len(late)} of {len(outcomes)}; not valid: {len(invalid)}")
    print(
        f"less time than opening and writing takes: {len(hopeless)}, of which late: "
        f"{sum(outcome.is_late for outcome in hopeless)}"
    )
    silent = [outcome for outcome in outcomes if outcome.silent_s]
    print(
        f"silent from somewhere on: {len(silent)}, of which there was the time for "
        f"{sum(outcome.is_possible for outcome in silent)}; for "
        f"{sum(o.silent_s for o in silent):.0f} of {sum(o.song_s for o in silent):.0f} s"
    )
    tightest = max(outcome.used_s / outcome.limit_s for outcome in outcomes)
    print(f"the tightest used {100 * tightest:.0f} % of its limit")
    return bool(late or invalid)


if __name__ == "__main__":
    main()
