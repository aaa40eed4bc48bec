"""Small networks and songs for tests of the Mixer's training."""

from pathlib import Path

import numpy as np
import torch

from my_submission.networks.tfc_tdf import TfcTdfSize
from my_submission.separators.tfc_tdf import TfcTdfConfig
from my_submission.stems import STEMS, Audio, Stem
from tests.conftest import write_scaling_network
from tests.tfc_tdf_files import random_network
from training.export import export_onnx

SIZE = TfcTdfSize(dim_f=64, num_blocks=3, num_layers=1, growth=4, bottleneck_factor=4)
NUM_FRAMES = 8
CHUNK = 1024 * (NUM_FRAMES - 1)
N_FFT: dict[Stem, int] = {"bass": 2048, "drums": 2048, "other": 1536, "vocals": 1536}
TRIM = 1024
CONFIGS = {
    stem: TfcTdfConfig(n_fft=N_FFT[stem], dim_f=64, num_frames=NUM_FRAMES, trim=N_FFT[stem] // 2)
    for stem in STEMS
}
SHARES: dict[Stem, float] = {"bass": 0.7, "drums": 0.4, "other": 0.5, "vocals": 0.3}
"""What `write_shares` networks give of the mixture."""


def write_networks(folder: Path, suffix: str) -> Path:
    """Write four networks of random weights, each of its own; `suffix` says in which format."""
    folder.mkdir()
    for number, stem in enumerate(STEMS):
        network = random_network(SIZE)
        network.state_dict()["final_conv.0.weight"].mul_(1 + number)
        path = folder / f"{stem}{suffix}"
        if suffix == ".onnx":
            export_onnx(network, path, dim_f=64, num_frames=NUM_FRAMES, metadata={})
        else:
            torch.save(network.state_dict(), path)
    return folder


def write_shares(folder: Path) -> Path:
    """Write networks that give a share of the mixture's lowest bins: badly, so there is to gain."""
    folder.mkdir()
    for stem, share in SHARES.items():
        write_scaling_network(folder / f"{stem}.onnx", share, dim_f=64, num_frames=NUM_FRAMES)
    return folder


class ArraySong:
    """A song in memory."""

    def __init__(self, name: str, stems: Audio) -> None:
        self.name = name
        self.num_samples = stems.shape[-1]
        self._stems = stems

    def stems(self, start: int, num_samples: int) -> Audio:
        return self._stems[..., start : start + num_samples]


def some_stems(rng: np.random.Generator, num_samples: int) -> Audio:
    """Make noise in the networks' band, each stem at a level of its own, `[4, 2, num_samples]`."""
    noise = rng.normal(0, 1, (4, 2, num_samples))
    spectrum = np.fft.rfft(noise)
    spectrum[..., int(0.02 * num_samples) :] = 0
    levels = np.array([0.4, 0.3, 0.2, 0.1])[:, None, None]
    sound = levels * np.fft.irfft(spectrum, num_samples)
    return sound.astype(np.float32)
