"""Folders as `demix evaluate` writes them, for the tests of comparisons and reports."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evaluator.sound import STEMS, Block
from tests.song_folders import write_wav

RUN = {
    "system": "starter",
    "data": "/data/songs",
    "data_kind": "folder",
    "subset": None,
    "split": None,
    "date": "2026-01-02T03:04:05+00:00",
    "demix": "0.1.0",
    "machine": {"processor": "Abacus <9>", "cores": 2, "memory_gb": 8.0, "system": "Linux"},
    "packages": {"torch": "2.13.0"},
    "compute": "onnxruntime",
    "device": "cpu",
    "precision": "exact",
    "weights": {"vocals.onnx": "0123456789abcdef" * 4},
}

RECORD = {
    "system": "starter",
    "step": "part",
    "degraded": [
        {"start": 1.0, "stop": 5.0, "step": "part", "stems": ["bass"], "detail": "less <Demucs>"}
    ],
    "incidents": ["the worker was killed & came back"],
}


def write_scores(run: Path, name: str, sdr: float | None, **more: Any) -> None:
    """Write what `song_document` gives."""
    write_json(run / name / "scores.json", song_document(name, sdr, **more))


def song_document(
    name: str, sdr: float | None, *, museval: float | None = None, **more: Any
) -> dict[str, Any]:
    """Give a song's scores: ``sdr`` for all stems, bass 1 dB less; SI-SDR half a dB below.

    All four of museval's are ``museval``.
    """
    scores = {stem: None if sdr is None else sdr - (stem == "bass") for stem in STEMS}
    document = {
        "song": name,
        "seconds": 1.0,
        "sample_rate": 8000,
        "separation_seconds": 1.5,
        "subset": None,
        "warning": None,
        "origin": RUN,
        "reference": "/none",
        "scores": {
            stem: {
                "global_sdr": score,
                "si_sdr": None if score is None else score - 0.5,
                **dict.fromkeys(("SDR", "SIR", "ISR", "SAR"), museval),
            }
            for stem, score in scores.items()
        },
        "null_depth_db": 30.0,
        "floor": {"quarter_mixture": baseline(0.5)},
        "ceiling": {"ideal_ratio_mask": baseline(9.5)},
    }
    return {**document, **more}


def baseline(sdr: float) -> dict[str, dict[str, float | None]]:
    """Give the scores of a floor or ceiling without museval: SI-SDR 1 dB below."""
    return {stem: {"global_sdr": sdr, "si_sdr": sdr - 1, "SDR": None} for stem in STEMS}


def write_json(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def write_sounds(
    run: Path,
    data: Path,
    name: str,
    stems: Mapping[str, Block],
    rate: int,
    *,
    gain: float = 0.5,
) -> None:
    """Write references and their mixture, and estimates that are the references times a gain."""
    write_wav(data / name / "mixture.wav", np.sum(list(stems.values()), axis=0), rate)
    for stem, sound in stems.items():
        write_wav(data / name / f"{stem}.wav", sound, rate)
        write_wav(run / name / f"{stem}.wav", gain * sound, rate)


def noise(rng: np.random.Generator, num_frames: int) -> dict[str, Block]:
    """Give four stems of noise."""
    return {stem: rng.uniform(-0.2, 0.2, (num_frames, 1)) for stem in STEMS}
