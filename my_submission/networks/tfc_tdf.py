"""The TFC-TDF U-Net (KUIELab-MDX-Net), with the published checkpoints' parameter names.

Choi et al., "Investigating U-Nets with various intermediate blocks for spectrogram-based singing
voice separation" (2020); Kim et al., "KUIELab-MDX-Net" (2021). Its input and output are complex
spectrograms as real channels; it estimates the target's spectrogram itself, there is no mask.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from my_submission.errors import DemixError

_CONSTANTS = ("window", "freq_pad")
"""Tensors that published `.pt` files hold beside the parameters; the transform makes its own."""


@dataclass(frozen=True)
class TfcTdfSize:
    """What determines every parameter's shape.

    Attributes:
        dim_f: Frequency bins of the spectrogram, a multiple of `2 ** (num_blocks // 2)`.
        num_blocks: TFC-TDF blocks: `num_blocks // 2` down, one in the middle, as many up.
        num_layers: 3x3 convolutions per block.
        growth: Channels after the first convolution, and channels added per level.
        bottleneck_factor: A block's frequency bins over its hidden units in the TDF.
        norm_groups: Groups of GroupNorm, of which `growth` is a multiple; None for BatchNorm2d.
    """

    dim_f: int
    num_blocks: int
    num_layers: int
    growth: int
    bottleneck_factor: int
    norm_groups: int | None = None

    @property
    def time_factor(self) -> int:
        """What the number of frames must be a multiple of."""
        return int(2 ** (self.num_blocks // 2))


class TfcTdf(nn.Module):
    """Estimate one source's spectrogram from the mixture's.

    Args:
        size: The network's dimensions.

    Shape:
        Input and output `[batch, 4, dim_f, frames]`, frames a multiple of `size.time_factor`.

    Raises:
        DemixError: The sizes fit no network.
    """

    def __init__(self, size: TfcTdfSize) -> None:
        super().__init__()
        levels = size.num_blocks // 2
        smallest = size.dim_f // size.time_factor
        if (
            size.num_blocks % 2 == 0
            or min(size.growth, size.bottleneck_factor) < 1
            or size.dim_f % size.time_factor
            or smallest < size.bottleneck_factor
            or size.num_layers < 1
            or (size.norm_groups is not None and not divides(size.norm_groups, size.growth))
        ):
            raise DemixError(f"no TFC-TDF network has the sizes {size}: see TfcTdfSize")
        self.size = size
        growth, groups = size.growth, size.norm_groups

        self.first_conv = _normed(nn.Conv2d(4, growth, 1), growth, groups)
        self.encoding_blocks = nn.ModuleList()
        self.ds = nn.ModuleList()
        channels, bins = growth, size.dim_f
        for _ in range(levels):
            self.encoding_blocks.append(_TfcTdfBlock(channels, bins, size))
            down = nn.Conv2d(channels, channels + growth, 2, stride=2)
            self.ds.append(_normed(down, channels + growth, groups))
            channels, bins = channels + growth, bins // 2
        self.bottleneck_block = _TfcTdfBlock(channels, bins, size)
        self.us = nn.ModuleList()
        self.decoding_blocks = nn.ModuleList()
        for _ in range(levels):
            up = nn.ConvTranspose2d(channels, channels - growth, 2, stride=2)
            self.us.append(_normed(up, channels - growth, groups))
            channels, bins = channels - growth, bins * 2
            self.decoding_blocks.append(_TfcTdfBlock(channels, bins, size))
        self.final_conv = nn.Sequential(nn.Conv2d(growth, 4, 1))

    def forward(self, spec: Tensor) -> Tensor:
        """Map the mixture's spectrogram to the source's, both `[batch, 4, dim_f, frames]`."""
        x: Tensor = self.first_conv(spec)
        # The TDF is a linear layer over the last axis, so that axis is to be frequency.
        x = x.transpose(-1, -2)
        skips = []
        for block, down in zip(self.encoding_blocks, self.ds, strict=True):
            x = block(x)
            skips.append(x)
            x = down(x)
        x = self.bottleneck_block(x)
        for up, block in zip(self.us, self.decoding_blocks, strict=True):
            x = block(up(x) * skips.pop())
        x = self.final_conv(x.transpose(-1, -2))
        return x


def divides(divisor: int, number: int) -> bool:
    """Tell whether `number` things make `divisor` equal groups."""
    return divisor > 0 and number % divisor == 0


def parameters_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give a checkpoint's parameters: what it holds without the constants of the transform."""
    return {name: value for name, value in state.items() if name not in _CONSTANTS}


