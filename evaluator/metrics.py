"""What is measured of a song: four metrics, which never share a column.

Conventions, for a reference ``r`` and an estimate ``e`` of one stem, full scale at 1:

- **Global SDR** is the challenge's, over all samples and channels of the song: see `scoring`. A
  data set's is the mean of its songs.
- **BSSEval v4** (SDR, SIR, ISR, SAR) is museval's: frames of 1 s side by side, one distortion
  filter of 512 taps for the whole song. A song's score is the median of its frames, a data set's
  the median of its songs. Source: F.-R. Stöter, A. Liutkus, N. Ito, "The 2018 Signal Separation
  Evaluation Campaign", LVA/ICA 2018. Frames count as museval counts them: a last one shorter than
  1 s is left out unless it is the only one, and a frame in which any reference or any estimate is
  silent is NaN for all stems. Infinite values are NaN too, as in museval's files, and NaN takes no
  part in medians. Values are rounded to 5 decimals there, and so are they here.
- **SI-SDR** is ``10 * log10((|ar|^2 + 1e-7) / (|e - ar|^2 + 1e-7))`` with ``a = <r, e> / |r|^2``,
  over all samples and channels together, without removing means. Source: J. Le Roux et al., "SDR -
  half-baked or well done?", ICASSP 2019; the ``1e-7`` are those of the global SDR. A data set's is
  the mean of its songs.
- **Null depth** is ``10 * log10((|m|^2 + 1e-7) / (|m - s|^2 + 1e-7))`` of a mixture ``m`` and the
  sum ``s`` of the estimates: how deep what is left lies when the stems are taken from the song.
  0 dB is no better than silence; a system whose stems need not add up has a low one and may be
  good.

Silence:

- Global SDR, SI-SDR and null depth are finite for anything. An estimate of zeros is 0 dB in both
  SDRs, whatever the reference; noise on a silent reference is far below 0.
- museval gives nothing for a song in which one reference or one estimate is silent throughout; its
  four scores are null then, for all stems, and the song takes no part in their medians. As in
  museval, a channel that is the negative of the other one counts as silence.

Length: files of a song must be equally long (museval would pad or cut the estimates). Only the
stereo estimate of a mono reference is compared, with the reference in both channels.

Floor and ceiling (a quarter of the mixture, the ideal ratio mask) have the two SDRs and SI-SDR. In
BSSEval v4 the filters cancel out of the SDR: its error is all of ``e - r``, so that it is computed
here frame by frame, as a stream. SIR, ISR and SAR need the filters, for which museval would run
twice more and take three times as long. Null depth would tell nothing: the quarters add up to the
mixture, and so do the masks' estimates.
"""

from math import log10

import numpy as np
import numpy.typing as npt

from evaluator.scoring import DELTA, SdrSums
from evaluator.sound import STEMS, Block

Sounds = npt.NDArray[np.float64]
"""Sounds of several sources, ``[sources, frames, channels]``."""

FRAME_SECONDS = 1.0
"""Length and distance of museval's frames."""

DECIMALS = 5
"""Of museval's values."""


class SeparationSums:
    """What the global SDR and the SI-SDR of several sources need, block after block.

    Args:
        num_sources: how many are scored side by side.
    """

    def __init__(self, num_sources: int) -> None:
        self.reference, self.error, self.estimate, self.product = np.zeros((4, num_sources))

    def add(self, references: Sounds, estimates: Sounds) -> None:
        """Add the next block of all sources; both arrays have the same shape."""
        # Source by source: what is subtracted is still in the processor's cache when it is summed.
        for index, (reference, estimate) in enumerate(zip(references, estimates, strict=True)):
            error = reference - estimate
            self.reference[index] += _product(reference, reference)
            self.error[index] += _product(error, error)
            self.estimate[index] += _product(estimate, estimate)
            self.product[index] += _product(reference, estimate)

    def sdr(self) -> list[float]:
        """The global SDR of each source in dB; always finite."""
        energies = zip(self.reference, self.error, strict=True)
        return [SdrSums(float(r), float(e)).sdr() for r, e in energies]

    def si_sdr(self) -> list[float]:
        """SI-SDR of each source in dB; always finite, and to 1e-6 dB up to 85 dB."""
        sums = np.stack([self.reference, self.error, self.estimate, self.product], axis=1)
        return [_si_sdr(*map(float, row)) for row in sums]


