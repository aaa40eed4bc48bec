"""Products of bfloat16 tiles in compiled loops (`jit`), on processors with AMX.

AMX has eight registers of 16 rows of 64 bytes. Here four of them hold the sums of 32 rows by 32
columns, in float32, and four what is multiplied: twice 16 rows with 32 values of the depth each,
and twice the weights of 16 columns, two values of the depth side by side.

Intel, "Architecture Instruction Set Extensions Programming Reference", chapter 3.
"""

from itertools import product
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from my_submission.networks.vectors import element

TILE = 16
"""Rows and columns of a tile of sums."""
DEPTH = 32
"""Of the depth, how much a tile holds."""

_BYTE, _SIZE, _ADDRESS = ir.IntType(8), ir.IntType(64), ir.IntType(8).as_pointer()
_ROW_BYTES = 64
_LEFT, _RIGHT, _NUM_TILES = 4, 6, 8


def _instruction(builder: Any, name: str, *operands: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [operand.type for operand in operands])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}")
    builder.call(function, operands)


def _tile(index: int) -> Any:
    return ir.Constant(_BYTE, index)


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.bitcast(element(context, builder, kind, array, index), _ADDRESS)


def _begin(_typing: Any) -> Any:
    def generate(context: Any, builder: Any, _call: Any, _args: Any) -> Any:
        # The palette, then the bytes of a row and the rows of each tile.
        layout = [1, *[0] * 15]
        layout += [byte for _ in range(_NUM_TILES) for byte in (_ROW_BYTES, 0)] + [0] * 16
        layout += [TILE] * _NUM_TILES + [0] * 8
        constant = cgutils.global_constant(
            builder, "tile_layout", ir.Constant(ir.ArrayType(_BYTE, 64), bytearray(layout))
        )
        _instruction(builder, "ldtilecfg", builder.bitcast(constant, _ADDRESS))
        return context.get_dummy_value()

    return types.void(), generate


def _end(_typing: Any) -> Any:
    def generate(context: Any, builder: Any, _call: Any, _args: Any) -> Any:
        _instruction(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), generate


def _clear(_typing: Any) -> Any:
    def generate(context: Any, builder: Any, _call: Any, _args: Any) -> Any:
        for index in range(_LEFT):
            _instruction(builder, "tilezero", _tile(index))
        return context.get_dummy_value()

    return types.void(), generate


def _add_products(
    _typing: Any,
    x: Any,
    _upper: Any,
    _lower: Any,
    _step: Any,
    weights: Any,
    _left: Any,
    _right: Any,
) -> Any:
    def generate(context: Any, builder: Any, call: Any, args: Any) -> Any:
        step = builder.mul(args[3], ir.Constant(_SIZE, 2))
        loads = [
            (_LEFT, 0, args[1], step),
            (_LEFT + 1, 0, args[2], step),
            (_RIGHT, 4, args[5], ir.Constant(_SIZE, _ROW_BYTES)),
            (_RIGHT + 1, 4, args[6], ir.Constant(_SIZE, _ROW_BYTES)),
        ]
        for tile, array, index, stride in loads:
            address = _address(context, builder, call.args[array], args[array], index)
            _instruction(builder, "tileloadd64", _tile(tile), address, stride)
        for row, column in product(range(2), range(2)):
            sums = 2 * row + column
            factors = (_tile(_LEFT + row), _tile(_RIGHT + column))
            _instruction(builder, "tdpbf16ps", _tile(sums), *factors)
        return context.get_dummy_value()

    size = types.intp
    return types.void(x, size, size, size, weights, size, size), generate


def _read(_typing: Any, out: Any, _start: Any, _step: Any) -> Any:
    def generate(context: Any, builder: Any, call: Any, args: Any) -> Any:
        stride = builder.mul(args[2], ir.Constant(_SIZE, 4))
        for row, column in product(range(2), range(2)):
            offset = builder.mul(args[2], ir.Constant(_SIZE, row * TILE))
            offset = builder.add(offset, ir.Constant(_SIZE, column * TILE))
            index = builder.add(args[1], offset)
            address = _address(context, builder, call.args[0], args[0], index)
            _instruction(builder, "tilestored64", _tile(2 * row + column), address, stride)
        return context.get_dummy_value()

    return types.void(out, types.intp, types.intp), generate


# Declared so because numba's own types do not tell what an intrinsic takes and gives.
begin_tiles: Any = intrinsic(_begin)
"""Set the registers up: first of all, in each thread's piece of work."""

end_tiles: Any = intrinsic(_end)
"""Set them free: last of all, so that a switch of threads need not keep them."""

clear_sums: Any = intrinsic(_clear)
"""Set the sums to zero."""

add_products: Any = intrinsic(_add_products)
"""Add the products of 32 rows by 32 columns, over `DEPTH` values, to the sums.

`add_products(x, upper, lower, step, weights, left, right)`: the first 16 rows begin at `upper` of
the flat array `x`, the others at `lower`, each `step` values behind the one before; the tiles of
weights begin at `left` and `right`. All are the bits of bfloat16. Nothing is checked.
"""

read_sums: Any = intrinsic(_read)
"""Write the sums to a flat float32 array.

`read_sums(out, start, step)`: 32 rows of 32, the first from `start` on, each `step` values behind
the one before.
"""
