"""Scores of the starter on a folder of songs, beside an estimate that anybody could make."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluator.scoring import sdr
from my_submission.audio import ArraySignal
from my_submission.compute import Compute
from my_submission.stems import SAMPLE_RATE, STEMS, Audio
from my_submission.systems.starter import Starter
from training.data.tracks import open_tracks
from training.files import write_whole

Scores = dict[str, float]
"""SDR in dB by stem, and their mean under `mean`."""


def evaluate_starter(songs: Path, models: Path) -> dict[str, Any]:
    """Score the starter by the challenge's SDR.

    Args:
        songs: Holds a folder per song with its stems; the mixture is their sum.
        models: Holds the starter's five files.

    Returns:
        `songs` with the scores by song, `starter` and `quarter_mixture` with the means over
        songs, and `seconds_per_second`, the time taken over the songs' length.

    Raises:
        DemixError: There are no songs, or a file is missing.
    """
    system = Starter(models, Compute())
    table: dict[str, dict[str, Scores]] = {}
    length, taken = 0, 0.0
    for track in open_tracks(songs, print):
        stems = track.stems()
        mixture = stems.sum(axis=0)
        started = time.monotonic()
        blocks = list(system.separate(ArraySignal(mixture)))
        taken += time.monotonic() - started
        length += mixture.shape[1]
        quarter = np.broadcast_to(mixture / 4, stems.shape)
        table[track.name] = {
            "starter": song_scores(stems, np.concatenate(blocks, axis=-1)),
            "quarter_mixture": song_scores(stems, quarter),
        }
    return {
        "starter": mean_scores([song["starter"] for song in table.values()]),
        "quarter_mixture": mean_scores([song["quarter_mixture"] for song in table.values()]),
        "seconds_per_second": taken / (length / SAMPLE_RATE),
        "songs": table,
    }


def song_scores(stems: Audio, estimates: Audio) -> Scores:
    """Score one song, both `[4, 2, samples]`."""
    scores: Scores = {stem: sdr(stems[index], estimates[index]) for index, stem in enumerate(STEMS)}
    scores["mean"] = float(np.mean(list(scores.values())))
    return scores


def mean_scores(scores: Sequence[Mapping[str, float]]) -> Scores:
    """Give the mean over songs, stem by stem."""
    return {name: float(np.mean([song[name] for song in scores])) for name in scores[0]}


def table_text(result: Mapping[str, Any]) -> str:
    """Lay the means out as a table, in dB."""
    names = (*STEMS, "mean")
    lines = [f"{'SDR [dB]':18}" + "".join(f"{name:>9}" for name in names)]
    lines += [
        f"{row:18}" + "".join(f"{result[row][name]:9.2f}" for name in names)
        for row in ("starter", "quarter_mixture")
    ]
    gain = result["starter"]["mean"] - result["quarter_mixture"]["mean"]
    lines.append(
        f"{len(result['songs'])} songs; the starter is {gain:.2f} dB above a quarter of the "
        f"mixture and takes {result['seconds_per_second']:.3f} s per second"
    )
    return "\n".join(lines)


def save_json(result: Mapping[str, Any], path: Path) -> None:
    """Write a result with its figures rounded to 1e-4.

    Raises:
        DemixError: It cannot be written.
    """
    rounded = json.loads(json.dumps(result), parse_float=lambda text: round(float(text), 4))
    write_whole(path, (json.dumps(rounded, indent=2) + "\n").encode())
