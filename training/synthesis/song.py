"""One song: composed, performed, mixed by one shared limiter, and written whole."""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
from numpy.random import Generator, default_rng
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from my_submission.stems import SAMPLE_RATE, STEMS, Audio, Stem
from training.synthesis.catalogue import Split
from training.synthesis.composition import Plan, compose
from training.synthesis.draw import uniform
from training.synthesis.effects import active_rms, hop_gains, hop_peaks
from training.synthesis.performance import Credits, perform

FULL_SCALE = 32767
LIMIT = 0.89
LOUDNESS_DB = {"vocals": (-20, 2.5), "drums": (-20.5, 3), "bass": (-22, 3), "other": (-21, 3)}
"""Mean and deviation of each stem's level where it plays, dB relative to full scale."""

Samples = npt.NDArray[np.int32]


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


def mix(stems: dict[Stem, Audio], rng: Generator) -> dict[Stem, Audio]:
    """Balance the stems and limit their sum by one gain curve that all of them share.

    A limiter on the sum is what a mastered song has; the same gain on all stems keeps the
    mixture their exact sum.
    """
    balanced = {}
    for stem in STEMS:
        level = active_rms(stems[stem])
        target = 10 ** (rng.normal(*LOUDNESS_DB[stem]) / 20)
        balanced[stem] = stems[stem] * np.float32(target / level if level > 1e-6 else 0)
    drive = 10 ** (uniform(rng, 0, 9) / 20)
    total = np.sum(list(balanced.values()), axis=0)
    # A stem can be louder than the sum where stems cancel, and must not clip either.
    peaks = hop_peaks(np.concatenate([total, *balanced.values()])) * drive
    gains = np.minimum(1, LIMIT / np.maximum(peaks, 1e-9))
    gains = uniform_filter1d(minimum_filter1d(gains, 15), 13) * drive
    curve = hop_gains(gains, total.shape[1])
    return {stem: audio * curve for stem, audio in balanced.items()}


def quantise(stems: dict[Stem, Audio]) -> dict[Stem, Samples]:
    """Round the stems to 16 bits; one common gain where they or their sum would clip."""
    total = np.sum(list(stems.values()), axis=0)
    top = max(float(np.abs(audio).max(initial=0)) for audio in (total, *stems.values()))
    # Rounding adds up to half a step per stem to the sum.
    gain = np.float32(min(FULL_SCALE, (FULL_SCALE - len(stems)) / max(top, 1e-9)))
    return {stem: np.round(audio * gain).astype(np.int32) for stem, audio in stems.items()}


def write_song(request: SongRequest, out: Path, cache: Path, *, mixture: bool = False) -> float:
    """Make a song and write its folder, whole or not at all; a song already there stays.

    Args:
        request: Which song.
        out: Folder that gets the song's folder.
        cache: Folder of the voice bank.
        mixture: Write mixture.flac too.

    Returns:
        Seconds of music written, 0 for a song that was there.
    """
    folder = out / request.name
    if folder.exists():
        return 0.0
    samples, metadata = make_song(request, cache)
    files: dict[str, Samples] = {str(stem): samples[stem] for stem in STEMS}
    if mixture:
        files["mixture"] = np.sum(list(samples.values()), axis=0)
    temporary = Path(tempfile.mkdtemp(prefix=".unfinished_", dir=out))
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
    return float(metadata["seconds"])


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