def _product(left: Block, right: Block) -> float:
    """Sum the products of samples, in one pass and without an array for them."""
    return float(np.einsum("fc,fc->", left, right))


def _si_sdr(reference: float, error: float, estimate: float, product: float) -> float:
    if not reference:
        return 10 * log10(DELTA / (estimate + DELTA))
    target = product**2 / reference
    # |e - ar|^2 without a pass of its own; of two equal forms, the one that cancels less.
    if estimate < error:
        distortion = estimate - target
    else:
        distortion = error - (product - reference) ** 2 / reference
    return 10 * log10((target + DELTA) / (max(distortion, 0.0) + DELTA))


class FrameSdr:
    """BSSEval v4's SDR of each frame of 1 s, block after block.

    Args:
        num_sources: how many are scored together.
        num_samples: length of the song.
        sample_rate: in Hz.
    """

    def __init__(self, num_sources: int, num_samples: int, sample_rate: int) -> None:
        self._window = int(FRAME_SECONDS * sample_rate)
        self._num_frames = max(num_samples // self._window, 1)
        # One more for the end of the song, which is no whole frame.
        shape = (num_sources, num_samples // self._window + 1)
        self._reference, self._error = np.zeros(shape), np.zeros(shape)
        self._heard = np.zeros((2, *shape), bool)
        self._position = 0

    def add(self, references: Sounds, estimates: Sounds) -> None:
        """Add the next block of all sources."""
        first, length = self._position // self._window, references.shape[1]
        if not length:
            return
        starts = np.arange(first + 1, (self._position + length - 1) // self._window + 1)
        starts = np.concatenate([[0], starts * self._window - self._position])
        frames = slice(first, first + len(starts))
        for sums, sounds in (
            (self._reference, references),
            (self._error, estimates - references),
        ):
            energy = np.einsum("sfc,sfc->sf", sounds, sounds)
            sums[:, frames] += np.add.reduceat(energy, starts, axis=1)
        for heard, sounds in zip(self._heard, (references, estimates), strict=True):
            is_heard = np.einsum("sfc->sf", sounds) != 0
            heard[:, frames] |= np.logical_or.reduceat(is_heard, starts, axis=1)
        self._position += length

    def medians(self) -> list[float | None]:
        """Give each source's median over frames in dB; None where no frame has a value."""
        frames = slice(self._num_frames)
        is_whole = self._heard[:, :, frames].all(axis=(0, 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = 10 * np.log10(self._reference[:, frames] / self._error[:, frames])
        return [median_of_frames(row) for row in np.where(is_whole, ratios, np.nan)]


def median_of_frames(values: npt.ArrayLike) -> float | None:
    """Take the median as museval does: of values with 5 decimals, the finite ones only."""
    frames = np.asarray(values, np.float64)
    frames = frames[np.isfinite(frames)]
    return float(np.median(np.round(frames, DECIMALS))) if frames.size else None


class BaselineSums:
    """Global SDR, SI-SDR, and the frames' SDR, of estimates that tell what a song allows.

    Args:
        num_samples: length of the song.
        sample_rate: in Hz.
        with_frames: whether the frames' SDR is wanted.
    """

    def __init__(self, num_samples: int, sample_rate: int, *, with_frames: bool) -> None:
        self._sums = SeparationSums(len(STEMS))
        self._frames = FrameSdr(len(STEMS), num_samples, sample_rate) if with_frames else None

    def add(self, references: Sounds, estimates: Sounds) -> None:
        """Add the next block of all stems."""
        self._sums.add(references, estimates)
        if self._frames is not None:
            self._frames.add(references, estimates)

    def scores(self) -> dict[str, dict[str, float | None]]:
        """Give all three in dB, by stem; ``SDR`` is BSSEval v4's."""
        medians = [None] * len(STEMS) if self._frames is None else self._frames.medians()
        return {
            stem: {"global_sdr": sdr, "si_sdr": si_sdr, "SDR": median}
            for stem, sdr, si_sdr, median in zip(
                STEMS, self._sums.sdr(), self._sums.si_sdr(), medians, strict=True
            )
        }
