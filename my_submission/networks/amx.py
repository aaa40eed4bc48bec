"""Products of bfloat16 tiles in compiled loops (`jit`), on processors with AMX.

AMX has eight registers of 16 rows of 64 bytes. Here four of them hold the sums of 32 rows by 32
columns, in float32, and four what is multiplied: twice 16 rows with 32 values of the depth each,
and twice the weights of 16 columns, two values of the depth side by side.

Intel, "Architecture Instruction Set Extensions Programming Reference", chapter 3.
"""

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
_ROWS, _ROW_BYTES = 16, 64
_LEFT, _RIGHT, _NUM_TILES = 4, 6, 8


def _instruction(builder: Any, name: str, *operands: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [operand.type for operand in operands])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}")
    builder.call(function, operands)


def _tile(index: int) -> Any:
    return ir.Constant(_BYTE, index)


def _at(context: Any, builder: Any, call: Any, args: Any, array: int) -> Any:
    """Give the address of an element whose index is the argument after the array."""
    place = element(context, builder, call.args[array], args[array], args[array + 1])
    return builder.bitcast(place, _ADDRESS)


def _begin(_typing: Any) -> Any:
    def generate(context: Any, builder: Any, _call: Any, _args: Any) -> Any:
        # The palette, then the bytes of a row and the rows of each tile.
        layout = [1, *[0] * 15]
        layout += [byte for _ in range(_NUM_TILES) for byte in (_ROW_BYTES, 0)] + [0] * 16
        layout += [_ROWS] * _NUM_TILES + [0] * 8
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
    _first: Any,
    _second: Any,
) -> Any:
    def generate(context: Any, builder: Any, call: Any, args: Any) -> Any:
        step = builder.mul(args[3], ir.Constant(_SIZE, 2))
        for index, place in enumerate((args[1], args[2])):
            address = element(context, builder, call.args[0], args[0], place)
            _instruction(
                builder,
                "tileloadd64",
                _tile(_LEFT + index),
                builder.bitcast(address, _ADDRESS),
                step,
            )
        for index, place in enumerate((args[5], args[6])):
            address = element(context, builder, call.args[4], args[4], place)
            _instruction(
                builder, "tileloadd64", _tile(_RIGHT + index), builder.bitcast(address, _ADDRESS),
                ir.Constant(_SIZE, _ROW_BYTES),
            )  # fmt: skip
        for row in range(2):
            for column in range(2):
                _instruction(
                    builder, "tdpbf16ps", _tile(2 * row + column), _tile(_LEFT + row),
                    _tile(_RIGHT + column),
                )  # fmt: skip
        return context.get_dummy_value()

    size = types.intp
    return types.void(x, size, size, size, weights, size, size), generate


def _read(_typing: Any, out: Any, _start: Any, _step: Any) -> Any:
    def generate(context: Any, builder: Any, call: Any, args: Any) -> Any:
        step = builder.mul(args[2], ir.Constant(_SIZE, 4))
        for row in range(2):
            for column in range(2):
                offset = builder.mul(args[2], ir.Constant(_SIZE, row * _ROWS))
                offset = builder.add(offset, ir.Constant(_SIZE, column * TILE))
                place = builder.add(args[1], offset)
                address = element(context, builder, call.args[0], args[0], place)
                _instruction(
                    builder, "tilestored64", _tile(2 * row + column),
                    builder.bitcast(address, _ADDRESS), step,
                )  # fmt: skip
        return context.get_dummy_value()

    return types.void(out, types.intp, types.intp), generate


begin_tiles: Any = intrinsic(_begin)
end_tiles: Any = intrinsic(_end)
clear_sums: Any = intrinsic(_clear)
add_products: Any = intrinsic(_add_products)
read_sums: Any = intrinsic(_read)
