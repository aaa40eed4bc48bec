"""The weights of a TFC-TDF network, read off its ONNX file.

The published files hold the network as a graph of elementary operations. `read_tfc_tdf` walks
through it, checks every connection, and gives the weights with every BatchNorm folded in; a graph
that is anything else is an `UnsupportedError`, and left to the backends that run any graph.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, numpy_helper
from onnx.checker import ValidationError

from my_submission.errors import DemixError
from my_submission.stems import Audio


class UnsupportedError(DemixError):
    """A network that a backend cannot run, while another may."""


UNREADABLE = (ValueError, LookupError, TypeError, OSError, ValidationError)
"""What a damaged file makes of reading it."""


@dataclass(frozen=True)
class Convolution:
    """A convolution with its norm folded in.

    Attributes:
        weight: ``[out, in, frames, bins]``; of a transposed one ``[in, out, frames, bins]``.
        bias: ``[out]``.
    """

    weight: Audio
    bias: Audio


@dataclass(frozen=True)
class Linear:
    """A linear layer along the bins of a frame, and the norm after it.

    Attributes:
        weight: ``[bins out, bins in]``.
        scale: ``[channels]``, by which the norm multiplies.
        shift: ``[channels]``, what it adds.
    """

    weight: Audio
    scale: Audio
    shift: Audio


@dataclass(frozen=True)
class Block:
    """A TFC-TDF block: 3x3 convolutions, then two linear layers beside a skip."""

    convolutions: Sequence[Convolution]
    squeeze: Linear
    expand: Linear


@dataclass(frozen=True)
class TfcTdfWeights:
    """A network, in the order in which sound passes it.

    Attributes:
        first: 1x1, from 4 channels.
        encoder: A block and the 2x2 convolution below it, per level.
        middle: The block of the lowest level.
        decoder: The transposed 2x2 convolution and the block above it, per level.
        last: 1x1, to 4 channels; no ReLU follows.
    """

    first: Convolution
    encoder: Sequence[tuple[Block, Convolution]]
    middle: Block
    decoder: Sequence[tuple[Convolution, Block]]
    last: Convolution


def read_tfc_tdf(path: Path, dim_f: int) -> TfcTdfWeights:
    """Read a network's weights.

    Args:
        path: An ONNX file that onnxruntime took for a TFC-TDF network. It loads some whose weights
            do not fit each other, and finds that out when it runs them; what runs them here does
            not look, so it is found out now.
        dim_f: Bins of the spectrograms that it maps.

    Raises:
        UnsupportedError: Its graph is not the published one, of convolutions, BatchNorms, ReLUs and
            linear layers, or its weights do not fit each other.
    """
    try:
        weights = read_graph(path, onnx.load(path).graph)
        for name, found, wanted in _shapes(weights, dim_f):
            if found != wanted or 0 in wanted:
                raise UnsupportedError(f"{path}: {name} has shape {found}, expected {wanted}")
    except UNREADABLE as error:
        reason = str(error).split("\n")[0][:160]
        raise UnsupportedError(f"{path}: cannot be read as a TFC-TDF network ({reason})") from error
    return weights


def read_graph(path: Path, graph: onnx.GraphProto) -> TfcTdfWeights:
    """Read the weights of a network that is all there is in a graph; their shapes may be any.

    Args:
        path: Where it is from, for errors.
        graph: From its first input to its only output.

    Raises:
        UnsupportedError: It is not the published one.
        Exception: One of `UNREADABLE`, for damaged files.
    """
    return _network(_Walk(path, graph))


@dataclass
class _Walk:
    """A position in a graph whose nodes follow each other."""

    path: Path
    graph: onnx.GraphProto
    nodes: list[NodeProto] = field(init=False)
    constants: Mapping[str, Audio] = field(init=False)
    value: str = field(init=False)

    def __post_init__(self) -> None:
        constants = {item.name: numpy_helper.to_array(item) for item in self.graph.initializer}
        self.nodes = []
        for node in self.graph.node:
            # Exporters write shared constants as copies of one.
            if node.op_type == "Identity" and node.input[0] in constants:
                constants[node.output[0]] = constants[node.input[0]]
            else:
                self.nodes.append(node)
        self.constants = constants
        self.value = self.graph.input[0].name

    def next_is(self, kind: str) -> bool:
        return bool(self.nodes) and self.nodes[0].op_type == kind

    def take(self, kind: str, other: str | None = None) -> NodeProto:
        """Go over a node of this kind that continues the value so far, with `other` if given."""
        if not self.next_is(kind):
            found = self.nodes[0].op_type if self.nodes else "the end"
            raise UnsupportedError(f"{self.path}: {found} where the published networks have {kind}")
        node = self.nodes.pop(0)
        inputs = [name for name in node.input if name not in self.constants]
        expected = [self.value] if other is None else [self.value, other]
        if sorted(inputs) != sorted(expected):
            raise UnsupportedError(f"{self.path}: {node.name or kind} is connected in another way")
        (self.value,) = node.output
        return node

    def parameters(self, node: NodeProto) -> list[Audio]:
        return [self.constants[name] for name in node.input if name in self.constants]

    def norm(self) -> tuple[Audio, Audio]:
        """Go over a BatchNorm; give what it multiplies by and what it adds."""
        node = self.take("BatchNormalization")
        gamma, beta, mean, variance = (value.astype(np.float64) for value in self.parameters(node))
        scale = gamma / np.sqrt(variance + attributes(node).get("epsilon", 1e-5))
        return scale, beta - mean * scale

    def convolution(self, size: int, *, kind: str = "Conv") -> Convolution:
        """Go over a convolution, its norm where it has one, and give both as one."""
        node = self.take(kind)
        weight, bias = (value.astype(np.float64) for value in self.parameters(node))
        stride = 2 if size == 2 else 1
        wanted = {"kernel_shape": [size] * 2, "strides": [stride] * 2, "pads": [size // 3] * 4}
        found = attributes(node)
        neutral = {"dilations": [1, 1], "group": 1, "auto_pad": b"NOTSET"}
        if {**neutral, "pads": [0] * 4, "strides": [1, 1], **found} != {**neutral, **wanted}:
            raise UnsupportedError(f"{self.path}: {node.name or kind} has other sizes: {found}")
        if self.next_is("BatchNormalization"):
            scale, shift = self.norm()
            out = (1, -1, 1, 1) if kind == "ConvTranspose" else (-1, 1, 1, 1)
            weight, bias = weight * scale.reshape(out), bias * scale + shift
        return Convolution(weight.astype(np.float32), bias.astype(np.float32))

    def linear(self) -> Linear:
        """Go over a linear layer, its norm and its ReLU."""
        (weight,) = self.parameters(self.take("MatMul"))
        scale, shift = self.norm()
        self.take("Relu")
        return Linear(
            np.ascontiguousarray(weight.T), scale.astype(np.float32), shift.astype(np.float32)
        )


def attributes(node: NodeProto) -> dict[str, Any]:
    """Give a node's attributes by name."""
    return {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}


