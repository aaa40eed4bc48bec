"""What the headers of WAV and AIFF files promise, which libsndfile does not hold them to."""

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from my_submission.errors import DemixError

# Writers that cannot go back (pipes, recorders cut off) leave one of these as the length.
_OPEN_LENGTHS = frozenset({0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFF000, 0xFFFFFFFFFFFFFFFF})

# More than any writer makes. Damaged files may seem to hold millions, of no bytes each.
_MAX_CHUNKS = 10_000


@dataclass(frozen=True)
class WavHeader:
    """The facts before the samples of a RIFF/RF64 WAVE file.

    Args:
        channels: number of channels.
        rate: Hz.
        channel_mask: ``dwChannelMask``; 0 where the file has none.
        data_bytes: promised bytes of sound; None where the header leaves it open.
    """

    channels: int
    rate: int
    channel_mask: int
    data_bytes: int | None


class BrokenHeaderError(Exception):
    """A header that ends, or makes no sense, before the sound data."""


def _skip(file: BinaryIO, num_bytes: int) -> None:
    if file.seekable():
        file.seek(num_bytes, os.SEEK_CUR)
        return
    while num_bytes > 0:
        num_bytes -= len(_take(file, min(num_bytes, 1 << 16)))


def _take(file: BinaryIO, num_bytes: int) -> bytes:
    data = file.read(num_bytes)
    if len(data) < num_bytes:
        raise BrokenHeaderError
    return data


def read_wav_header(file: BinaryIO) -> WavHeader | None:
    """Read a WAV header from the file's (or pipe's) position, up to the first sample.

    Returns:
        None where this is no WAV file.

    Raises:
        BrokenHeaderError: the file ends, or has no format, before its sound data.
    """
    magic = file.read(12)
    if len(magic) < 12 or magic[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return None
    if magic[8:] != b"WAVE":
        return None
    order = ">" if magic[:4] == b"RIFX" else "<"
    long_data_bytes: int | None = None
    channels = rate = mask = 0
    for _ in range(_MAX_CHUNKS):
        name, size = struct.unpack(order + "4sI", _take(file, 8))
        if name == b"data":
            if size == 0xFFFFFFFF and long_data_bytes is not None:
                size = long_data_bytes
            return WavHeader(channels, rate, mask, None if size in _OPEN_LENGTHS else size)
        used = 0
        if name == b"ds64" and size >= 16:
            # EBU Tech 3306: the 64-bit sizes of the file, then of the data chunk.
            _, long_data_bytes = struct.unpack(order + "QQ", _take(file, 16))
            used = 16
        elif name == b"fmt " and size >= 16:
            tag, channels, rate = struct.unpack(order + "HHI8x", _take(file, 16))
            used = 16
            if tag == 0xFFFE and size >= 24:
                (mask,) = struct.unpack(order + "4xI", _take(file, 8))
                used = 24
        _skip(file, size + size % 2 - used)
    raise BrokenHeaderError


def _promised_aiff_bytes(file: BinaryIO) -> int | None:
    for _ in range(_MAX_CHUNKS):
        name, size = struct.unpack(">4sI", _take(file, 8))
        if name == b"SSND":
            return None if size in _OPEN_LENGTHS else size
        _skip(file, size + size % 2)
    raise BrokenHeaderError


def _is_chunk_list(file: BinaryIO, end: int) -> bool:
    """Tell whether only well-formed chunks, or nothing, lie between the position and ``end``."""
    for _ in range(_MAX_CHUNKS):
        if (position := file.tell()) >= end - 7:
            return position >= end
        name, size = struct.unpack("<4sI", _take(file, 8))
        if not name.isascii() or not name.decode("ascii").isprintable() or position + size > end:
            return False
        file.seek(size + size % 2, os.SEEK_CUR)
    return False


def check_header(name: str, file: BinaryIO) -> WavHeader | None:
    """Hold a WAV or AIFF file to the length that its header promises.

    A WAV that promises nothing although sound follows is one whose writer could not go back:
    its header comes back with ``data_bytes`` None.

    Args:
        name: the file's name, for messages.
        file: the file, open for reading, at its start.

    Returns:
        the header of a WAV file; None for other formats.

    Raises:
        DemixError: the file ends before its sound does.
    """
    end = os.fstat(file.fileno()).st_size
    try:
        header = read_wav_header(file)
        promised = header.data_bytes if header else None
        if header is None:
            file.seek(0)
            magic = file.read(12)
            if magic[:4] == b"FORM" and magic[8:] in (b"AIFF", b"AIFC"):
                promised = _promised_aiff_bytes(file)
    except BrokenHeaderError:
        raise DemixError(
            f"{name}: truncated: its header leads to no sound; copy or export it again"
        ) from None
    there = end - file.tell()
    if promised is not None and promised > there:
        raise DemixError(
            f"{name}: truncated: its header promises {promised} bytes of sound "
            f"and {there} are there; copy or export it again"
        )
    if header is not None and promised == 0 and not _is_chunk_list(file, end):
        return WavHeader(header.channels, header.rate, header.channel_mask, None)
    return header