def size_from_state_dict(state: Mapping[str, Tensor], norm_groups: int | None = None) -> TfcTdfSize:
    """Read a network's sizes off a checkpoint.

    Args:
        state: Parameters by their published names.
        norm_groups: Groups of GroupNorm, which a checkpoint does not tell.

    Raises:
        DemixError: A parameter that tells a size is missing, or the checkpoint was trained with
            GroupNorm and `norm_groups` is None.
    """
    levels = len({name.split(".")[1] for name in state if re.match(r"ds\.\d+\.", name)})
    block = "encoding_blocks.0" if levels else "bottleneck_block"
    layer = re.compile(re.escape(block) + r"\.tfc\.H\.\d+\.0\.weight")
    try:
        squeeze, first = state[f"{block}.tdf.0.weight"], state["first_conv.0.weight"]
    except KeyError as error:
        raise DemixError(f"checkpoint is not a TFC-TDF network's: {error} is missing") from error
    if squeeze.ndim != 2 or first.ndim != 4 or 0 in squeeze.shape:
        shapes = f"{list(squeeze.shape)} and {list(first.shape)}"
        raise DemixError(f"checkpoint is not a TFC-TDF network's: its weights are {shapes}")
    hidden, dim_f = squeeze.shape
    has_batch_norm = "first_conv.1.running_mean" in state
    if not has_batch_norm and norm_groups is None:
        raise DemixError("checkpoint has no BatchNorm statistics: say its number of norm groups")
    return TfcTdfSize(
        dim_f=dim_f,
        num_blocks=2 * levels + 1,
        num_layers=sum(1 for name in state if layer.fullmatch(name)),
        growth=len(first),
        bottleneck_factor=dim_f // hidden,
        norm_groups=None if has_batch_norm else norm_groups,
    )


class _Tfc(nn.Module):
    """Time-frequency convolutions: 3x3, norm, ReLU, `num_layers` times."""

    def __init__(self, channels: int, size: TfcTdfSize) -> None:
        super().__init__()
        self.H = nn.ModuleList(
            _normed(nn.Conv2d(channels, channels, 3, padding=1), channels, size.norm_groups)
            for _ in range(size.num_layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.H:
            x = layer(x)
        return x


class _TfcTdfBlock(nn.Module):
    """TFC, then x + TDF(x): two linear layers along all frequencies of a frame."""

    def __init__(self, channels: int, bins: int, size: TfcTdfSize) -> None:
        super().__init__()
        hidden = bins // size.bottleneck_factor
        self.tfc = _Tfc(channels, size)
        self.tdf = nn.Sequential(
            nn.Linear(bins, hidden, bias=False),
            _norm(channels, size.norm_groups),
            nn.ReLU(),
            nn.Linear(hidden, bins, bias=False),
            _norm(channels, size.norm_groups),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.tfc(x)
        result: Tensor = x + self.tdf(x)
        return result


def _normed(layer: nn.Module, channels: int, norm_groups: int | None) -> nn.Sequential:
    return nn.Sequential(layer, _norm(channels, norm_groups), nn.ReLU())


def _norm(channels: int, norm_groups: int | None) -> nn.Module:
    if norm_groups is None:
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(norm_groups, channels)


def num_parameters(network: nn.Module) -> int:
    """Count the trained parameters."""
    return sum(parameter.numel() for parameter in network.parameters())
