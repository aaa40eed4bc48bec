"""Leaderboard A of the Music Demixing Challenge 2021: KUIELab-MDX-Net without extra data.

1. A TFC-TDF network per stem, on the mixture.
2. The Mixer improves the four estimates together.
3. Demucs v2, on the mixture standardised over all samples of both channels.
4. A weighted mean of the two, per stem.

The networks were trained on 256 frames; the submission runs them on 512, and so do their files.
"""

from collections.abc import Iterator
from pathlib import Path

from my_submission.audio import Signal
from my_submission.compute import Compute
from my_submission.networks.demucs_v2_frames import open_demucs_v2
from my_submission.parts import Part, Parts
from my_submission.separators.demucs import DemucsSeparator, statistics
from my_submission.separators.mixer import Mixer
from my_submission.separators.tfc_tdf import TfcTdfConfig, TfcTdfSeparator
from my_submission.stems import STEMS, Audio, Stem
from my_submission.streams import blended, stacked

TFC_TDF: dict[Stem, TfcTdfConfig] = {
    "bass": TfcTdfConfig(n_fft=16384, dim_f=2048, num_frames=512, trim=8192),
    "drums": TfcTdfConfig(n_fft=4096, dim_f=2048, num_frames=512, trim=2048),
    "other": TfcTdfConfig(n_fft=8192, dim_f=2048, num_frames=512, trim=4096),
    "vocals": TfcTdfConfig(n_fft=6144, dim_f=2048, num_frames=512, trim=3072),
}

TFC_TDF_SHARE: dict[Stem, float] = {"bass": 0.5, "drums": 0.5, "other": 0.7, "vocals": 0.9}
"""The rest is Demucs's."""


class LeaderboardA:
    """The system, its networks loaded from `folder`."""

    name = "leaderboard_a"

    def __init__(self, folder: Path, compute: Compute) -> None:
        self._networks = [
            TfcTdfSeparator(folder / f"{stem}.onnx", TFC_TDF[stem], compute) for stem in STEMS
        ]
        self._mixer = Mixer.load(folder / "mixer.ckpt")
        self._demucs = DemucsSeparator(
            open_demucs_v2(folder / "demucs-e07c671f.th", compute),
            segment=40,
            overlap=0.5,
        )

    def separate(self, mixture: Signal) -> Iterator[Audio]:
        """Separate a song into consecutive blocks ``[4, 2, n]``."""
        return blended(self.tfc_tdf(mixture), self.demucs(mixture), TFC_TDF_SHARE)

    @property
    def parts(self) -> Parts:
        """The two estimates, which a time budget runs apart."""
        return Parts(
            Part(self.tfc_tdf, self._networks, dict(zip(STEMS, self._networks, strict=True))),
            Part(self.demucs, [self._demucs]),
            TFC_TDF_SHARE,
        )

    def tfc_tdf(self, mixture: Signal) -> Iterator[Audio]:
        """Estimate by the TFC-TDF networks and the Mixer."""
        estimates = stacked(network.stream(mixture) for network in self._networks)
        return self._mixer.stream(estimates, mixture)

    def demucs(self, mixture: Signal) -> Iterator[Audio]:
        """Estimate by Demucs."""
        stats = statistics(mixture)
        return stats.restore(self._demucs.stream(stats.standardise(mixture)))
