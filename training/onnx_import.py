"""Networks from ONNX files back into torch, so that training can start from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import NodeProto, numpy_helper
from torch import Tensor, nn

from my_submission.errors import DemixError
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.networks.tfc_tdf import TfcTdf, TfcTdfSize
from my_submission.networks.tfc_tdf_file import (
    UNREADABLE,
    Block,
    Convolution,
    Linear,
    TfcTdfWeights,
    UnsupportedError,
    read_graph,
)
from my_submission.stems import Audio
from training.export import TOLERANCE, relative_difference
from training.network import ScaledTfcTdf
from training.treble import WithTreble


def import_onnx(path: Path) -> nn.Module:
    """Load a network from a published ONNX file, or from one that this project exported.

    A file has its BatchNorms folded into the convolutions before them, and keeps those behind
    linear layers. Here each convolution gets the folded weight and bias and its BatchNorm becomes
    the identity (weight 1, bias 0, mean 0, variance 1 - eps); each one behind a linear layer gets
    the file's factor and shift as its weight and bias, with the same mean and variance. So the
    result computes what the file does in evaluation mode. In training mode it would not, because
    norms then take the batch's statistics: `unfold_norms` first.

    Returns:
        In evaluation mode: a `TfcTdf`, in a `ScaledTfcTdf` and a `WithTreble` where the file scales
        its input or passes a share of its upper bins.

    Raises:
        DemixError: The file is missing, corrupt or another network, one with GroupNorm among them,
            or what comes out differs from what onnxruntime computes by more than 1e-5 of the peak.
    """
    reference = OnnxNetwork(path)
    try:
        parts = _parts(path, onnx.load(path).graph)
        network = _network(parts, reference.dim_f)
    except (UnsupportedError, *UNREADABLE, RuntimeError) as error:
        reason = str(error).split("\n")[0].removeprefix(f"{path}: ")[:160]
        raise DemixError(
            f"{path}: not a TFC-TDF network with BatchNorm as this project and the published one "
            f"export it ({reason}); start from its checkpoint"
        ) from error
    for seed, level in ((0, 10.0), (1, 0.1)):
        generator = torch.Generator().manual_seed(seed)
        shape = (1, 4, reference.dim_f, reference.num_frames)
        spec = level * torch.randn(shape, generator=generator)
        with torch.no_grad():
            difference = relative_difference(network(spec).numpy(), reference(spec.numpy()))
        if not difference <= TOLERANCE:
            raise DemixError(
                f"{path}: torch computes something else from its weights, by {difference:.1e} of "
                f"the peak; allowed is {TOLERANCE:.0e}"
            )
    return network


@torch.no_grad()
def unfold_norms(network: nn.Module, spec: Tensor) -> None:
    """Give BatchNorms the statistics of what comes in, and change their weights to match.

    The network computes the same as before in evaluation mode, and in training mode nearly the
    same: without this, its first step would lose all the factors and shifts that were folded.

    Args:
        network: In evaluation mode; changed in place.
        spec: Spectrograms of mixtures, `[batch, 4, dim_f, frames]`, the more the better.
    """
    sums: dict[nn.BatchNorm2d, list[tuple[Tensor, Tensor]]] = {}

    def note(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        x = inputs[0].double()
        sums.setdefault(norm, []).append((x.mean((0, 2, 3)), x.square().mean((0, 2, 3))))

    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    for index in range(len(spec)):
        network(spec[index : index + 1])
    for hook in hooks:
        hook.remove()
    for norm, moments in sums.items():
        mean, square = (torch.stack(values).mean(0) for values in zip(*moments, strict=True))
        variance = (square - mean.square()).clamp(min=0)
        old_mean, old_variance = norm.running_mean, norm.running_var
        assert old_mean is not None and old_variance is not None
        factor = norm.weight.double() / (old_variance.double() + norm.eps).sqrt()
        shift = norm.bias.double() - old_mean.double() * factor
        norm.weight.copy_(factor * (variance + norm.eps).sqrt())
        norm.bias.copy_(shift + factor * mean)
        old_mean.copy_(mean)
        old_variance.copy_(variance)


@dataclass(frozen=True)
class _Parts:
    """What a file holds.

    Attributes:
        weights: The TFC-TDF network's.
        scale: `[1, 1, band, 1]`, by which its input is divided; None for none.
        share: `[1, 1, dim_f - band, 1]`, what of the bins above the band passes; None for none.
    """

    weights: TfcTdfWeights
    scale: Audio | None
    share: Audio | None


def _parts(path: Path, graph: onnx.GraphProto) -> _Parts:
    nodes = list(graph.node)
    places = [index for index, node in enumerate(nodes) if node.op_type == "Conv"]
    if not places:
        raise UnsupportedError(f"{path}: has no convolutions")
    first, last = places[0], places[-1]
    inner = onnx.GraphProto()
    inner.CopyFrom(graph)
    del inner.node[:]
    # Exporters write shared constants as copies of one, before everything else.
    copies = [node for node in nodes[:first] if node.op_type == "Identity"]
    inner.node.extend([*copies, *nodes[first : last + 1]])
    inner.input[0].name = nodes[first].input[0]
    inner.output[0].name = nodes[last].output[0]
    constants = {item.name: item for item in graph.initializer}
    around = [*nodes[:first], *nodes[last + 1 :]]
    scale = _by_bin("Div", around, constants)
    share = _by_bin("Mul", [node for node in around if scale not in node.input], constants)
    by_bin = [
        None if name is None else numpy_helper.to_array(constants[name]) for name in (scale, share)
    ]
    return _Parts(read_graph(path, inner), *by_bin)


def _by_bin(
    kind: str, nodes: list[NodeProto], constants: Mapping[str, onnx.TensorProto]
) -> str | None:
    """Find the constant with a number per bin that a node of this kind takes."""
    for node in nodes:
        for name in map(str, node.input):
            if node.op_type == kind and name in constants:
                dims = list(constants[name].dims)
                if len(dims) == 4 and dims[:2] == [1, 1] and dims[3] == 1:
                    return name
    return None


def _network(parts: _Parts, dim_f: int) -> nn.Module:
    weights = parts.weights
    band = dim_f if parts.scale is None else parts.scale.shape[2]
    size = TfcTdfSize(
        dim_f=band,
        num_blocks=2 * len(weights.encoder) + 1,
        num_layers=len(weights.middle.convolutions),
        growth=len(weights.first.bias),
        bottleneck_factor=band // _outer(weights).squeeze.weight.shape[0],
    )
    with torch.random.fork_rng(devices=[]):
        inner = TfcTdf(size)
    state = inner.state_dict()
    for name, module in inner.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            ones = torch.ones(module.num_features)
            state |= {
                f"{name}.weight": ones,
                f"{name}.bias": 0 * ones,
                f"{name}.running_mean": 0 * ones,
                f"{name}.running_var": ones - module.eps,
            }
    inner.load_state_dict(state | {name: torch.from_numpy(v) for name, v in _named(weights)})
    network: nn.Module = inner
    if parts.scale is not None:
        with torch.random.fork_rng(devices=[]):
            network = ScaledTfcTdf(size, torch.from_numpy(parts.scale.copy()))
        network.network = inner
    if parts.share is not None:
        network = WithTreble(network, torch.from_numpy(parts.share.copy()))
    return network.eval()


def _outer(weights: TfcTdfWeights) -> Block:
    return weights.encoder[0][0] if weights.encoder else weights.middle


def _named(weights: TfcTdfWeights) -> Iterator[tuple[str, Audio]]:
    """Name the weights as checkpoints do."""
    yield from _convolution("first_conv", weights.first)
    yield from _convolution("final_conv", weights.last)
    yield from _block("bottleneck_block", weights.middle)
    for level, (block, down) in enumerate(weights.encoder):
        yield from _block(f"encoding_blocks.{level}", block)
        yield from _convolution(f"ds.{level}", down)
    for level, (up, block) in enumerate(weights.decoder):
        yield from _convolution(f"us.{level}", up)
        yield from _block(f"decoding_blocks.{level}", block)


def _convolution(name: str, layer: Convolution) -> Iterator[tuple[str, Audio]]:
    yield f"{name}.0.weight", layer.weight
    yield f"{name}.0.bias", layer.bias


def _block(name: str, block: Block) -> Iterator[tuple[str, Audio]]:
    for index, layer in enumerate(block.convolutions):
        yield from _convolution(f"{name}.tfc.H.{index}", layer)
    yield from _linear(f"{name}.tdf", 0, block.squeeze)
    yield from _linear(f"{name}.tdf", 3, block.expand)


def _linear(name: str, place: int, layer: Linear) -> Iterator[tuple[str, Audio]]:
    yield f"{name}.{place}.weight", np.array(layer.weight)
    yield f"{name}.{place + 1}.weight", layer.scale
    yield f"{name}.{place + 1}.bias", layer.shift