def _network(walk: _Walk) -> TfcTdfWeights:
    first = walk.convolution(1)
    walk.take("Relu")
    _transpose(walk)
    encoder, skips = [], []
    while True:
        block = _block(walk)
        if not walk.next_is("Conv"):
            break
        skips.append(walk.value)
        encoder.append((block, walk.convolution(2)))
        walk.take("Relu")
    decoder = []
    while skips:
        up = walk.convolution(2, kind="ConvTranspose")
        walk.take("Relu")
        walk.take("Mul", other=skips.pop())
        decoder.append((up, _block(walk)))
    _transpose(walk)
    last = walk.convolution(1)
    if walk.nodes or [output.name for output in walk.graph.output] != [walk.value]:
        raise UnsupportedError(f"{walk.path}: goes on where the published networks end")
    return TfcTdfWeights(first, encoder, block, decoder, last)


def _block(walk: _Walk) -> Block:
    convolutions = []
    while walk.next_is("Conv"):
        convolutions.append(walk.convolution(3))
        walk.take("Relu")
    skip = walk.value
    squeeze, expand = walk.linear(), walk.linear()
    walk.take("Add", other=skip)
    return Block(convolutions, squeeze, expand)


def _transpose(walk: _Walk) -> None:
    axes = attributes(walk.take("Transpose")).get("perm")
    if axes != [0, 1, 3, 2]:
        raise UnsupportedError(f"{walk.path}: swaps the axes {axes}")


_Shape = tuple[int, ...]


def _shapes(weights: TfcTdfWeights, dim_f: int) -> Iterator[tuple[str, _Shape, _Shape]]:
    """Name every array of a network, with the shape that it has and the one that it must have."""
    widths = [len(weights.first.bias), *(len(down.bias) for _, down in weights.encoder)]
    yield from _convolution_shapes("the first layer", weights.first, (widths[0], 4, 1, 1))
    blocks = [block for block, _ in weights.encoder] + [weights.middle]
    for level, block in enumerate(blocks):
        yield from _block_shapes(f"block {level}", block, widths[level], dim_f >> level)
    for level, (_, down) in enumerate(weights.encoder):
        shape = (widths[level + 1], widths[level], 2, 2)
        yield from _convolution_shapes(f"the way down from {level}", down, shape)
    for level, (up, block) in zip(reversed(range(len(blocks) - 1)), weights.decoder, strict=True):
        shape = (widths[level + 1], widths[level], 2, 2)
        yield f"the way up to {level}", up.weight.shape, shape
        yield f"the bias up to {level}", up.bias.shape, shape[1:2]
        yield from _block_shapes(f"upper block {level}", block, widths[level], dim_f >> level)
    yield from _convolution_shapes("the last layer", weights.last, (4, widths[0], 1, 1))


def _convolution_shapes(
    name: str, layer: Convolution, shape: _Shape
) -> Iterator[tuple[str, _Shape, _Shape]]:
    yield name, layer.weight.shape, shape
    yield f"the bias of {name}", layer.bias.shape, shape[:1]


def _block_shapes(
    name: str, block: Block, width: int, bins: int
) -> Iterator[tuple[str, _Shape, _Shape]]:
    for convolution in block.convolutions:
        yield from _convolution_shapes(name, convolution, (width, width, 3, 3))
    hidden = len(block.squeeze.weight)
    for layer, shape in ((block.squeeze, (hidden, bins)), (block.expand, (bins, hidden))):
        yield f"a linear layer of {name}", layer.weight.shape, shape
        yield f"a scale of {name}", layer.scale.shape, (width,)
        yield f"a shift of {name}", layer.shift.shape, (width,)
