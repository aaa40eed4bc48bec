"""Vectors of neighbouring values in compiled loops (`jit`), for arithmetic on whole tiles.

LLVM makes vectors of loops by itself where it can prove that nothing that is written is read again.
Of a tile with dozens of values that come from and go to dozens of places it cannot, so here the
code says what a vector is: `load`, ``+``, ``-``, ``*`` (by numbers, too) and `store`.
"""

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from my_submission.networks.jit import HAS_AVX512, HAS_BFLOAT16

LANES = 16 if HAS_AVX512 else 8
"""Values in a vector: float32 in a register."""

VALUES = ir.VectorType(ir.FloatType(), LANES)
"""LLVM's type of a vector."""
_INDICES = ir.VectorType(ir.IntType(32), LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)
_HALVES = ir.VectorType(ir.IntType(16), LANES)
_LANES_IN_MEMORY = {types.float32: (VALUES, "f32"), types.uint16: (_HALVES, "i16")}
_ALIGNMENT = {VALUES: ir.Constant(ir.IntType(32), 4), _HALVES: ir.Constant(ir.IntType(32), 2)}
"""In bytes: a vector may lie wherever one of its values may."""


class _Bfloat16(ir.types.Type):  # type: ignore[misc]
    """LLVM's bfloat16, which llvmlite has no name for."""

    def _to_string(self) -> str:
        return "bfloat"


class _Vector(types.Type):
    """The type of a vector, as numba names it."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


_VECTOR = _Vector()
_ARITHMETIC = {operator.add: "fadd", operator.sub: "fsub", operator.mul: "fmul"}


@register_model(_Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VALUES)  # type: ignore[no-untyped-call]


def _add_operator(function: Any, instruction: str) -> None:
    @infer_global(function)
    class _Operator(AbstractTemplate):
        def generic(self, args: Any, _keywords: Any) -> Any:
            if _VECTOR in args and all(a in (_VECTOR, types.float32) for a in args):
                return signature(_VECTOR, *args)
            return None

    def lower(_context: Any, builder: Any, call: Any, args: Any) -> Any:
        vectors = [
            value if kind == _VECTOR else in_all_lanes(builder, value)
            for value, kind in zip(args, call.args, strict=True)
        ]
        return getattr(builder, instruction)(*vectors, flags=("contract", "nsz"))

    for kinds in ((_VECTOR, _VECTOR), (types.float32, _VECTOR), (_VECTOR, types.float32)):
        lower_builtin(function, *kinds)(lower)


for _function, _instruction in _ARITHMETIC.items():
    _add_operator(_function, _instruction)


def _load(_typing: Any, array: Any, _index: Any, _count: Any) -> Any:
    def generate(context: Any, builder: Any, call: Any, args: Any) -> Any:
        place = element(context, builder, call.args[0], args[0], args[1])
        kind, name = _LANES_IN_MEMORY[array.dtype]
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(kind, [place.type, ir.IntType(32), _MASK, kind]),
            f"llvm.masked.load.v{LANES}{name}.p0",
        )
        zeros = ir.Constant(kind, None)
        found = builder.call(function, [place, _ALIGNMENT[kind], _mask(builder, args[2]), zeros])
        return found if kind is VALUES else _from_bfloat16(builder, found)

    return _VECTOR(array, types.intp, types.intp), generate


def _store(_typing: Any, array: Any, _index: Any, _count: Any, _vector: Any) -> Any:
    def generate(context: Any, builder: Any, call: Any, args: Any) -> Any:
        place = element(context, builder, call.args[0], args[0], args[1])
        kind, name = _LANES_IN_MEMORY[array.dtype]
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [kind, place.type, ir.IntType(32), _MASK]),
            f"llvm.masked.store.v{LANES}{name}.p0",
        )
        vector = args[3]
        if kind is not VALUES:
            vector = _rounded(builder, vector)
        builder.call(function, [vector, place, _ALIGNMENT[kind], _mask(builder, args[2])])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, _VECTOR), generate


def _store_pairs(_typing: Any, array: Any, _index: Any, _first: Any, _second: Any) -> Any:
    def generate(context: Any, builder: Any, call: Any, args: Any) -> Any:
        place = element(context, builder, call.args[0], args[0], args[1])
        first, second = (builder.zext(_rounded(builder, vector), _INDICES) for vector in args[2:])
        second = builder.shl(second, ir.Constant(_INDICES, [16] * LANES))
        pairs = builder.store(
            builder.or_(first, second), builder.bitcast(place, _INDICES.as_pointer())
        )
        pairs.align = 2
        return context.get_dummy_value()

    return types.void(array, types.intp, _VECTOR, _VECTOR), generate


def _rectified(_typing: Any, vector: Any) -> Any:
    def generate(_context: Any, builder: Any, _call: Any, args: Any) -> Any:
        zeros = ir.Constant(VALUES, None)
        is_negative = builder.fcmp_ordered("<", args[0], zeros)
        return builder.select(is_negative, zeros, args[0])

    return _VECTOR(vector), generate


def _total(_typing: Any, vector: Any) -> Any:
    def generate(_context: Any, builder: Any, _call: Any, args: Any) -> Any:
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.FloatType(), [ir.FloatType(), VALUES]),
            f"llvm.vector.reduce.fadd.v{LANES}f32",
        )
        zero = ir.Constant(ir.FloatType(), 0.0)
        return builder.call(function, [zero, args[0]], fastmath=("reassoc",))

    return types.float32(vector), generate


# Declared so because numba's own types do not tell what an intrinsic takes and gives.
load: Any = intrinsic(_load)
"""Read `count` of the neighbours from `index` on of a flat array; all, if it has less.

