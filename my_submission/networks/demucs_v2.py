"""The Demucs v2 network, as the checkpoints of Leaderboard A and B hold it.

The `demucs` package's own `Demucs` class is a later network: its decoders pad their 3-wide
convolutions and its layers carry other indices. This one computes what version 2.0.3 computed,
under the published parameter names. Source: Défossez et al., "Music Source Separation in the
Waveform Domain" (2019).
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from julius.resample import resample_frac
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

from my_submission.compute import Compute
from my_submission.errors import DemixError
from my_submission.networks.checkpoints import load_state_dict, load_strictly
from my_submission.networks.gpu import float32_products
from my_submission.networks.lstm import lstm_of_columns

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
BATCH_SIZE = 12
"""Segments to separate together: four minutes of a song, for which the LSTM holds 0.4 GB."""
TILE = 2048
"""Frames that a layer computes at a time on a CPU: a few megabytes."""


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

    def each(self, sequences: Sequence[Tensor]) -> list[Tensor]:
        """Map sequences ``[time, channels]`` of any lengths to the same shapes, together."""
        if sequences[0].device.type == "cpu":
            output = lstm_of_columns(self.lstm, sequences)
        else:
            steps = [x.to(self.linear.weight.dtype) for x in sequences]
            packed = pack_sequence(steps, enforce_sorted=False)
            output, _ = pad_packed_sequence(self.lstm(packed)[0])
        projected = product(output, self.linear.weight).add_(self.linear.bias)
        return [projected[: len(own), index].contiguous() for index, own in enumerate(sequences)]

    def to_dtype(self, dtype: torch.dtype) -> None:
        """Keep the weights in the dtype of the products, and the biases with them on a GPU."""
        self.linear.weight.data = self.linear.weight.data.to(dtype)
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("weight") or parameter.device.type != "cpu":
                parameter.data = parameter.data.to(dtype)


class DemucsV2(nn.Module):
    """Encoder and decoder of 1-d convolutions with skips and an LSTM, on doubly sampled sound.

    Args:
        channels: Output channels of the first encoder layer; every further layer doubles them.
    """

    sources: Sequence[str] = SOURCES
    batch_size = BATCH_SIZE

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.kind = ("Demucs v2", channels)
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

    @staticmethod
    def batch_kind(_length: int) -> int:
        """Let segments of all lengths share a batch."""
        return 0

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

    def estimates(self, segments: Sequence[Tensor]) -> Iterator[Tensor]:
        """Separate segments of any lengths together: faster, in the memory of one.

        The LSTM spends its time on fetching its weights at every step, so it takes all segments
        at once. The convolutions gain nothing by that and keep hundreds of megabytes per segment
        for the decoder, so they run one by one, and the encoder runs again before the decoder
        instead of keeping what it gave. Sound lies in memory frame by frame here, so that all of
        them are plain matrix products, on a CPU of tiles that stay in its caches.

        Args:
            segments: Each ``[2, valid_length(length)]``.

        Yields:
            What `forward` gives for each segment, ``[4, 2, n]``.
        """
        device = self.lstm.linear.weight.device
        mixtures = [segment[None].to(device) for segment in segments]
        products = float32_products if device.type == "cuda" else nullcontext
        with products():
            bottoms = self.lstm.each([self._encode(mixture)[0] for mixture in mixtures])
        for mixture, bottom in zip(mixtures, bottoms, strict=True):
            with products():
                stems = self._decode(bottom, self._encode(mixture)[1])[0].cpu()
            yield stems

    def _encode(self, mixture: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Map ``[1, 2, time]`` to the bottom and all skips, each ``[frames, channels]``."""
        x = resample_frac(mixture / INPUT_DIVISOR, 1, 2)[0].T.contiguous()
        skips = []
        for layer in self.encoder:
            x = encode_frames(layer, x)
            skips.append(x)
        return x, skips

    def _decode(self, x: Tensor, skips: list[Tensor]) -> Tensor:
        """Map ``[frames, channels]`` and the skips to ``[1, 4, 2, time]``."""
        for layer in self.decoder:
            skip = skips.pop()
            front = (len(skip) - len(x)) // 2
            x = decode_frames(layer, x.add_(skip[front : front + len(x)]))
        # Stem by stem: torch's convolution of all channels at once would take a gigabyte.
        stems = [resample_frac(stem.T, 2, 1) for stem in x.chunk(NUM_STEMS, dim=1)]
        return torch.stack(stems)[None]


