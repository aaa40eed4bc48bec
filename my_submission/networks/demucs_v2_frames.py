"""Demucs v2 frame by frame: what `DemucsV2.forward` computes, in less time and memory.

Sound lies in memory with a frame's channels together, so that every layer is a product of frames by
a matrix.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from julius.resample import resample_frac
from torch import Tensor, nn

from my_submission.compute import Compute
from my_submission.networks.demucs_v2 import (
    CONTEXT,
    INPUT_DIVISOR,
    KERNEL_SIZE,
    NUM_STEMS,
    SOURCES,
    STRIDE,
    BidirectionalLstm,
    DemucsV2,
    load_demucs_v2,
)
from my_submission.networks.gpu import float32_products
from my_submission.networks.lstm import PackedLstm, SequencesLstm
from my_submission.networks.matrix import Matrix, taken

BATCH_SIZE = 12
"""Segments to separate together: four minutes of a song, for which the LSTM holds 0.4 GB."""
TILE = 2048
"""Frames that a layer computes at a time on a CPU: a few megabytes."""


class FramewiseDemucsV2:
    """The network, as `DemucsSeparator` runs it.

    Args:
        network: Whose weights it takes: they are laid out anew, and `network` has none any more.
        compute: Where its products are computed, and in what.
    """

    sources: Sequence[str] = SOURCES
    batch_size = BATCH_SIZE
    valid_length = staticmethod(DemucsV2.valid_length)

    def __init__(self, network: DemucsV2, compute: Compute) -> None:
        self.kind = ("Demucs v2", network.encoder[0][0].out_channels)  # type: ignore[index]
        self._device = torch.device(compute.device)
        network = network.to(self._device)
        # What sees the mixture and what gives the stems costs little, and all digits count there.
        low, last = compute.dtype, len(network.decoder) - 1
        self._encoder = [
            _Encode(layer, torch.float32 if index == 0 else low, low)
            for index, layer in enumerate(network.encoder)
        ]
        self._lstm = _Lstm(network.lstm, low)
        self._decoder = [
            _Decode(layer, low, torch.float32 if index == last else low)
            for index, layer in enumerate(network.decoder)
        ]

    @property
    def num_bytes(self) -> int:
        """Memory that the weights take, but for biases."""
        layers: list[_Encode | _Decode] = [*self._encoder, *self._decoder]
        return sum(layer.num_bytes for layer in layers) + self._lstm.num_bytes

    @staticmethod
    def batch_kind(_length: int) -> int:
        """Let segments of all lengths share a batch."""
        return 0

    def estimates(self, segments: Sequence[Tensor]) -> Iterator[Tensor]:
        """Separate segments of any lengths together: faster, in the memory of one.

        The LSTM spends its time on fetching its weights at every step, so it takes all segments
        at once. The convolutions gain nothing by that and keep hundreds of megabytes per segment
        for the decoder, so they run one by one, and the encoder runs again before the decoder
        instead of keeping what it gave. On a CPU they run in tiles that stay in its caches.

        Args:
            segments: Each ``[2, valid_length(length)]``.

        Yields:
            What `DemucsV2.forward` gives for each segment, ``[4, 2, n]``.
        """
        mixtures = [segment[None].to(self._device) for segment in segments]
        products = float32_products if self._device.type == "cuda" else nullcontext
        with products():
            bottoms = self._lstm([self._encode(mixture)[0] for mixture in mixtures])
        for mixture, bottom in zip(mixtures, bottoms, strict=True):
            with products():
                stems = self._decode(bottom, self._encode(mixture)[1])[0].cpu()
            yield stems

    def _encode(self, mixture: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Map ``[1, 2, time]`` to the bottom and all skips, each ``[frames, channels]``."""
        x = resample_frac(mixture / INPUT_DIVISOR, 1, 2)[0].T.contiguous()
        skips = []
        for encode in self._encoder:
            x = encode(x)
            skips.append(x)
        return x, skips

    def _decode(self, x: Tensor, skips: list[Tensor]) -> Tensor:
        """Map ``[frames, channels]`` and the skips to ``[1, 4, 2, time]``."""
        for decode in self._decoder:
            skip = skips.pop()
            front = (len(skip) - len(x)) // 2
            x = decode(x.add_(skip[front : front + len(x)]))
        # Stem by stem: torch's convolution of all channels at once would take a gigabyte.
        stems = [resample_frac(stem.T, 2, 1) for stem in x.chunk(NUM_STEMS, dim=1)]
        return torch.stack(stems)[None]


