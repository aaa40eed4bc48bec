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

from my_submission.networks.jit import HAS_AVX512

LANES = 16 if HAS_AVX512 else 8
"""Values in a vector: float32 in a register."""

VALUES = ir.VectorType(ir.FloatType(), LANES)
"""LLVM's type of a vector."""
_INDICES = ir.VectorType(ir.IntType(32), LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)
_ALIGNMENT = ir.Constant(ir.IntType(32), 4)
"""In bytes: a vector may lie wherever a float32 may."""


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
        kinds = [place.type, ir.IntType(32), _MASK, VALUES]
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(VALUES, kinds), f"llvm.masked.load.v{LANES}f32.p0"
        )
        zeros = ir.Constant(VALUES, None)
        return builder.call(function, [place, _ALIGNMENT, _mask(builder, args[2]), zeros])

    return _VECTOR(array, types.intp, types.intp), generate


def _store(_typing: Any, array: Any, _index: Any, _count: Any, _vector: Any) -> Any:
    def generate(context: Any, builder: Any, call: Any, args: Any) -> Any:
        place = element(context, builder, call.args[0], args[0], args[1])
        kinds = [VALUES, place.type, ir.IntType(32), _MASK]
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), kinds),
            f"llvm.masked.store.v{LANES}f32.p0",
        )
        builder.call(function, [args[3], place, _ALIGNMENT, _mask(builder, args[2])])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, _VECTOR), generate


def _rectified(_typing: Any, vector: Any) -> Any:
    def generate(_context: Any, builder: Any, _call: Any, args: Any) -> Any:
        zeros = ir.Constant(VALUES, None)
        is_negative = builder.fcmp_ordered("<", args[0], zeros)
        return builder.select(is_negative, zeros, args[0])

    return _VECTOR(vector), generate


# Declared so because numba's own types do not tell what an intrinsic takes and gives.
load: Any = intrinsic(_load)
"""Read `count` of the neighbours from `index` on of a flat float32 array; all, if it has less.

`load(array, index, count)`. The other lanes are zero. Nothing checks that the index is within the
array.
"""

store: Any = intrinsic(_store)
"""Write the first `count` lanes of a vector, or all, to a flat array from `index` on.

`store(array, index, count, vector)`. Nothing checks that the index is within the array.
"""

rectified: Any = intrinsic(_rectified)
"""Give each value of a vector where it is positive, or NaN; else zero."""


def element(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Write LLVM code that gives the address of an array's element."""
    return builder.gep(context.make_array(kind)(context, builder, value=array).data, [index])


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
