"""The frozen separators under the Mixer: the networks of phase 1, as the systems run them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from my_submission.audio import Signal
from my_submission.compute import Compute
from my_submission.errors import DemixError
from my_submission.separators.tfc_tdf import TfcTdfConfig, TfcTdfSeparator
from my_submission.stems import STEMS, Audio, Stem
from my_submission.streams import stacked

SUFFIXES = (".onnx", ".ckpt", ".pt")
"""How a network's file may end, in the order in which they are looked for."""


class FrozenSeparators:
    """Estimates of the four stems by networks that nothing here can change.

    They are opened by the code that opens them in a system, so a file that is missing, damaged or
    of other sizes is an error, never a network of random weights. They are no modules of the
    Mixer's: Lightning would put those into training mode, in which BatchNorm's statistics follow
    what is heard, and write their weights into every checkpoint.

    Args:
        files: Each stem's network: an ONNX file, or a checkpoint ``.pt`` or ``.ckpt``.
        configs: What each is made for; all see equally many frames.
        compute: How to run them; by default exactly, on the CPU.

    Raises:
        DemixError: A file is missing, is not such a network, or has other sizes.
    """

    def __init__(
        self,
        files: Mapping[Stem, Path],
        configs: Mapping[Stem, TfcTdfConfig],
        compute: Compute | None = None,
    ) -> None:
        self._separators = [TfcTdfSeparator(files[stem], configs[stem], compute) for stem in STEMS]
        chunks = {stem: configs[stem].chunk for stem in STEMS}
        if len(set(chunks.values())) > 1:
            raise DemixError(f"a Mixer needs separators with equally long chunks, not {chunks}")
        self.chunk = chunks[STEMS[0]]
        """Samples that one pass sees."""
        self.trim = max(configs[stem].trim for stem in STEMS)
        """Samples on each side of a pass's output that some system drops."""

    def estimate(self, mixtures: Audio) -> Audio:
        """Estimate the stems of chunks.

        Args:
            mixtures: float32 ``[batch, 2, chunk]``.

        Returns:
            ``[batch, 4, 2, chunk]``, stems in the order of `STEMS`.

        Raises:
            DemixError: The chunks are of another length.
        """
        if mixtures.shape[-1] != self.chunk:
            raise DemixError(
                f"the separators see chunks of {self.chunk} samples, the data gives "
                f"{mixtures.shape[-1]}: make num_frames of model and datamodule equal"
            )
        return np.stack(
            [
                np.concatenate(
                    [
                        separator.estimate(mixtures[start : start + separator.batch_size])
                        for start in range(0, len(mixtures), separator.batch_size)
                    ]
                )
                for separator in self._separators
            ],
            axis=1,
        )

    def stream(self, mixture: Signal) -> Iterator[Audio]:
        """Estimate the stems of a song as the systems do, in consecutive blocks ``[4, 2, n]``."""
        return stacked(separator.stream(mixture) for separator in self._separators)


def separator_files(given: str | Path | Mapping[Stem, str]) -> dict[Stem, Path]:
    """Find each stem's network.

    Args:
        given: A folder with a file per stem, such as ``bass.onnx``, ``bass.ckpt`` or ``bass.pt``
            (the first of these that is there), or the files by stem.

    Raises:
        DemixError: One is missing.
    """
    if isinstance(given, Mapping):
        if set(given) != set(STEMS):
            raise DemixError(
                f"separators are given for {', '.join(map(str, given)) or 'no stem'}: "
                f"name a file for each of {', '.join(STEMS)}"
            )
        files = {stem: Path(given[stem]) for stem in STEMS}
    else:
        folder = Path(given)
        files = {
            stem: next(
                (path for suffix in SUFFIXES if (path := folder / f"{stem}{suffix}").is_file()),
                folder / f"{stem}{SUFFIXES[0]}",
            )
            for stem in STEMS
        }
    for stem, path in files.items():
        if not path.is_file():
            raise DemixError(f"{path}: no such file; the Mixer needs a trained network for {stem}")
    return files
