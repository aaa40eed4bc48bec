"""The signal-to-distortion ratio (SDR) of the Music Demixing Challenge.

Conventions:

- One source of one song has ``SDR = 10 * log10((sum(r^2) + 1e-7) / (sum((r - e)^2) + 1e-7))`` dB,
  with reference ``r`` and estimate ``e`` at full scale 1, and both sums over *all* samples and
  channels of the whole song: no frames, no medians, no filters.
  Source: Y. Mitsufuji et al., "Music Demixing Challenge 2021", Frontiers in Signal Processing 2022.
- A song's score is the mean over its four stems; a data set's, the mean over its songs.
- Silence: the two ``1e-7`` make every score finite. A silent reference with a silent estimate
  scores 0 dB, and so does an estimate of zeros for any reference; a perfect estimate scores
  what the reference's energy allows.
- A score is never NaN: NaN or infinite samples in a file or array are an error.
- Sums are taken in float64 over blocks, so memory does not grow with the song.
- These are not the scores of museval (BSSEval v4, medians over frames) that papers on MUSDB18
  quote. The two must never share a column.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evaluator.errors import EvaluatorError
from evaluator.sound import (
    LOSSLESS,
    READABLE,
    STEMS,
    SoundReader,
    find_sound,
    name_some,
    read_together,
    require_same_form,
    require_sound,
    subfolders,
)

DELTA = 1e-7
"""Energy added to both sums of the SDR."""


@dataclass
class SdrSums:
    """Energies of a reference and of an estimate's error, block after block."""

    reference: float = 0.0
    error: float = 0.0

    def add(self, reference: npt.NDArray[np.float64], estimate: npt.NDArray[np.float64]) -> None:
        """Add a block; both arrays have the same shape, whichever it is."""
        self.reference += float(np.sum(np.square(reference)))
        self.error += float(np.sum(np.square(reference - estimate)))

    def sdr(self) -> float:
        """SDR in dB of what was added; always finite."""
        return 10 * log10((self.reference + DELTA) / (self.error + DELTA))


def sdr(reference: npt.ArrayLike, estimate: npt.ArrayLike) -> float:
    """SDR of one source of one song.

    Args:
        reference: the true source, full scale at 1, any shape.
        estimate: the estimated source, in the same shape.

    Returns:
        dB.

    Raises:
        EvaluatorError: the shapes differ, or an array is empty or not finite.
    """
    true, estimated = np.asarray(reference, np.float64), np.asarray(estimate, np.float64)
    if true.shape != estimated.shape:
        raise EvaluatorError(f"estimate has shape {estimated.shape}, reference {true.shape}")
    if not true.size:
        raise EvaluatorError("reference and estimate hold no samples")
    if not (np.isfinite(true).all() and np.isfinite(estimated).all()):
        raise EvaluatorError("reference or estimate holds NaN or infinite samples")
    sums = SdrSums()
    sums.add(true, estimated)
    return sums.sdr()


def sdr_of_files(reference: Path, estimate: Path) -> float:
    """SDR of one source of one song, read in blocks.

    Args:
        reference: the true source.
        estimate: the estimated source.

    Returns:
        dB.

    Raises:
        EvaluatorError: a file is missing, damaged, empty or not finite, or the two differ in
            length, sample rate or channels. Only the stereo estimate of a mono reference is
            compared: with the reference in both channels, as the song was separated.
    """
    sums = SdrSums()
    with SoundReader(reference) as true, SoundReader(estimate) as estimated:
        is_mono = (true.num_channels, estimated.num_channels) == (1, 2)
        require_same_form(true, estimated, check_channels=not is_mono)
        if not true.num_frames:
            raise EvaluatorError(f"{reference} holds no samples")
        for true_block, estimated_block in read_together(true, estimated):
            sums.add(np.broadcast_to(true_block, estimated_block.shape), estimated_block)
    return sums.sdr()


@dataclass(frozen=True)
class SongScore:
    """SDR in dB of each stem of a song (or of the mean over songs)."""

    name: str
    stems: Mapping[str, float]

    @property
    def song(self) -> float:
        """The song's score in dB: the mean over its stems."""
        return sum(self.stems.values()) / len(self.stems)

    def as_dict(self) -> dict[str, float]:
        """The scores by the names that the challenge gave them."""
        return {**{f"sdr_{stem}": sdr for stem, sdr in self.stems.items()}, "sdr": self.song}


def score_song(references: Path, estimates: Path, *, name: str | None = None) -> SongScore:
    """Score the four stems of a song.

    Args:
        references: folder with ``STEM.wav`` or ``STEM.flac``.
        estimates: folder with ``STEM.wav``, ``.flac`` or ``.mp3``.
        name: the song's name; the references' folder where not given.

    Raises:
        EvaluatorError: a stem is missing, or two files cannot be compared.
    """
    return SongScore(
        references.name if name is None else name,
        {
            stem: sdr_of_files(
                require_sound(references, stem, LOSSLESS), require_sound(estimates, stem, READABLE)
            )
            for stem in STEMS
        },
    )


def has_references(folder: Path) -> bool:
    """Whether a song's folder holds all four stems, so that estimates can be scored."""
    return all(find_sound(folder, stem, LOSSLESS) for stem in STEMS)


def songs_with_references(folder: Path) -> list[str]:
    """Names of the subfolders that hold four stems, sorted.

    Raises:
        EvaluatorError: the folder does not exist, or holds no such song.
    """
    names = [path.name for path in subfolders(folder) if has_references(path)]
    if not names:
        files = ", ".join(f"{stem}.wav" for stem in STEMS)
        raise EvaluatorError(f"{folder} holds no references: a song is a folder with {files} in it")
    return names


def score_folder(
    references: Path, estimates: Path, *, names: Sequence[str] | None = None
) -> list[SongScore]:
    """Score the songs of a folder.

    Args:
        references: folder with ``SONG/STEM.wav`` or ``.flac``.
        estimates: folder with ``SONG/STEM.wav``, ``.flac`` or ``.mp3``.
        names: the songs to score; all that have references where not given.

    Returns:
        One score per song, in the order of the names.

    Raises:
        EvaluatorError: a song has no estimates, or one cannot be scored.
    """
    chosen = songs_with_references(references) if names is None else names
    missing = [name for name in chosen if not (estimates / name).is_dir()]
    if missing:
        raise EvaluatorError(f"{estimates} holds no estimates of {name_some(missing)}")
    return [score_song(references / name, estimates / name, name=name) for name in chosen]


def mean_score(scores: Iterable[SongScore], *, name: str) -> SongScore:
    """Mean of each stem over songs; its ``song`` is the data set's score.

    Raises:
        EvaluatorError: there are no songs.
    """
    songs = list(scores)
    if not songs:
        raise EvaluatorError("there are no songs to take the mean of")
    return SongScore(
        name, {stem: sum(song.stems[stem] for song in songs) / len(songs) for stem in STEMS}
    )
