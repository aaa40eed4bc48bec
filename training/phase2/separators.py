"""The frozen separators under the Mixer: the networks of phase 1, as the systems run them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from my_submission.audio import Signal
from my_submission.chunking import trimmed_chunks
from my_submission.compute import Compute
from my_submission.errors import DemixError
from my_submission.networks.gpu import float32_products
from my_submission.separators.tfc_tdf import TfcTdfConfig, TfcTdfSeparator
from my_submission.stems import STEMS, Audio, Stem
from my_submission.stft import Stft
from my_submission.streams import stacked
from training.loading import load_network

SUFFIXES = (".onnx", ".ckpt", ".pt")
"""How a network's file may end, in the order in which they are looked for."""


class FrozenSeparators:
    """Estimates of the four stems by networks that nothing here can change.

    A file that is missing, damaged or of other sizes is an error, never a network of random
    weights. The networks are no modules of the Mixer's: Lightning would put those into training
    mode, in which BatchNorm's statistics follow what is heard, and write their weights into every
    checkpoint.

    Args:
        files: Each stem's network: an ONNX file, which runs as in a system, or a checkpoint
            ``.pt`` or ``.ckpt``, published or of phase 1, which torch runs.
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
        compute = compute or Compute()
        self._separators = [_open(files[stem], configs[stem], compute) for stem in STEMS]
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


class _Separator(Protocol):
    """What runs a stem's network."""

    @property
    def batch_size(self) -> int:
        """Chunks that one pass takes."""
        ...

    def estimate(self, chunks: Audio) -> Audio:
        """Estimate the stem of chunks ``[batch, 2, chunk]``, in the same shape."""
        ...

    def stream(self, mixture: Signal) -> Iterator[Audio]:
        """Estimate the stem of the whole song, as consecutive blocks ``[2, n]``."""
        ...


class _CheckpointSeparator:
    """A stem's network from a checkpoint, run by torch."""

    batch_size = 1

    def __init__(self, path: Path, config: TfcTdfConfig, device: str) -> None:
        loaded = load_network(path, config.norm_groups)
        if loaded.dim_f != config.dim_f or config.num_frames % loaded.time_factor:
            raise DemixError(
                f"{path}: sees {loaded.dim_f} bins and multiples of {loaded.time_factor} frames, "
                f"not {config.dim_f} and {config.num_frames}"
            )
        if loaded.n_fft not in (None, config.n_fft):
            raise DemixError(
                f"{path}: made for n_fft {loaded.n_fft}, not {config.n_fft}: another stem's?"
            )
        self._network = loaded.network.requires_grad_(False).to(device)
        self._device = torch.device(device)
        self._config, self._stft = config, Stft(config.n_fft, config.dim_f)

    @torch.no_grad()
    def estimate(self, chunks: Audio) -> Audio:
        sound = torch.from_numpy(chunks).to(self._device)
        with float32_products(allow_tf32=False):
            estimate = self._stft.waveform(self._network(self._stft.spectrogram(sound)))
        samples: Audio = estimate.cpu().numpy()
        return samples

    def stream(self, mixture: Signal) -> Iterator[Audio]:
        return trimmed_chunks(
            mixture,
            lambda batches: map(self.estimate, batches),
            chunk=self._config.chunk,
            trim=self._config.trim,
            batch_size=self.batch_size,
        )


def _open(path: Path, config: TfcTdfConfig, compute: Compute) -> _Separator:
    if path.suffix == ".onnx":
        return TfcTdfSeparator(path, config, compute)
    return _CheckpointSeparator(path, config, compute.device)


def separator_files(given: str | Path | Mapping[Stem, str]) -> dict[Stem, Path]:
    """Find each stem's network.

    Args:
        given: A folder with a file per stem, such as ``bass.onnx``, ``bass.ckpt`` or ``bass.pt``
            (the first of these that is there), or the files by stem.

    Raises:
        DemixError: Some are missing; it names their stems.
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
    if missing := [stem for stem, path in files.items() if not path.is_file()]:
        raise DemixError(
            f"{files[missing[0]]}: no such file; "
            f"the Mixer needs a trained network for {', '.join(missing)}"
        )
    return files
