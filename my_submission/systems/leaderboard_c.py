"""Leaderboard C of the Music Demixing Track 2023: kmdx-net.

1. TFC-TDF: vocals from the mixture; drums, other and bass from the mixture less those vocals.
2. Demucs: a cascade of six networks on the mixture standardised by its mono downmix. What one
   found is taken away before the next one listens.
3. A weighted mean of the two, per stem.

`leaderboard_c_demucs` is step 2 alone, for those who lack the TFC-TDF networks. The stems of both
need not add up to the mixture.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from my_submission.audio import Signal
from my_submission.cascade import Shelf, Sound
from my_submission.compute import Compute
from my_submission.networks.demucs_package import load_demucs_package
from my_submission.parts import Part, Parts
from my_submission.separators.demucs import DemucsSeparator, mono, statistics
from my_submission.separators.tfc_tdf import TfcTdfConfig, TfcTdfSeparator
from my_submission.stems import Audio, Stem
from my_submission.streams import blended, stacked

TFC_TDF: dict[Stem, TfcTdfConfig] = {
    "bass": TfcTdfConfig(n_fft=16384, dim_f=2048, num_frames=256, trim=1350, norm_groups=4),
    "drums": TfcTdfConfig(n_fft=7680, dim_f=3072, num_frames=256, trim=1754, norm_groups=2),
    "other": TfcTdfConfig(n_fft=7680, dim_f=3072, num_frames=256, trim=1754, norm_groups=2),
    "vocals": TfcTdfConfig(n_fft=7680, dim_f=3072, num_frames=256, trim=1500),
}

TFC_TDF_SHARE: dict[Stem, float] = {"bass": 0.08, "drums": 0.08, "other": 0.40, "vocals": 0.88}
"""The rest is Demucs's."""

DEMUCS: dict[str, tuple[str, Fraction, float]] = {
    "drums": ("f7e0c4bc-ba3fe64a.th", Fraction(39, 5), 0.85),
    "bass": ("d12395a8-e57c48e6.th", Fraction(39, 5), 0.85),
    "other": ("92cfc3b6-ef3bcb9c.th", Fraction(39, 5), 0.80),
    "vocals": ("04573f0d-f3cf25b2.th", Fraction(77, 10), 0.85),
    "mmi": ("75fc33f5-1941ce65.th", Fraction(44), 0.85),
    "t2": ("a1d90b5c-ae9d2452.th", Fraction(40), 0.80),
}
"""File, seconds of a segment and overlap of each network: htdemucs_ft's four by their stems,
hdemucs_mmi and a1d90b5c. The segments are the original program's, whatever the files say."""


class LeaderboardC:
    """The system, its networks loaded from `folder`."""

    name = "leaderboard_c"

    def __init__(self, folder: Path, compute: Compute) -> None:
        self._vocals = TfcTdfSeparator(folder / "vocals.onnx", TFC_TDF["vocals"], compute)
        self._drums = TfcTdfSeparator(folder / "drums.pt", TFC_TDF["drums"], compute)
        self._other = TfcTdfSeparator(folder / "other.pt", TFC_TDF["other"], compute)
        self._bass = TfcTdfSeparator(folder / "bass.pt", TFC_TDF["bass"], compute)
        self._demucs = LeaderboardCDemucs(folder, compute)

    def separate(self, mixture: Signal) -> Iterator[Audio]:
        """Separate a song into consecutive blocks ``[4, 2, n]``."""
        with Shelf(mixture.num_samples, num_sounds=11) as shelf:
            tfc_tdf, demucs = self.tfc_tdf(mixture, shelf), self._demucs.cascade(mixture, shelf)
            yield from blended(tfc_tdf, demucs, TFC_TDF_SHARE)

    @property
    def parts(self) -> Parts:
        """The two estimates, which a time budget runs apart."""
        networks = [self._vocals, self._bass, self._drums, self._other]
        return Parts(
            Part(self._tfc_tdf_alone, networks, {"vocals": self._vocals}),
            self._demucs.parts.demucs,
            TFC_TDF_SHARE,
        )

    def _tfc_tdf_alone(self, mixture: Signal) -> Iterator[Audio]:
        with Shelf(mixture.num_samples, num_sounds=1) as shelf:
            yield from self.tfc_tdf(mixture, shelf)

    def tfc_tdf(self, mixture: Signal, shelf: Shelf) -> Iterator[Audio]:
        """Estimate by the TFC-TDF networks; one sound on the shelf."""
        (vocals,) = shelf.keep(stacked([self._vocals.stream(mixture)]), 1)
        rest = Sound.of(mixture) - vocals
        bass, drums = self._bass.stream(rest), self._drums.stream(rest)
        return stacked([bass, drums, self._other.stream(rest), vocals.stream()])


class LeaderboardCDemucs:
    """The Demucs half alone, its networks loaded from `folder`."""

    name = "leaderboard_c_demucs"

    def __init__(self, folder: Path, compute: Compute) -> None:
        self._separators = {}
        for role, (file, segment, overlap) in DEMUCS.items():
            network = load_demucs_package(folder / file, compute, segment)
            self._separators[role] = DemucsSeparator(network, segment=segment, overlap=overlap)

    def separate(self, mixture: Signal) -> Iterator[Audio]:
        """Separate a song into consecutive blocks ``[4, 2, n]``."""
        with Shelf(mixture.num_samples, num_sounds=10) as shelf:
            yield from self.cascade(mixture, shelf)

    @property
    def parts(self) -> Parts:
        """The only estimate, as a time budget runs it."""
        return Parts(demucs=Part(self.separate, list(self._separators.values())))

    def cascade(self, mixture: Signal, shelf: Shelf) -> Iterator[Audio]:
        """Estimate by networks that listen to what others left; ten sounds on the shelf."""

        def estimates(role: str, sound: Sound, *stems: Stem) -> list[Sound]:
            return shelf.keep(self._separators[role].stream(sound, stems), len(stems))

        stats = statistics(mixture, downmix=mono)
        m = Sound.of(stats.standardise(mixture))
        (v4,) = estimates("vocals", m, "vocals")
        v5, d5, b5, o5 = estimates("mmi", m, "vocals", "drums", "bass", "other")
        v6, d6 = estimates("t2", m, "vocals", "drums")
        (o7,) = estimates("other", m, "other")
        m1 = m - (0.8 * v4 + 0.2 * v5)
        (d1,) = estimates("drums", m1, "drums")
        m3 = m1 - (0.7 * d1 + 0.3 * d5)
        (b2,) = estimates("bass", m3, "bass")
        m4 = m3 - b2

        drums = 0.60 * d1 + 0.26 * d5 + 0.14 * d6
        bass = 0.89 * b2 + 0.11 * b5
        other = 0.68 * m4 + 0.04 * o5 + 0.28 * o7
        vocals = 0.73 * v4 + 0.21 * v5 + 0.06 * v6
        return stats.restore(stacked(sound.stream() for sound in (bass, drums, other, vocals)))