def encode_frames(layer: Any, x: Tensor) -> Tensor:
    """Compute an encoder layer: ``[time, in]`` to ``[frames, channels]``."""
    convolution, _, rewrite, _ = layer
    seen = windows(x, KERNEL_SIZE, STRIDE)
    out = x.new_empty(len(seen), convolution.out_channels)
    for tile in tiles(seen):
        y = product(seen[tile], kernel_matrix(convolution)).add_(convolution.bias).relu_()
        z = product(y, kernel_matrix(rewrite)).add_(rewrite.bias)
        content, gate = z.chunk(2, dim=1)
        torch.mul(content, gate.sigmoid_(), out=out[tile])
    return out


def decode_frames(layer: Any, x: Tensor) -> Tensor:
    """Compute a decoder layer: ``[frames, channels]`` to ``[time, out]``."""
    convolution, _, upsampling, *activation = layer
    seen = windows(x, CONTEXT, 1)
    # Every frame gives two blocks of `STRIDE` samples; the second adds to its successor's first.
    blocks = upsampling.bias.repeat(len(seen) + 1, STRIDE)
    for tile in tiles(seen):
        z = product(seen[tile], kernel_matrix(convolution)).add_(convolution.bias)
        content, gate = z.chunk(2, dim=1)
        gated = content.mul_(gate.sigmoid_())
        first, second = product(gated, kernel_matrix(upsampling)).chunk(2, dim=1)
        blocks[tile].add_(first)
        blocks[tile.start + 1 : tile.stop + 1].add_(second)
    if activation:
        blocks.relu_()
    out: Tensor = blocks.view(-1, upsampling.out_channels)
    return out


def windows(x: Tensor, size: int, stride: int) -> Tensor:
    """View all windows of contiguous ``[time, channels]`` as ``[frames, size * channels]``."""
    channels = x.shape[1]
    frames = (len(x) - size) // stride + 1
    return x.as_strided((frames, size * channels), (stride * channels, 1), x.storage_offset())


def tiles(frames: Tensor) -> Iterator[slice]:
    """Cut frames into runs that stay in a processor's caches; a GPU takes them all at once."""
    step = TILE if frames.device.type == "cpu" else max(len(frames), 1)
    for start in range(0, len(frames), step):
        yield slice(start, min(start + step, len(frames)))


def product(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply rows by ``[out, in]`` in the weight's dtype, from float32 to float32."""
    return functional.linear(x.to(weight.dtype), weight).float()


def kernel_matrix(convolution: Any) -> Tensor:
    """View a kernel as ``[out, taps * in]``, or as ``[taps * out, in]`` where it is transposed."""
    order = kernel_order(convolution)
    weight: Tensor = convolution.weight.permute(order)
    if isinstance(convolution, nn.ConvTranspose1d):
        return weight.reshape(-1, convolution.in_channels)
    return weight.reshape(convolution.out_channels, -1)


def kernel_order(convolution: nn.Module) -> tuple[int, int, int]:
    """Give the order of a kernel's axes in which `kernel_matrix` is a view."""
    return (2, 1, 0) if isinstance(convolution, nn.ConvTranspose1d) else (0, 2, 1)


def lay_out(network: DemucsV2, dtype: torch.dtype) -> None:
    """Turn the kernels around in memory to what the products read, in the dtype of these."""
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv1d | nn.ConvTranspose1d)]
    # What sees the mixture and what gives the stems costs little, and all digits count there.
    ends = {network.encoder[0][0], network.decoder[-1][2]}  # type: ignore[index]
    for convolution in convolutions:
        order = kernel_order(convolution)  # its own inverse
        weight = convolution.weight.data.permute(order).contiguous().permute(order)
        convolution.weight.data = weight if convolution in ends else weight.to(dtype)
    network.lstm.to_dtype(dtype)
    network.lstm.lstm.flatten_parameters()  # does something on a GPU only


def center_trim(x: Tensor, length: int) -> Tensor:
    """Cut the last axis to `length`, half of the excess on each side, the smaller half in front."""
    front = (x.shape[-1] - length) // 2
    return x[..., front : front + length]


def load_demucs_v2(path: Path, compute: Compute | None = None) -> DemucsV2:
    """Load a published Demucs v2 checkpoint, a bare state dict.

    Returns:
        The network in evaluation mode.

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
    compute = compute or Compute()
    compute.note(path.name, "torch")
    network = network.eval().requires_grad_(False).to(compute.device)
    lay_out(network, compute.dtype)
    return network
