"""What there is to measure, and how each thing is."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
import torch

from benchmarks.agreement import agreement_db, sdr_figures
from benchmarks.full_size import SYSTEMS, demucs_parts
from benchmarks.one_run import ROOT, Run, measure
from benchmarks.original_run import ORIGINAL, measure_original
from benchmarks.package_run import measure_package, write_repo
from benchmarks.random_models import write_random_models
from benchmarks.records import Job, Part
from benchmarks.songs import DEMO_SONGS, write_music
from benchmarks.work import peak_flops, song_flops
from evaluator.demo_songs import unpack_songs
from evaluator.scoring import sdr_of_files
from my_submission.stems import STEMS, Audio

LENGTHS = {"starter": (60,), "htdemucs": (180,)}
ALL_LENGTHS = (30, 60, 180, 600)
C_ON_A_CPU = (30,)
"""Leaderboard C takes some 10 to 25 s per second of song on two cores: hours for ten minutes."""

ORIGINAL_SECONDS = (60,)
"""The original program holds a whole song: 10 GB for 60 s, 23 for 180."""

AGREEMENT_SECONDS, AGREEMENT_SECONDS_OF_C = 23, 6
"""The demo songs take 23 s; C takes too long for all of them on a CPU."""


def plan(
    systems: Sequence[str],
    precisions: Sequence[str],
    parts: Sequence[Part],
    seconds: Sequence[int] | None,
    *,
    all_lengths: bool,
) -> Iterator[Job]:
    """List what to measure.

    Args:
        systems: Their names.
        precisions: As `Job` has them.
        parts: What about them.
        seconds: Lengths of the songs to time; by default those that suit each system.
        all_lengths: By default, whether to take all lengths for Leaderboard C as well.
    """
    for system in systems:
        lengths: Sequence[int] = LENGTHS.get(system, ALL_LENGTHS)
        if system == "leaderboard_c" and not all_lengths:
            lengths = C_ON_A_CPU
        for length in seconds or lengths:
            if "time" in parts:
                yield from (Job("time", system, precision, length) for precision in precisions[:1])
            # Theirs between ours: a machine that gets slower is to slow down both.
            if "package" in parts and system == "htdemucs":
                yield Job("package", system, "", length)
            if (
                "original" in parts
                and system == ORIGINAL
                and length in (seconds or ORIGINAL_SECONDS)
            ):
                yield Job("original", system, "", length)
            if "time" in parts:
                yield from (Job("time", system, precision, length) for precision in precisions[1:])
        for precision in precisions:
            if precision == "exact":
                continue
            if "agreement" in parts:
                is_long = system == "leaderboard_c" and not all_lengths
                length = AGREEMENT_SECONDS_OF_C if is_long else AGREEMENT_SECONDS
                yield Job("agreement", system, precision, length)
            if "sdr" in parts and system not in SYSTEMS:
                yield Job("sdr", system, precision, AGREEMENT_SECONDS)


@dataclass
class Workshop:
    """Measures jobs; what several of them need is made once.

    Attributes:
        folder: For songs and stems.
        models: For random weights; what is there already is used.
        device: ``cpu`` or ``cuda:N``.
        repeats: How often to run what is timed.
        original_python: Python that `measure_original` describes.
    """

    folder: Path
    models: Path
    device: str = "cpu"
    repeats: int = 1
    original_python: str | None = None
    _exact: dict[tuple[str, Path], Path] = field(default_factory=dict)

    def perform(self, job: Job) -> tuple[dict[str, float], str]:
        """Measure.

        Returns:
            Figures by name, and what ran the networks.

        Raises:
            RunError: A process that was to be measured failed.
        """
        how = {
            "time": self.time,
            "package": self.package,
            "original": self.original,
            "agreement": self.agreement,
            "sdr": self.sdr,
        }
        return how[job.part](job)

    def time(self, job: Job) -> tuple[dict[str, float], str]:
        """Time a system, and the machine's products of matrices after it.

        Figures: those of a `Run`, and where the arithmetic is known ``flops`` of the song, ``peak``
        of the machine per second, and ``peak_in_low_precision``, 1 where that is not float32's.
        """
        song = self.song(job.seconds)
        models = self.models_of(job.system)
        runs = [
            measure(job.system, models, song, precision=job.precision, device=self.device)
            for _ in range(self.repeats)
        ]
        figures = summary(runs)
        if job.system in SYSTEMS:
            peak = peak_flops(device=self.device)
            low = 0.0
            if runs[0].dtype != "float32":
                low = peak_flops(getattr(torch, runs[0].dtype), self.device)
            figures |= {
                "flops": song_flops(job.system, job.seconds),
                "peak": max(peak, low),
                "peak_in_low_precision": float(low > peak),
            }
        return figures, runs[0].runners

    def package(self, job: Job) -> tuple[dict[str, float], str]:
        """Time the demucs package's own program with the same weights; figures as of a `Run`."""
        (part,) = demucs_parts(job.system)
        package = self.models_of(job.system) / job.system / part.file
        repo = self.folder / "repo"
        if not repo.is_dir():
            write_repo(package, repo)
        song = self.song(job.seconds)
        runs = [measure_package(repo, song, self.device) for _ in range(self.repeats)]
        return summary(runs), runs[0].runners

    def original(self, job: Job) -> tuple[dict[str, float], str]:
        """Time what the original program of Leaderboard A did; figures as of a `Run`.

        Figures also: how near its stems come to ours in `exact`, dB by stem. It writes 16 bits,
        which cut off what exceeds full scale.
        """
        assert self.original_python is not None  # else it is not asked for
        song, out = self.song(job.seconds), self.folder / "other"
        out.mkdir(exist_ok=True)
        models = self.models_of(job.system) / job.system
        runs = [
            measure_original(self.original_python, models, song, out) for _ in range(self.repeats)
        ]
        exact = self.exact(job.system, song)
        return summary(runs) | stems_agreement(exact, out, limit=1), runs[0].runners

    def agreement(self, job: Job) -> tuple[dict[str, float], str]:
        """Compare a way of computing with the exact one; figures: dB by stem."""
        song = self.song(job.seconds)
        exact = self.exact(job.system, song)
        other = self.folder / "other"
        run = self.separate(job.system, job.precision, song, other)
        return stems_agreement(exact, other), run.runners

    def sdr(self, job: Job) -> tuple[dict[str, float], str]:
        """Score a way of computing and the exact one against the true stems.

        Figures: the mean SDR of both over stems and songs, and the largest difference of a stem of
        a song, all in dB.
        """
        scores: dict[str, list[float]] = {"exact": [], "other": []}
        runners = ""
        for truth in self.true_songs():
            song, other = truth / "mixture.wav", self.folder / "other"
            folders = {"exact": self.exact(job.system, song), "other": other}
            runners = self.separate(job.system, job.precision, song, other).runners
            for name, folder in folders.items():
                scores[name] += [
                    sdr_of_files(truth / f"{stem}.wav", folder / f"{stem}.wav") for stem in STEMS
                ]
        return sdr_figures(scores["exact"], scores["other"]), runners

    def separate(self, system: str, precision: str, song: Path, out: Path) -> Run:
        """Separate a song into the files ``STEM.wav`` of a folder."""
        out.mkdir(exist_ok=True)
        models = self.models_of(system)
        return measure(system, models, song, precision=precision, device=self.device, out=out)

    def exact(self, system: str, song: Path) -> Path:
        """Separate a song exactly, once; gives the folder of its stems."""
        if (system, song) not in self._exact:
            out = self.folder / f"exact-{len(self._exact)}"
            self.separate(system, "exact", song, out)
            self._exact[system, song] = out
        return self._exact[system, song]

    def song(self, seconds: int) -> Path:
        """Give a song of some length."""
        path = self.folder / f"song-{seconds}.wav"
        if not path.is_file():
            write_music(path, seconds)
        return path

    def true_songs(self) -> list[Path]:
        """Give folders of songs with their true stems."""
        folder = self.folder / "true"
        names = unpack_songs(DEMO_SONGS, folder)
        return [folder / name for name in names]

    def models_of(self, system: str) -> Path:
        """Give the folder in which a system's folder of weights is, random ones written once."""
        if system not in SYSTEMS:
            return ROOT / "models"
        if not (self.models / system).is_dir():
            partial = self.models / f".{system}-{os.getpid()}"
            write_random_models(system, partial)
            partial.rename(self.models / system)
        return self.models


def summary(runs: Sequence[Run]) -> dict[str, float]:
    """Give the median of times and the most of memory."""
    figures = {
        "setup_s": median(run.setup_s for run in runs),
        "separation_s": median(run.separation_s for run in runs),
        "peak_mb": max(run.peak_mb for run in runs),
    }
    gpu_mb = max(run.gpu_mb for run in runs)
    return figures | ({"gpu_mb": gpu_mb} if gpu_mb else {})


def stems_agreement(exact: Path, other: Path, limit: float = np.inf) -> dict[str, float]:
    """Compare the stems of two folders, the exact ones cut off at a limit: dB by stem."""
    return {
        stem: agreement_db(
            read(exact / f"{stem}.wav").clip(-limit, limit), read(other / f"{stem}.wav")
        )
        for stem in STEMS
    }


def read(path: Path) -> Audio:
    """Read a stem, ``[samples, 2]``."""
    sound: Audio = soundfile.read(path, dtype="float32")[0]
    return sound
