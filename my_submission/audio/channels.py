"""Channel layouts and how each of them becomes stereo (ITU-R BS.775)."""

from collections.abc import Sequence

import numpy as np

from my_submission.errors import DemixError
from my_submission.stems import Audio

Layout = tuple[str, ...]
"""What each channel is, in the file's order: FL, FR, FC, LFE, BL, BR, BC, SL, SR."""

MONO: Layout = ("FC",)
STEREO: Layout = ("FL", "FR")

# The order of WAVEFORMATEXTENSIBLE (and of FLAC, AIFF, CAF and ffmpeg) where a file gives none.
_WAV_LAYOUTS: dict[int, Layout] = {
    1: MONO,
    2: STEREO,
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}

# Vorbis I specification, section 4.3.9; Opus (RFC 7845, section 5.1.1.2) has the same.
_OGG_LAYOUTS: dict[int, Layout] = {
    **_WAV_LAYOUTS,
    3: ("FL", "FC", "FR"),
    5: ("FL", "FC", "FR", "BL", "BR"),
    6: ("FL", "FC", "FR", "BL", "BR", "LFE"),
    7: ("FL", "FC", "FR", "SL", "SR", "BC", "LFE"),
    8: ("FL", "FC", "FR", "SL", "SR", "BL", "BR", "LFE"),
}

_MASK_BITS = {
    0x1: "FL",
    0x2: "FR",
    0x4: "FC",
    0x8: "LFE",
    0x10: "BL",
    0x20: "BR",
    0x100: "BC",
    0x200: "SL",
    0x400: "SR",
}

_HALF_POWER = float(np.sqrt(0.5))

# Gains to (left, right). ITU-R BS.775-3, annex 4: L' = L + 0.7071 C + 0.7071 Ls, a single
# surround goes to both sides at 0.5, the low-frequency channel is left out. The rear pair of
# 7.1, which BS.775 does not have, is taken as a second surround pair.
_GAINS: dict[str, tuple[float, float]] = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (_HALF_POWER, _HALF_POWER),
    "LFE": (0.0, 0.0),
    "BL": (_HALF_POWER, 0.0),
    "BR": (0.0, _HALF_POWER),
    "SL": (_HALF_POWER, 0.0),
    "SR": (0.0, _HALF_POWER),
    "BC": (0.5, 0.5),
}


def layout_of(name: str, channels: int, *, mask: int = 0, ogg: bool = False) -> Layout:
    """Find what each channel of a file is.

    Args:
        name: the file's name, for messages.
        channels: number of channels.
        mask: ``dwChannelMask`` of a WAVEFORMATEXTENSIBLE header, 0 where there is none.
        ogg: whether the channels are in the order of Vorbis and Opus rather than of WAV.

    Raises:
        DemixError: no rule is known for so many channels or for such a mask.
    """
    by_number = _OGG_LAYOUTS if ogg else _WAV_LAYOUTS
    if channels not in by_number:
        raise DemixError(
            f"{name}: {channels} channels cannot be mixed down to stereo "
            "(1 to 8 are known); export it as stereo"
        )
    # A mask of another number of channels says nothing, and one or two channels mean mono and
    # stereo whatever speakers they are meant for.
    if channels <= 2 or mask.bit_count() != channels:
        return by_number[channels]
    known = sum(_MASK_BITS)
    if mask & ~known:
        raise DemixError(
            f"{name}: channel mask {mask:#x} has speakers that cannot be mixed down to stereo; "
            "export it as stereo"
        )
    # Channels come in the order of the mask's bits, lowest first.
    return tuple(speaker for bit, speaker in _MASK_BITS.items() if mask & bit)


def to_stereo(frames: Audio, layout: Sequence[str]) -> Audio:
    """Mix frames down to stereo; mono goes to both channels at full level.

    Every sample depends on its own frame only, so blocks of any size give the same sound.

    Args:
        frames: sound ``[samples, channels]``.
        layout: what each channel is.

    Returns:
        sound ``[samples, 2]``; not limited, so it may exceed full scale.
    """
    if len(layout) == 1:
        return np.repeat(frames, 2, axis=1)
    if len(layout) == 2:
        return frames
    stereo = np.zeros((len(frames), 2), np.float32)
    # Channel by channel, because a matrix product may sum in another order for another length.
    for channel, speaker in enumerate(layout):
        stereo += frames[:, channel, np.newaxis] * np.array(_GAINS[speaker], np.float32)
    return stereo
