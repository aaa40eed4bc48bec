"""The starter: Leaderboard A's recipe without Demucs, on small networks of this project's own.

1. A TFC-TDF network per stem, on the mixture, with 256 frames.
2. The Mixer improves the four estimates together.

Its weights come with the repository; `training/` made them from generated songs.
"""

from collections.abc import Iterator
from pathlib import Path

from my_submission.audio import Signal
from my_submission.compute import Compute
from my_submission.parts import Part, Parts
from my_submission.separators.mixer import Mixer
from my_submission.separators.tfc_tdf import TfcTdfConfig, TfcTdfSeparator
from my_submission.stems import STEMS, Audio, Stem
from my_submission.streams import stacked

TFC_TDF: dict[Stem, TfcTdfConfig] = {
    "bass": TfcTdfConfig(n_fft=16384, dim_f=2048, num_frames=256, trim=8192),
    "drums": TfcTdfConfig(n_fft=4096, dim_f=2048, num_frames=256, trim=2048),
    "other": TfcTdfConfig(n_fft=8192, dim_f=2048, num_frames=256, trim=4096),
    "vocals": TfcTdfConfig(n_fft=6144, dim_f=2048, num_frames=256, trim=3072),
}


class Starter:
    """The system, its networks loaded from `folder`."""

    name = "starter"

    def __init__(self, folder: Path, compute: Compute) -> None:
        self._networks = [
            TfcTdfSeparator(folder / f"{stem}.onnx", TFC_TDF[stem], compute) for stem in STEMS
        ]
        self._mixer = Mixer.load(folder / "mixer.ckpt")

    @property
    def parts(self) -> Parts:
        """The only estimate, as a time budget runs it."""
        alone = dict(zip(STEMS, self._networks, strict=True))
        return Parts(tfc_tdf=Part(self.separate, self._networks, alone))

    def separate(self, mixture: Signal) -> Iterator[Audio]:
        """Separate a song into consecutive blocks ``[4, 2, n]``."""
        estimates = stacked(network.stream(mixture) for network in self._networks)
        return self._mixer.stream(estimates, mixture)
