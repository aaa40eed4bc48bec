"""Damage to files, each the same for the same generator."""

import io
import random
import struct
import zipfile
from collections.abc import Callable, Sequence

Mutation = Callable[[bytearray, random.Random], bytearray]

INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000)
"""Numbers at which sizes and signs turn over."""


def flip_bits(data: bytearray, rng: random.Random) -> bytearray:
    """Turn one to eight bits over."""
    for _ in range(rng.randint(1, 8)):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)
    return data


def set_bytes(data: bytearray, rng: random.Random) -> bytearray:
    """Replace some bytes."""
    for _ in range(rng.randint(1, 4)):
        data[_place(data, rng)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return data


def set_number(data: bytearray, rng: random.Random) -> bytearray:
    """Replace a number of two, four or eight bytes, in either order."""
    code = rng.choice("HIQ")
    number = rng.choice((*INTERESTING, 1 << 40, (1 << 62) + 1, (1 << 64) - 1, len(data)))
    packed = struct.pack(rng.choice("<>") + code, number % (1 << 8 * struct.calcsize(code)))
    start = _place(data, rng)
    data[start : start + len(packed)] = packed
    return data


def truncate(data: bytearray, rng: random.Random) -> bytearray:
    """Cut the end off."""
    return data[: rng.randrange(len(data))]


def delete(data: bytearray, rng: random.Random) -> bytearray:
    """Take a piece out."""
    start = _place(data, rng)
    del data[start : start + rng.choice((1, 2, 4, rng.randint(1, 1000)))]
    return data


def insert(data: bytearray, rng: random.Random) -> bytearray:
    """Put bytes in: zeros, noise or ones."""
    size = rng.choice((1, 2, 4, rng.randint(1, 1000)))
    start = _place(data, rng)
    data[start:start] = rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size)))
    return data


def duplicate(data: bytearray, rng: random.Random) -> bytearray:
    """Put a piece in once more, somewhere."""
    start = _place(data, rng)
    piece = data[start : start + rng.choice((8, 24, 64, rng.randint(1, 2000)))]
    place = _place(data, rng)
    data[place:place] = piece
    return data


MUTATIONS: Sequence[Mutation] = (
    *(flip_bits, set_bytes, set_number, set_number),
    *(truncate, delete, insert, duplicate),
)


def mutated(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Damage a file in one to four ways, or join it with a piece of another.

    Args:
        data: The file.
        rng: Decides where and how.
        others: Files to join it with.
    """
    if rng.random() < 0.05:
        other = rng.choice(others)
        return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if result:
            result = rng.choice(MUTATIONS)(result, rng)
    return bytes(result)


def mutated_member(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Damage one file of a zip archive, whose directory stays sound; anything else as `mutated`.

    A checkpoint is such an archive. Most of it is numbers; what tells what they mean is short, and
    is damaged most often.
    """
    if rng.random() < 0.3 or not zipfile.is_zipfile(io.BytesIO(data)):
        return mutated(data, rng, others)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(out, "w") as after:
        names = before.namelist()
        pickles = [name for name in names if name.endswith("data.pkl")]
        chosen = rng.choice(pickles if pickles and rng.random() < 0.8 else names)
        for name in names:
            content = before.read(name)
            if name == chosen and content:
                content = mutated(content, rng, [content])
            after.writestr(name, content)
    return out.getvalue()


def _place(data: bytearray, rng: random.Random) -> int:
    """Choose a place; as often as not in the first bytes, where headers are."""
    if not data:
        return 0
    return rng.randrange(min(len(data), 128) if rng.random() < 0.5 else len(data))
