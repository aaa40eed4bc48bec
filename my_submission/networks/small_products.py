"""Products of small matrices inside compiled loops (`jit`), at nearly the speed of large ones.

A processor multiplies at full speed where sums stay in its registers. So a block of some rows by
one or two vectors of columns is summed there over the whole depth, and `product` is done by blocks.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from my_submission.networks.cores import aligned
from my_submission.networks.jit import HAS_AVX512, inlined
from my_submission.networks.vectors import LANES, VALUES, element, in_all_lanes
from my_submission.stems import Audio

ROWS = 24 if HAS_AVX512 else 12
"""Of a block of one vector of columns; of two, it has half."""


def packed(weights: Audio) -> Audio:
    """Lay matrices out as `product` reads them.

    Args:
        weights: ``[n, in, out]``.

    Returns:
        ``[n, blocks, in, columns]``, where the last block is filled up with zeros.
    """
    n, depth, width = weights.shape
    columns = block_width(width)
    blocks = -(-width // columns)
    padded = np.zeros((n, depth, blocks * columns), np.float32)
    padded[..., :width] = weights
    laid: Audio = aligned(padded.reshape(n, depth, blocks, columns).transpose(0, 2, 1, 3))
    return laid


def block_width(width: int) -> int:
    """Give the columns of a block where a product has `width`: two vectors, if none is wasted."""
    return LANES if -(-width // LANES) % 2 else 2 * LANES


def _block(rows: int, vectors: int) -> Callable[..., None]:
    """Make the product of a block of so many rows and vectors of columns.

    Returns:
        For compiled code: of flat arrays and the places where they begin, `x` with a row's
        `_depth` values behind those of the row before, and `out` likewise with `_step`.
    """

    def multiply(
        _typing: Any,
        x: Any,
        _start: Any,
        _depth: Any,
        weights: Any,
        _at: Any,
        out: Any,
        _to: Any,
        _step: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, call: Any, args: Any) -> Any:
            left, right, result = (
                element(context, builder, call.args[array], args[array], args[array + 1])
                for array in (0, 3, 5)
            )
            sums = _write_sums(builder, (rows, vectors), left, right, args[2])
            for row, values in enumerate(sums):
                begin = builder.mul(ir.Constant(args[7].type, row), args[7])
                for v, value in enumerate(values):
                    _unaligned(builder.store(value, _vector_at(builder, result, begin, v)))
            return context.get_dummy_value()

        size = types.intp
        return types.void(x, size, size, weights, size, out, size, size), generate

    made: Any = intrinsic(multiply)
    return cast("Callable[..., None]", made)


def _write_sums(
    builder: Any, shape: tuple[int, int], left: Any, right: Any, depth: Any
) -> list[list[Any]]:
    """Write the loop over the depth.

    Args:
        builder: Writes LLVM code.
        shape: Rows and vectors.
        left: Address of ``[rows, depth]``.
        right: Address of ``[depth, vectors * LANES]``.
        depth: At least 1.

    Returns:
        The sums, vectors of each row.
    """
    rows, vectors = shape
    kind = depth.type
    starts = [builder.gep(left, [builder.mul(ir.Constant(kind, r), depth)]) for r in range(rows)]
    multiply_add = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(VALUES, [VALUES] * 3), f"llvm.fmuladd.v{LANES}f32"
    )
    before = builder.block
    loop = builder.append_basic_block("small_product")
    after = builder.append_basic_block("small_product.done")
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(kind)
    old = [[builder.phi(VALUES) for _ in range(vectors)] for _ in range(rows)]
    begin = builder.mul(k, ir.Constant(kind, vectors * LANES))
    factors = [
        _unaligned(builder.load(_vector_at(builder, right, begin, v))) for v in range(vectors)
    ]
    new = []
    for start, sums in zip(starts, old, strict=True):
        value = in_all_lanes(builder, builder.load(builder.gep(start, [k])))
        new.append(
            [
                builder.call(multiply_add, [value, factor, total])
                for factor, total in zip(factors, sums, strict=True)
            ]
        )
    following = builder.add(k, ir.Constant(kind, 1))
    builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
    k.add_incoming(ir.Constant(kind, 0), before)
    k.add_incoming(following, loop)
    for sums, results in zip(old, new, strict=True):
        for total, result in zip(sums, results, strict=True):
            total.add_incoming(ir.Constant(VALUES, None), before)
            total.add_incoming(result, loop)
    builder.position_at_end(after)
    return new


def _vector_at(builder: Any, base: Any, offset: Any, index: int) -> Any:
    """Give the address of the vector of that index, of those that begin at an offset."""
    place = builder.add(offset, ir.Constant(offset.type, index * LANES))
    return builder.bitcast(builder.gep(base, [place]), VALUES.as_pointer())


def _unaligned(instruction: Any) -> Any:
    """Say of what reads or writes a vector that it lies wherever a float32 may."""
    instruction.align = 4
    return instruction


_narrow, _narrow_row = _block(ROWS, 1), _block(1, 1)
_wide, _wide_row = _block(ROWS // 2, 2), _block(1, 2)


@inlined
def product(
    x: Any, start: Any, weights: Any, at: Any, out: Any, to: Any, rows: Any, sizes: Any
) -> None:
    """Multiply rows by a matrix.

    Args:
        x: Flat array that holds ``[rows, depth]`` from `start` on.
        start: See there.
        weights: Flat array that holds one of the `packed` matrices from `at` on.
        at: See there.
        out: Flat array to write ``[rows, blocks * columns]`` to, from `to` on.
        to: See there.
        rows: Their number.
        sizes: Depth, blocks and columns.
    """
    depth, blocks, columns = sizes
    step = blocks * columns
    at_once = ROWS if columns == LANES else ROWS // 2
    for block in range(blocks):
        panel, place = at + block * depth * columns, to + block * columns
        if rows < at_once:
            for row in range(rows):
                a, b = start + row * depth, place + row * step
                if columns == LANES:
                    _narrow_row(x, a, depth, weights, panel, out, b, step)
                else:
                    _wide_row(x, a, depth, weights, panel, out, b, step)
        else:
            for begin in range(0, rows, at_once):
                # The last ones may be computed twice, which is faster than one by one.
                row = min(begin, rows - at_once)
                a, b = start + row * depth, place + row * step
                if columns == LANES:
                    _narrow(x, a, depth, weights, panel, out, b, step)
                else:
                    _wide(x, a, depth, weights, panel, out, b, step)