class _Encode:
    """An encoder layer: ``[time, in]`` to ``[frames, channels]``."""

    def __init__(self, layer: Any, dtype: torch.dtype, rewrite_dtype: torch.dtype) -> None:
        convolution, _, rewrite, _ = layer
        self._matrix, self._bias = take_kernel(convolution, dtype)
        self._rewrite, self._rewrite_bias = take_kernel(rewrite, rewrite_dtype)

    @property
    def num_bytes(self) -> int:
        return self._matrix.num_bytes + self._rewrite.num_bytes

    def __call__(self, x: Tensor) -> Tensor:
        seen = windows(x, KERNEL_SIZE, STRIDE)
        out = x.new_empty(len(seen), len(self._bias))
        for tile in tiles(seen):
            y = self._matrix(seen[tile]).add_(self._bias).relu_()
            content, gate = self._rewrite(y).add_(self._rewrite_bias).chunk(2, dim=1)
            torch.mul(content, gate.sigmoid_(), out=out[tile])
        return out


class _Decode:
    """A decoder layer: ``[frames, channels]`` to ``[time, out]``."""

    def __init__(self, layer: Any, dtype: torch.dtype, upsampling_dtype: torch.dtype) -> None:
        convolution, _, upsampling, *activation = layer
        self._matrix, self._bias = take_kernel(convolution, dtype)
        self._upsampling, self._upsampling_bias = take_kernel(upsampling, upsampling_dtype)
        self._rectifies = bool(activation)

    @property
    def num_bytes(self) -> int:
        return self._matrix.num_bytes + self._upsampling.num_bytes

    def __call__(self, x: Tensor) -> Tensor:
        seen = windows(x, CONTEXT, 1)
        # A frame gives two blocks of `STRIDE` samples; the second adds to its successor's first.
        blocks = self._upsampling_bias.repeat(len(seen) + 1, STRIDE)
        for tile in tiles(seen):
            content, gate = self._matrix(seen[tile]).add_(self._bias).chunk(2, dim=1)
            first, second = self._upsampling(content.mul_(gate.sigmoid_())).chunk(2, dim=1)
            blocks[tile].add_(first)
            blocks[tile.start + 1 : tile.stop + 1].add_(second)
        if self._rectifies:
            blocks.relu_()
        out: Tensor = blocks.view(-1, len(self._upsampling_bias))
        return out


class _Lstm:
    """The bottom: sequences ``[time, channels]`` of any lengths to the same shapes, together."""

    def __init__(self, bottom: BidirectionalLstm, dtype: torch.dtype) -> None:
        self._linear = Matrix(taken(bottom.linear.weight).to(dtype))
        self._bias = bottom.linear.bias.data
        kind = SequencesLstm if self._bias.device.type == "cpu" else PackedLstm
        self._lstm = kind(bottom.lstm, dtype)

    @property
    def num_bytes(self) -> int:
        return self._lstm.num_bytes + self._linear.num_bytes

    def __call__(self, sequences: Sequence[Tensor]) -> list[Tensor]:
        output = self._lstm(sequences)
        projected = self._linear(output.flatten(0, 1)).add_(self._bias)
        projected = projected.view(*output.shape[:2], -1)
        return [projected[: len(own), index].contiguous() for index, own in enumerate(sequences)]


def take_kernel(convolution: Any, dtype: torch.dtype) -> tuple[Matrix, Tensor]:
    """Take a convolution's weights out of it.

    Returns:
        The matrix that windows ``[frames, taps * in]`` are multiplied by, or whose products with
        frames are ``[frames, taps * out]`` where it is transposed; and the bias.
    """
    weight = taken(convolution.weight)
    if isinstance(convolution, nn.ConvTranspose1d):
        rows = weight.permute(2, 1, 0).reshape(-1, convolution.in_channels)
    else:
        rows = weight.permute(0, 2, 1).reshape(convolution.out_channels, -1)
    return Matrix(rows.to(dtype)), convolution.bias.data


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


def open_demucs_v2(path: Path, compute: Compute | None = None) -> FramewiseDemucsV2:
    """Load a published Demucs v2 checkpoint to run it.

    Args:
        path: A bare state dict.
        compute: How to run it; by default exactly, on the CPU.

    Raises:
        DemixError: The file is not such a checkpoint; nothing in it is ever executed.
    """
    compute = compute or Compute()
    network = FramewiseDemucsV2(load_demucs_v2(path), compute)
    compute.note(path.name, "torch")
    return network
