"""WAV files by a grammar: any header that the format can express, and many that it cannot."""

import struct
from typing import TypeVar

from hypothesis import strategies as st

from tests.fuzz.mutations import INTERESTING

T = TypeVar("T")

TAGS = (0, 1, 2, 3, 6, 7, 0x11, 0x31, 0x50, 0x55, 0x2000, 0xFFFE, 0xFFFF)
"""PCM, ADPCM, float, A-law, mu-law, IMA, GSM, MPEG, MP3, AC-3, extensible, and none."""
RATES = (0, 1, 3_999, 4_000, 8_000, 48_000, 192_000, 768_000, 768_001, 1 << 31, (1 << 32) - 1)
BITS = (0, 1, 8, 12, 20, 24, 32, 64, 0xFFFF)
CHANNELS = (0, 1, 3, 6, 8, 9, 1024, 1025, 0xFFFF)
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
SIZES = (*INTERESTING, 0x7FFFF000, 0xFFFFFFFF)
CHUNK_NAMES = (b"LIST", b"JUNK", b"fact", b"bext", b"cue ", b"PEAK", b"id3 ", b"\0\0\0\0", b"ds64")


def mostly(usual: T, *others: T) -> st.SearchStrategy[T]:
    """Choose what is usual nine times in ten: of many oddities only the first would count."""
    return st.sampled_from([usual] * 9 * len(others) + list(others))


@st.composite
def wav_files(draw: st.DrawFn) -> bytes:
    """Draw a file of some kilobytes."""
    order = draw(mostly("<", ">"))
    magic = b"RIFX" if order == ">" else draw(mostly(b"RIFF", b"RF64", b"BW64"))
    sound = draw(_sound())
    chunks = draw(st.lists(_other_chunk(order), max_size=3))
    chunks.insert(draw(st.integers(0, len(chunks))), _chunk(order, b"fmt ", draw(_format(order))))
    size = draw(mostly(len(sound), *SIZES))
    if magic in (b"RF64", b"BW64"):
        sizes = [draw(mostly(len(sound), 0, 1 << 40, (1 << 64) - 1)) for _ in range(3)]
        chunks.insert(0, _chunk(order, b"ds64", struct.pack(order + "3QI", *sizes, 0)))
        size = draw(mostly(0xFFFFFFFF, size))
    data = struct.pack(order + "4sI", b"data", size) + sound
    chunks.insert(draw(mostly(len(chunks), 0)), data)
    chunks += draw(st.lists(_other_chunk(order), max_size=1))
    body = b"WAVE" + b"".join(chunks)
    whole = struct.pack(order + "4sI", magic, draw(mostly(len(body), *SIZES))) + body
    return whole[: draw(mostly(len(whole), *range(0, len(whole), 97)))]


@st.composite
def _format(draw: st.DrawFn, order: str) -> bytes:
    tag, channels = draw(mostly(1, *TAGS)), draw(mostly(2, *CHANNELS))
    rate, bits = draw(mostly(44_100, *RATES)), draw(mostly(16, *BITS))
    frame_bytes = channels * bits // 8
    content = struct.pack(
        order + "HHIIHH",
        tag,
        channels,
        rate,
        draw(mostly(rate * frame_bytes % (1 << 32), *INTERESTING)),
        draw(mostly(frame_bytes % (1 << 16), 0, 1, 256, 0xFFFF)),
        bits,
    )
    if tag == 0xFFFE or draw(mostly(False, True)):
        mask = draw(mostly(0, 0x3, 0x3F, 0x63F, 0x80000000, 0xFFFFFFFF))
        inner = draw(mostly(1, 3, 0, 0xFFFF))
        content += struct.pack(order + "HHIH", 22, draw(mostly(bits, 0, 99)), mask, inner)
        content += GUID_TAIL
    return content[: draw(mostly(len(content), 0, 14, 15, 16, 18, 26))]


def _sound() -> st.SearchStrategy[bytes]:
    blocks = st.binary(min_size=1, max_size=64)
    repeated = st.builds(lambda block, times: block * times, blocks, st.integers(0, 60))
    return st.one_of(repeated, st.just(bytes(4_000)), st.just(b"\xff" * 4_001))


@st.composite
def _other_chunk(draw: st.DrawFn, order: str) -> bytes:
    name, content = draw(st.sampled_from(CHUNK_NAMES)), draw(st.binary(max_size=40))
    return _chunk(order, name, content, draw(mostly(len(content), *SIZES)))


def _chunk(order: str, name: bytes, content: bytes, size: int | None = None) -> bytes:
    size = len(content) if size is None else size
    return struct.pack(order + "4sI", name, size) + content + b"\0" * (len(content) % 2)
