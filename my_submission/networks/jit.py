"""Loops over arrays, compiled when their module is imported.

What is compiled is kept until the file of the loop changes: after a change here, remove
``__pycache__``.
"""

from collections.abc import Callable
from typing import Any

import numba
from numba.core.codegen import get_host_cpu_features


def _can_be_kept() -> bool:
    """Tell whether there is a folder for compiled code, so that later starts take no time."""
    try:
        numba.njit(cache=True)(_can_be_kept)
    except RuntimeError:  # neither beside the source nor in the user's cache
        return False
    return True


_KEEP = _can_be_kept()

_features: str = get_host_cpu_features()
HAS_AVX512 = "+avx512f" in _features
HAS_BFLOAT16 = "+avx512bf16" in _features
if HAS_AVX512:
    # LLVM keeps to half of such a processor's vectors, for the sake of others' clock rates.
    numba.config.CPU_FEATURES = (  # type: ignore[attr-defined]
        f"{_features},-prefer-256-bit"
    )

# Free to reorder and fuse, but a NaN stays one, so that damaged weights are found.
_FAST_MATH = {"contract", "nsz", "reassoc"}


def compiled(*signatures: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Compile a function of arrays to run beside others, without Python's lock.

    Args:
        signatures: Types of its arguments in numba's words, one for each kind of arguments. They
            are named so that nothing is left to compile when the first song comes.
    """
    decorator: Callable[[Callable[..., None]], Callable[..., None]] = numba.njit(
        list(signatures), nogil=True, fastmath=_FAST_MATH, error_model="numpy", cache=_KEEP
    )
    return decorator


inlined: Callable[..., Any] = numba.njit(inline="always")
"""Compile a function as part of those that call it."""
