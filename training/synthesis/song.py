"""One song: composed, performed, mixed, and written whole."""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.random import default_rng

from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, STEMS, Stem
from training.synthesis.catalogue import Split
from training.synthesis.composition import Plan, compose
from training.synthesis.credits import Credits
from training.synthesis.draw import uniform
from training.synthesis.mixdown import Samples, mix, quantise
from training.synthesis.performance import perform


@dataclass(frozen=True)
class SongRequest:
    """All that decides a song: the same request gives the same samples."""

    seed: int
    index: int
    split: Split
    min_seconds: float
    max_seconds: float
    full: bool = False
    given_name: str | None = None

    @property
    def name(self) -> str:
        """The name of the song's folder."""
        return self.given_name or f"{self.split}_{self.seed}_{self.index:05d}"

    @property
    def seconds(self) -> float:
        """The length of the song, drawn apart from the rest so that it is known beforehand."""
        rng = default_rng([self.seed, self.index, 1])
        return uniform(rng, self.min_seconds, self.max_seconds)


def make_song(request: SongRequest, cache: Path) -> tuple[dict[Stem, Samples], dict[str, Any]]:
    """Make a song.

    Args:
        request: Which song.
        cache: Folder of the voice bank.

    Returns:
        16-bit samples `[2, samples]` per stem, whose sum never clips, and the metadata.
    """
    rng = default_rng([request.seed, request.index])
    plan = compose(rng, request.seconds, full=request.full)
    stems, credits = perform(plan, request.split, cache, rng)
    return quantise(mix(stems, rng)), _metadata(request, plan, credits)


def write_song(request: SongRequest, out: Path, cache: Path, *, mixture: bool = False) -> float:
    """Make a song and write its folder, whole or not at all; a song already there stays.

    Args:
        request: Which song.
        out: Folder that gets the song's folder.
        cache: Folder of the voice bank.
        mixture: Write mixture.flac too.

    Returns:
        Seconds of music written, 0 for a song that was there.

    Raises:
        DemixError: The folder cannot be written, as on a full disk.
    """
    folder = out / request.name
    if folder.exists():
        return 0.0
    samples, metadata = make_song(request, cache)
    files: dict[str, Samples] = {str(stem): samples[stem] for stem in STEMS}
    if mixture:
        files["mixture"] = np.sum(list(samples.values()), axis=0)
    try:
        _write(folder, files, metadata)
    except (OSError, soundfile.SoundFileError) as error:
        raise DemixError(f"{folder}: cannot be written ({error}): make room or fix it") from error
    return float(metadata["seconds"])


def _write(folder: Path, files: dict[str, Samples], metadata: dict[str, Any]) -> None:
    temporary = Path(tempfile.mkdtemp(prefix=".unfinished_", dir=folder.parent))
    try:
        for stem, audio in files.items():
            path = temporary / f"{stem}.flac"
            soundfile.write(path, audio.T.astype(np.int16), SAMPLE_RATE, subtype="PCM_16")
        (temporary / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
        temporary.chmod(0o755)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary)
        raise


def _metadata(request: SongRequest, plan: Plan, credits: Credits) -> dict[str, Any]:
    return {
        "name": request.name,
        "seed": request.seed,
        "index": request.index,
        "split": request.split,
        "seconds": round(plan.num_samples / SAMPLE_RATE, 3),
        "style": plan.style,
        "bpm": round(plan.bpm, 1),
        "beats_per_bar": plan.beats_per_bar,
        "fonts": sorted(credits.fonts),
        "kits": sorted(credits.kits),
        "voices": credits.voices,
        "instruments": credits.instruments,
    }
