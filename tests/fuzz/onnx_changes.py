"""Networks that are still ONNX files, with something in them that does not fit."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, numpy_helper

from tests.fuzz.mutations import INTERESTING, mutated

OPERATIONS = ("Add", "Mul", "Relu", "Conv", "ConvTranspose", "MatMul", "Identity", "ReduceMean")


def change_weight(model: ModelProto, rng: random.Random) -> None:
    """Give some weights another shape, or values that are no numbers."""
    if not model.graph.initializer:
        return
    chosen = rng.choice(model.graph.initializer)
    try:
        value = numpy_helper.to_array(chosen).copy()
    except (ValueError, TypeError):  # changed already, to what fits nothing
        return
    changes: list[Callable[[], np.ndarray]] = [
        lambda: value.T,
        lambda: value.reshape(-1),
        lambda: value[:-1] if value.ndim else value,
        lambda: np.concatenate([value, value]) if value.ndim else value.reshape(1),
        lambda: np.concatenate([value] * 50) if value.ndim else value,
        lambda: value[None],
        lambda: value[..., :0] if value.ndim else value,
        lambda: value * np.float32(np.nan),
        lambda: value.astype(np.float64),
        lambda: value.astype(np.int64),
    ]
    changed = numpy_helper.from_array(np.ascontiguousarray(rng.choice(changes)()), chosen.name)
    chosen.CopyFrom(changed)


def change_shape(model: ModelProto, rng: random.Random) -> None:
    """Say that weights are of another shape than their numbers."""
    if not model.graph.initializer:
        return
    chosen = rng.choice(model.graph.initializer)
    if chosen.dims:
        chosen.dims[rng.randrange(len(chosen.dims))] = rng.choice((*INTERESTING, -1, 1 << 40))


def change_port(model: ModelProto, rng: random.Random) -> None:
    """Give the input or the output other axes."""
    port = rng.choice([*model.graph.input, *model.graph.output])
    axes = port.type.tensor_type.shape.dim
    if axes:
        axes[rng.randrange(len(axes))].dim_value = rng.choice((0, 1, 3, 4, 8, 16, 1 << 31, -5))


def change_attribute(model: ModelProto, rng: random.Random) -> None:
    """Change a number of an operation."""
    items = [item for node in model.graph.node for item in node.attribute if item.ints]
    if items:
        ints = rng.choice(items).ints
        ints[rng.randrange(len(ints))] = rng.choice((-1, 0, 1, 2, 3, 7, 100, 1 << 31, 1 << 62))


def rewire(model: ModelProto, rng: random.Random) -> None:
    """Connect an operation to another value."""
    node = rng.choice(model.graph.node)
    names = [*_values(model.graph), "nowhere", ""]
    ports = rng.choice([node.input, node.output])
    if ports:
        ports[rng.randrange(len(ports))] = rng.choice(names)


def change_operation(model: ModelProto, rng: random.Random) -> None:
    """Make an operation another one."""
    rng.choice(model.graph.node).op_type = rng.choice(OPERATIONS)


def change_order(model: ModelProto, rng: random.Random) -> None:
    """Take operations out, repeat or exchange them."""
    nodes = list(model.graph.node)
    i, j = rng.randrange(len(nodes)), rng.randrange(len(nodes))
    kind = rng.randrange(3)
    if kind == 0:
        del nodes[i]
    elif kind == 1:
        nodes.insert(j, nodes[i])
    else:
        nodes[i], nodes[j] = nodes[j], nodes[i]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def change_version(model: ModelProto, rng: random.Random) -> None:
    """Claim another version of the format."""
    if rng.random() < 0.5:
        model.ir_version = rng.choice((0, 1, 3, 100, 1 << 40))
    elif model.opset_import:
        model.opset_import[0].version = rng.choice((0, 1, 6, 9, 18, 1000))


CHANGES = (
    *(change_weight, change_weight, change_weight, change_shape, change_port),
    *(change_attribute, rewire, change_operation, change_order, change_version),
)


def changed_network(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Damage an ONNX file: its graph, which stays a graph, or its bytes.

    Args:
        data: The file.
        rng: Decides where and how.
        others: Files to join it with.
    """
    if rng.random() < 0.4:
        return mutated(data, rng, others)
    model = onnx.load_model_from_string(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if model.graph.node:
            rng.choice(CHANGES)(model, rng)
    return bytes(model.SerializeToString())


def _values(graph: GraphProto) -> list[str]:
    names = [name for node in graph.node for name in node.output]
    return [*names, *(item.name for item in graph.initializer), graph.input[0].name]