`load(array, index, count)`. The array is float32, or uint16 for the bits of bfloat16. The other
lanes are zero. Nothing checks that the index is within the array.
"""

store: Any = intrinsic(_store)
"""Write the first `count` lanes of a vector, or all, to a flat array from `index` on.

`store(array, index, count, vector)`. To uint16 go the bits of bfloat16, rounded. Nothing checks
that the index is within the array.
"""

store_pairs: Any = intrinsic(_store_pairs)
"""Write two vectors side by side, lane by lane, as the bits of bfloat16 to a flat uint16 array.

`store_pairs(array, index, first, second)`.
"""

total: Any = intrinsic(_total)
"""Add the lanes of a vector up."""

rectified: Any = intrinsic(_rectified)
"""Give each value of a vector where it is positive, or NaN; else zero."""


def element(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Write LLVM code that gives the address of an array's element."""
    return builder.gep(context.make_array(kind)(context, builder, value=array).data, [index])


def _from_bfloat16(builder: Any, halves: Any) -> Any:
    """Write LLVM code that makes float32 of the bits of bfloat16, which are its upper half."""
    wide = builder.zext(halves, _INDICES)
    return builder.bitcast(builder.shl(wide, ir.Constant(_INDICES, [16] * LANES)), VALUES)


def _rounded(builder: Any, vector: Any) -> Any:
    """Write LLVM code that gives the bits of the nearest bfloat16, the even one of two."""
    if HAS_BFLOAT16:
        kind = ir.VectorType(_Bfloat16(), LANES)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(kind, [VALUES]),
            "llvm.x86.avx512bf16.cvtneps2bf16.512",
        )
        return builder.bitcast(builder.call(function, [vector]), _HALVES)
    bits = builder.bitcast(vector, _INDICES)
    sixteen = ir.Constant(_INDICES, [16] * LANES)
    odd = builder.and_(builder.lshr(bits, sixteen), ir.Constant(_INDICES, [1] * LANES))
    half = builder.add(odd, ir.Constant(_INDICES, [0x7FFF] * LANES))
    return builder.trunc(builder.lshr(builder.add(bits, half), sixteen), _HALVES)


def _mask(builder: Any, count: Any) -> Any:
    """Give the mask of the first lanes."""
    lanes = ir.Constant(_INDICES, list(range(LANES)))
    return builder.icmp_signed(
        "<", lanes, _splat(builder, builder.trunc(count, ir.IntType(32)), _INDICES)
    )


def in_all_lanes(builder: Any, value: Any) -> Any:
    """Write LLVM code that gives a vector of a float32 and the same again."""
    return _splat(builder, value, VALUES)


def _splat(builder: Any, value: Any, kind: Any) -> Any:
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_INDICES, [0] * LANES))
