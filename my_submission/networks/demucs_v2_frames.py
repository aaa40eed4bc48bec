"""Demucs v2 frame by frame: what `DemucsV2.forward` computes, in less time and memory.

Sound lies in memory with a frame's channels together, so that every layer is a product of frames by
a matrix.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

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
from my_submission.networks.matrix import Matrix, taken, tiles, windows
from my_submission.networks.resampling import Resampling

BATCH_SIZE = 12
"""Segments to separate together: four minutes of a song, for which the LSTM holds 0.4 GB."""


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
        self._double_rate = Resampling(1, 2, self._device)
        self._half_rate = Resampling(2, 1, self._device)
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
        mixtures = [segment.to(self._device) for segment in segments]
        products = float32_products if self._device.type == "cuda" else nullcontext
        with products():
            bottoms = self._lstm([self._encode(mixture)[0] for mixture in mixtures])
        for mixture, bottom in zip(mixtures, bottoms, strict=True):
            with products():
                stems = self._decode(bottom, self._encode(mixture)[1]).cpu()
            yield stems

    def _encode(self, mixture: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Map ``[2, time]`` to the bottom and all skips, each ``[frames, channels]``."""
        x = self._double_rate(mixture / INPUT_DIVISOR).T.contiguous()
        skips = []
        for encode in self._encoder:
            x = encode(x)
            skips.append(x)
        return x, skips

    def _decode(self, x: Tensor, skips: list[Tensor]) -> Tensor:
        """Map ``[frames, channels]`` and the skips to ``[4, 2, time]``."""
        for decode in self._decoder:
            skip = skips.pop()
            front = (len(skip) - len(x)) // 2
            x = decode(x, skip[front : front + len(x)])
            del skip  # the first layer's takes as much memory as all others
        return self._half_rate(x.T).view(NUM_STEMS, 2, -1)


class _Encode:
    """An encoder layer: ``[time, in]`` to ``[frames, channels]``."""

    def __init__(self, layer: Any, dtype: torch.dtype, out_dtype: torch.dtype) -> None:
        convolution, _, rewrite, _ = layer
        self._matrix = take_kernel(convolution, dtype, rectifies=True)
        self._rewrite = take_kernel(rewrite, dtype)
        self._out_dtype = out_dtype

    @property
    def num_bytes(self) -> int:
        return self._matrix.num_bytes + self._rewrite.num_bytes

    def __call__(self, x: Tensor) -> Tensor:
        seen = windows(x, KERNEL_SIZE, STRIDE)
        out = x.new_empty(len(seen), self._rewrite.num_out // 2, dtype=self._out_dtype)
        for tile in tiles(seen):
            out[tile] = functional.glu(self._rewrite(self._matrix(seen[tile])), dim=1)
        return out


class _Decode:
    """A decoder layer: ``[frames, channels]`` and the skip, as long, to ``[time, out]``."""

    def __init__(self, layer: Any, dtype: torch.dtype, upsampling_dtype: torch.dtype) -> None:
        convolution, _, upsampling, *activation = layer
        self._matrix = take_kernel(convolution, dtype)
        self._upsampling = take_upsampling(upsampling, upsampling_dtype, bool(activation))

    @property
    def num_bytes(self) -> int:
        return self._matrix.num_bytes + self._upsampling.num_bytes

    def __call__(self, x: Tensor, skip: Tensor) -> Tensor:
        """Work tile by tile from the sum to the result, so that nothing else is in memory whole."""
        count, dtype = len(x) - CONTEXT + 1, self._upsampling.dtype
        out = x.new_empty(count + 1, self._upsampling.num_out, dtype=dtype)
        none = last = x.new_zeros(1, x.shape[1], dtype=dtype)
        for tile in tiles(windows(x, CONTEXT, 1)):
            seen = slice(tile.start, tile.stop + CONTEXT - 1)
            mixed = self._matrix(windows(x[seen] + skip[seen], CONTEXT, 1)).to(dtype)
            frames = [last, functional.glu(mixed, dim=1)]
            last = frames[1][-1:]
            if tile.stop == count:
                frames.append(none)
            pairs = windows(torch.cat(frames), 2, 1)
            out[tile.start : tile.start + len(pairs)] = self._upsampling(pairs)
        return out.view(len(out) * STRIDE, -1)


class _Lstm:
    """The bottom: sequences ``[time, channels]`` of any lengths to the same shapes, together."""

    def __init__(self, bottom: BidirectionalLstm, dtype: torch.dtype) -> None:
        self._linear = Matrix(taken(bottom.linear.weight).to(dtype), bottom.linear.bias.data)
        kind = SequencesLstm if bottom.linear.bias.device.type == "cpu" else PackedLstm
        self._lstm = kind(bottom.lstm, dtype)

    @property
    def num_bytes(self) -> int:
        return self._lstm.num_bytes + self._linear.num_bytes

    def __call__(self, sequences: Sequence[Tensor]) -> list[Tensor]:
        output = self._lstm(sequences)
        projected = self._linear(output.flatten(0, 1)).view(*output.shape[:2], -1)
        return [projected[: len(own), index].contiguous() for index, own in enumerate(sequences)]


def take_kernel(convolution: Any, dtype: torch.dtype, *, rectifies: bool = False) -> Matrix:
    """Take a convolution's weights out of it, to multiply windows ``[frames, taps * in]`` by."""
    rows = taken(convolution.weight).permute(0, 2, 1).reshape(convolution.out_channels, -1)
    return Matrix(rows.to(dtype), convolution.bias.data, rectifies=rectifies)


def take_upsampling(convolution: Any, dtype: torch.dtype, rectifies: bool) -> Matrix:
    """Take a transposed convolution's weights out of it, to multiply pairs of frames by.

    A frame gives two blocks of `STRIDE` samples, and the second adds to its successor's first: so
    two frames ``[2 * in]``, the earlier one first, give a block ``[STRIDE * out]``.
    """
    taps = taken(convolution.weight).permute(2, 1, 0)
    this, next_one = taps.reshape(2, -1, convolution.in_channels)
    rows = torch.cat([next_one, this], dim=1)
    return Matrix(rows.to(dtype), convolution.bias.data.repeat(STRIDE), rectifies=rectifies)


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
