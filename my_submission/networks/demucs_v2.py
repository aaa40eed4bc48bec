"""The Demucs v2 network, as the checkpoints of Leaderboard A and B hold it.

The `demucs` package's own `Demucs` class is a later network: its decoders pad their 3-wide
convolutions and its layers carry other indices. This one computes what version 2.0.3 computed,
under the published parameter names. Source: Défossez et al., "Music Source Separation in the
Waveform Domain" (2019).
"""

import math
from pathlib import Path

import torch
from julius.resample import resample_frac
from torch import Tensor, nn

from my_submission.errors import DemixError
from my_submission.networks.checkpoints import load_state_dict, load_strictly

DEPTH = 6
KERNEL_SIZE = 8
STRIDE = 4
CONTEXT = 3
LSTM_LAYERS = 2
NUM_STEMS = 4
INPUT_DIVISOR = 1 + 1e-5
"""The original divides its input by a deviation and a floor of 1e-5; the deviation is 1 where, as
here, normalising inside the network is off, and the floor stays."""
SOURCES = ("drums", "bass", "other", "vocals")
"""Demucs's order of the stems in its output."""


class BidirectionalLstm(nn.Module):
    """Two bidirectional LSTM layers over time, projected back to the number of channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, channels, num_layers=LSTM_LAYERS, bidirectional=True)
        self.linear = nn.Linear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, channels, time]`` to the same shape."""
        x = self.lstm(x.permute(2, 0, 1))[0]
        projected: Tensor = self.linear(x).permute(1, 2, 0)
        return projected


class DemucsV2(nn.Module):
    """Encoder and decoder of 1-d convolutions with skips and an LSTM, on doubly sampled sound.

    Args:
        channels: Output channels of the first encoder layer; every further layer doubles them.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        encoder: list[nn.Module] = []
        decoder: list[nn.Module] = []
        in_channels, out_channels = 2, 2 * NUM_STEMS
        for index in range(DEPTH):
            encoder.append(
                nn.Sequential(
                    nn.Conv1d(in_channels, channels, KERNEL_SIZE, STRIDE),
                    nn.ReLU(),
                    nn.Conv1d(channels, 2 * channels, 1),
                    nn.GLU(dim=1),
                )
            )
            layers: list[nn.Module] = [
                nn.Conv1d(channels, 2 * channels, CONTEXT),
                nn.GLU(dim=1),
                nn.ConvTranspose1d(channels, out_channels, KERNEL_SIZE, STRIDE),
            ]
            if index > 0:
                layers.append(nn.ReLU())
            decoder.insert(0, nn.Sequential(*layers))
            out_channels = in_channels = channels
            channels *= 2
        self.encoder = nn.ModuleList(encoder)
        self.decoder = nn.ModuleList(decoder)
        self.lstm = BidirectionalLstm(in_channels)

    @staticmethod
    def valid_length(length: int) -> int:
        """Give how many samples the network must see to estimate `length` of them.

        The decoders' convolutions are not padded, so the middle is what comes out; and every
        layer's input must be a whole number of its strides.

        Args:
            length: Samples of which an estimate is wanted.

        Returns:
            The smallest sufficient input length.
        """
        length *= 2
        for _ in range(DEPTH):
            length = max(1, math.ceil((length - KERNEL_SIZE) / STRIDE) + 1) + CONTEXT - 1
        for _ in range(DEPTH):
            length = (length - 1) * STRIDE + KERNEL_SIZE
        return math.ceil(length / 2)

    def forward(self, mixture: Tensor) -> Tensor:
        """Separate the middle of the mixture.

        Args:
            mixture: ``[batch, 2, valid_length(length)]``.

        Returns:
            ``[batch, 4, 2, n]``, stems ordered as `SOURCES`; ``n >= length``, and
            `center_trim` to `length` is what belongs to the middle `length` samples.
        """
        x = resample_frac(mixture / INPUT_DIVISOR, 1, 2)
        skips = []
        for encode in self.encoder:
            x = encode(x)
            skips.append(x)
        x = self.lstm(x)
        for decode in self.decoder:
            x = decode(x + center_trim(skips.pop(), x.shape[-1]))
        x = resample_frac(x, 2, 1)
        stems: Tensor = x.view(len(x), NUM_STEMS, 2, x.shape[-1])
        return stems


def center_trim(x: Tensor, length: int) -> Tensor:
    """Cut the last axis to `length`, half of the excess on each side, the smaller half in front."""
    front = (x.shape[-1] - length) // 2
    return x[..., front : front + length]


def load_demucs_v2(path: Path) -> DemucsV2:
    """Load a published Demucs v2 checkpoint, a bare state dict.

    Returns:
        The network in evaluation mode, on the CPU and in float32.

    Raises:
        DemixError: The file is not such a checkpoint; nothing in it is ever executed.
    """
    state = load_state_dict(path)
    first = state.get("encoder.0.0.weight")
    if first is None or first.ndim != 3 or not len(first):
        raise DemixError(f"{path}: not a Demucs v2 checkpoint: it has no encoder.0.0.weight")
    with torch.device("meta"):  # no memory and no random numbers for weights about to be replaced
        network = DemucsV2(channels=len(first))
    load_strictly(network, state, path, "Demucs v2")
    return network.eval().requires_grad_(False)
