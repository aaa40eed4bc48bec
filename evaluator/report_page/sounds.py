"""A song's sounds for its page: found, and encoded piece by piece as scripts that a page can load.

A piece holds all of the song's sounds for ``PIECE_SECONDS``, and ``PAD_SECONDS`` more on both
sides, where there is more: in it neighbours are cross-faded, and an encoder's edges stay unheard.
"""

import base64
import io
import json
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import soundfile as sf
import soxr

from evaluator.data_sets import DataSong
from evaluator.errors import EvaluatorError
from evaluator.limits import available_cores
from evaluator.runs import Song
from evaluator.sound import LOSSLESS, READABLE, STEMS, Block, StraightFile, find_sound, unreadable

MIXTURE = "mixture"
ESTIMATE = "estimate"
REFERENCE = "reference"

LEAD_IN = 8192
"""Frames before a place that are decoded and left out: an MP3's first ones after it are wrong."""

COMPRESSION = 0.4
"""libsndfile's scale from 0 to 1; of a stereo sound this makes about 140 kbit/s."""

PLAYER_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""Those of MP3, in Hz."""

PIECE_SECONDS = 10
PAD_SECONDS = 0.1

MUSDB_STREAMS = {MIXTURE: 0, "drums": 1, "bass": 2, "other": 3, "vocals": 4}
"""Of a ``.stem.mp4`` of MUSDB18."""

MUSDB_RATE = 44_100


@contextmanager
def open_sounds(
    song: Song, references: Path | None, *, scratch: Path | None = None
) -> Iterator[dict[str, StraightFile]]:
    """Open a song's sounds.

    Args:
        song: of a run.
        references: a folder with the mixture and the stems, or a ``.stem.mp4``; None where they
            are not known.
        scratch: the folder for what is decoded of a ``.stem.mp4``; the system's own where it is
            not given.

    Yields:
        ``STEM.estimate`` for each stem, and, where there are references, ``mixture`` and
        ``STEM.reference``; all of one sample rate, and of one number of channels or mono.

    Raises:
        EvaluatorError: a file cannot be read, or has another sample rate or other channels.
    """
    with ExitStack() as stack:
        paths = {
            f"{stem}.{ESTIMATE}": path
            for stem in STEMS
            if (path := find_sound(song.folder, stem, READABLE))
        }
        if references is not None:
            if references.is_file():
                packed = DataSong(song.name, references, MUSDB_STREAMS, MUSDB_RATE)
                references = stack.enter_context(packed.open(scratch)).mixture.parent
            for name in (MIXTURE, *STEMS):
                if path := find_sound(references, name, LOSSLESS):
                    paths[name if name == MIXTURE else f"{name}.{REFERENCE}"] = path
        sounds = {name: stack.enter_context(StraightFile(path)) for name, path in paths.items()}
        rates = {sound.samplerate for sound in sounds.values()}
        if len(rates) != 1:
            found = f"the sample rates {sorted(rates)}" if rates else "no sounds"
            raise EvaluatorError(f"{song.folder} and its references have {found}: separate it anew")
        channels = {sound.channels for sound in sounds.values()}
        if len(channels - {1}) > 1:
            raise EvaluatorError(
                f"{song.folder} and its references have {sorted(channels)} channels: separate it"
                " anew"
            )
        yield sounds


def read_piece(sound: StraightFile, start: int, stop: int) -> Block:
    """Read frames ``[start, stop)``, fewer at the end of the file.

    Raises:
        EvaluatorError: the file is damaged.
    """
    lead = min(start, LEAD_IN) if sound.format == "MP3" else 0
    try:
        sound.seek(min(start - lead, sound.frames))
        block: Block = sound.read(max(stop - start, 0) + lead, dtype="float64", always_2d=True)
    except sf.LibsndfileError as error:
        raise unreadable(sound.path, error) from error
    return block[lead:]


def write_pieces(sounds: Mapping[str, StraightFile], folder: Path) -> int:
    """Write all sounds as ``piece-N.js``; gives their number.

    Args:
        sounds: of ``open_sounds``.
        folder: to write into; it is there.
    """
    rate: int = next(iter(sounds.values())).samplerate
    length = max(sound.frames for sound in sounds.values())
    num_pieces: int = max(1, math.ceil(length / (PIECE_SECONDS * rate)))
    pad = round(PAD_SECONDS * rate)
    with ThreadPoolExecutor(available_cores()) as pool:
        for index in range(num_pieces):
            start, stop = (PIECE_SECONDS * rate * edge for edge in (index, index + 1))
            blocks = [
                read_piece(sound, max(0, start - pad), stop + pad) for sound in sounds.values()
            ]
            encoded = pool.map(lambda block: encode(block, rate), blocks)
            document = {
                name: base64.b64encode(data).decode("ascii")
                for name, data in zip(sounds, encoded, strict=True)
                if data
            }
            script = f"demixPiece({index}, {json.dumps(document)});\n"
            (folder / f"piece-{index}.js").write_text(script, encoding="ascii")
    return num_pieces


def player_rate(rate: int) -> int:
    """Give the sample rate in Hz at which sounds of another one are played."""
    return next((found for found in PLAYER_RATES if found >= rate), PLAYER_RATES[-1])


def encode(block: Block, rate: int) -> bytes:
    """Encode ``[frames, channels]`` as MP3 at `player_rate`; nothing where there are no frames."""
    # One or two channels need no layout to be agreed on.
    sound = soxr.resample(block[:, :2], rate, player_rate(rate)) if len(block) else block
    if not len(sound):
        return b""
    target = io.BytesIO()
    with sf.SoundFile(
        target,
        "w",
        player_rate(rate),
        sound.shape[1],
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="VARIABLE",
        compression_level=COMPRESSION,
    ) as file:
        file.write(sound)
    return target.getvalue()
