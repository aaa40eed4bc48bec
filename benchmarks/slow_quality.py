"""What a slow machine costs in quality, on the demo songs."""

import statistics
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.songs import SAMPLE_RATE, demo_stems
from benchmarks.throttle import SlowMachine
from evaluator.scoring import SdrSums
from my_submission.budget.assembly import Estimates, assembled
from my_submission.budget.coverage import Coverage, Stretch
from my_submission.budget.messages import Task
from my_submission.budget.shared import SharedSound
from my_submission.stems import STEMS, Audio, Stem

UNLIMITED_S = 3600.0

REPETITIONS = 4
"""Of a demo song for the measurement of quality: several passes of each network."""


def quality(shares: Sequence[float]) -> list[dict[str, float | str]]:
    """Score the demo songs where the machine has so many times the speed that a song needs.

    The limit is what the whole recipe takes here, with what is kept for the end; the machine is
    then slowed down.
    """
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as name, SlowMachine(Task("starter")) as machine:
        folder = Path(name)
        for title, stems in demo_stems().items():
            truth = np.tile(stems, REPETITIONS)
            song = folder / f"{title}.wav"
            soundfile.write(song, truth.sum(axis=0).T, SAMPLE_RATE, subtype="FLOAT")
            machine.separate(song, folder, UNLIMITED_S, 1.0)
            needed = machine.separate(song, folder, UNLIMITED_S, 1.0).seconds
            for share in (1.0, *shares):
                limit = UNLIMITED_S if share == 1 else 1.05 * needed
                separated = machine.separate(song, folder, limit, 1 / share)
                rows.append(
                    {
                        "song": title,
                        "share": share,
                        "limit_s": limit,
                        "step": separated.record.step,
                        "sdr": mean_sdr(truth, folder),
                    }
                )
    return rows


def mean_loss(rows: Sequence[Mapping[str, float | str]], share: float) -> float:
    """Give by how many dB the songs' mean SDR is lower at a share of the speed."""
    full, less = (
        statistics.fmean(float(row["sdr"]) for row in rows if row["share"] == wanted)
        for wanted in (1.0, share)
    )
    return full - less


def mean_sdr(truth: Audio, folder: Path) -> float:
    """Give the mean of the stems' SDR, the challenge's, in dB."""
    found = [soundfile.read(folder / f"{stem}.wav", dtype="float32")[0].T for stem in STEMS]
    return _mean_sdr(truth, found)


def gains() -> dict[Stem, float]:
    """Give what the mean SDR gains, dB, by each stem that the starter estimates after the others.

    The one comes first that gains most, and then the one that gains most beside those before it.
    """
    from my_submission.separator import Separator

    separator = Separator("starter", device="cpu")
    songs = [
        (stems, stems.sum(axis=0), separator.separate_array(stems.sum(axis=0)))
        for stems in demo_stems().values()
    ]

    def score(known: Iterable[Stem]) -> float:
        names = list(known)
        return statistics.fmean(
            _score_with(stems, mixture, {name: estimates[name] for name in names})
            for stems, mixture, estimates in songs
        )

    found: dict[Stem, float] = {}
    reached = score(())
    while left := [stem for stem in STEMS if stem not in found]:
        scores = {stem: score((*found, stem)) for stem in left}
        best = max(left, key=lambda stem: scores[stem])
        found[best] = scores[best] - reached
        reached = scores[best]
    return found


def _score_with(stems: Audio, mixture: Audio, known: Mapping[Stem, Audio]) -> float:
    num_samples = mixture.shape[1]
    with SharedSound.create(2) as song:
        song.write(0, mixture)
        estimates = Estimates(num_samples, tfc_tdf=Coverage(num_samples))
        for stem, estimate in known.items():
            sound = SharedSound.create(2)
            sound.write(0, estimate)
            coverage = estimates.alone.setdefault(stem, Coverage(num_samples, 1))
            coverage.add(Stretch(sound, 0, num_samples))
        found = np.concatenate(list(assembled(song, estimates, can_split=lambda _: True)), axis=-1)
        estimates.close()
    return _mean_sdr(stems, found)


def _mean_sdr(truth: Audio, found: Iterable[Audio]) -> float:
    sdrs = []
    for stem, estimate in zip(truth.astype(np.float64), found, strict=True):
        sums = SdrSums()
        sums.add(stem, estimate.astype(np.float64))
        sdrs.append(sums.sdr())
    return statistics.fmean(sdrs)
