"""FLAC songs kept decoded, where reading them would take too much of the processor's time."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from my_submission.audio.atomic import file_error
from my_submission.audio.encoding import OutputFormat
from my_submission.audio.output import StemWriter
from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.stems import Stem
from training.data.tracks import Say, Track, open_in_place
from training.locking import lock


def decoded(track: Track, folder: Path, say: Say) -> Track:
    """Give the same song, and the same samples, in WAV files; stems that are WAV stay.

    A song is decoded once, also where several runs begin together. It is known by its files'
    places, sizes and times, so that one that is changed is decoded again.

    Args:
        track: The song; its versions are decoded too.
        folder: Where WAV files are kept: 10.6 MB per minute and stem of 16 bits.
        say: Takes a line for each song that is decoded.

    Raises:
        DemixError: A file cannot be read, or the folder cannot be written or is full.
    """
    versions = [decoded(version, folder, say) for version in track.versions]
    packed = {stem: path for stem, path in track.files.items() if path.suffix == ".flac"}
    unpacked: dict[Stem, Path] = {}
    if packed:
        home = folder / f"{track.name}-{_fingerprint(packed)}"
        unpacked = {stem: home / f"{stem}.wav" for stem in packed}
        if not _are_there(unpacked):
            with _lock(folder):
                # Another run may have decoded it meanwhile.
                if not _are_there(unpacked):
                    say(f"{track.name}: decoding to {home}")
                    _decode(track, unpacked)
    return Track(track.name, track.num_samples, {**track.files, **unpacked}, versions)


def _fingerprint(files: Mapping[Stem, Path]) -> str:
    digest = hashlib.sha256()
    for path in files.values():
        found = path.stat()
        digest.update(f"{path.resolve()}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]


def _are_there(files: Mapping[Stem, Path]) -> bool:
    return all(path.is_file() for path in files.values())


def _lock(folder: Path) -> IO[str]:
    try:
        return lock(folder, wait=True)
    except OSError as error:
        raise file_error(folder, error) from error


def _decode(track: Track, files: dict[Stem, Path]) -> None:
    # Nothing can clip, because integers are what comes in.
    form = OutputFormat("wav", "int16" if fits_16_bits(track) else "int24", clip_mode="clamp")
    with StemWriter(
        {str(stem): path for stem, path in files.items()}, track.num_samples, form, say=print
    ) as writer:
        for start in range(0, track.num_samples, BLOCK_FRAMES):
            length = min(BLOCK_FRAMES, track.num_samples - start)
            writer.write({stem: track.read(stem, start, length) for stem in files})


def fits_16_bits(track: Track) -> bool:
    """Tell whether no stem has finer samples than those of 16 bits."""
    for path in track.files.values():
        with open_in_place(path) as source:
            if source.sound_file.subtype not in {"PCM_S8", "PCM_U8", "PCM_16"}:
                return False
    return True
