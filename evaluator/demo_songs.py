"""Unpack the generated songs into the evaluator's folder layout.

``python -m evaluator.demo_songs data/songs data/test`` turns ``SONG/STEM.flac`` into
``SONG/STEM.wav`` and ``SONG/mixture.wav``. The mixture is the exact sum of the stems' 16-bit
samples, so a perfect separation adds up to it without rounding.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import soundfile as sf

from evaluator.atomic import replacing
from evaluator.errors import EvaluatorError
from evaluator.sound import STEMS, SoundReader, read_together, require_same_form, subfolders

INT16 = np.iinfo(np.int16)


def unpack_song(source: Path, target: Path) -> None:
    """Write one song's stems and mixture as 16-bit WAV files; equal input, equal output.

    Args:
        source: folder with four 16-bit ``STEM.flac`` of one length, rate and channel count.
        target: folder for five ``.wav`` files, made where it is not there. They appear whole,
            the mixture last, so that a folder with a mixture is a complete song.

    Raises:
        EvaluatorError: a stem is missing, damaged, or unlike the others, or their sum is
            beyond 16 bits.
    """
    paths = [source / f"{stem}.flac" for stem in STEMS]
    first = _check_forms(paths)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.callback(_remove_if_empty, target)
            # Leaving a stack goes backwards, so the mixture, entered first, is renamed last.
            writers = [
                stack.enter_context(
                    sf.SoundFile(
                        stack.enter_context(replacing(target / f"{name}.wav")),
                        mode="w",
                        samplerate=first.sample_rate,
                        channels=first.num_channels,
                        subtype="PCM_16",
                    )
                )
                for name in ("mixture", *STEMS)
            ]
            readers = [stack.enter_context(SoundReader(path)) for path in paths]
            for blocks in read_together(*readers):
                # Exact: 16 bits at full scale 1 are multiples of 2 ** -15.
                stems = [(block * -float(INT16.min)).astype(np.int32) for block in blocks]
                mixture = np.sum(stems, axis=0)
                if mixture.min() < INT16.min or mixture.max() > INT16.max:
                    raise EvaluatorError(f"{source}: the sum of the stems is beyond 16 bits")
                for writer, steps in zip(writers, (mixture, *stems), strict=True):
                    writer.write(steps.astype(np.int16))
    except OSError as error:
        raise EvaluatorError(f"{target} cannot be written: {error.strerror}") from error
    except sf.LibsndfileError as error:
        raise EvaluatorError(f"{target} cannot be written: {error.error_string}") from error


def unpack_songs(source: Path, target: Path) -> list[str]:
    """Unpack every song of a folder.

    Args:
        source: folder with ``SONG/STEM.flac``.
        target: folder for ``SONG/STEM.wav`` and ``SONG/mixture.wav``.

    Returns:
        The songs' names, sorted.

    Raises:
        EvaluatorError: there are no songs, or one is not as it must be.
    """
    songs = [
        folder
        for folder in subfolders(source)
        if any((folder / f"{stem}.flac").is_file() for stem in STEMS)
    ]
    if not songs:
        files = ", ".join(f"{stem}.flac" for stem in STEMS)
        raise EvaluatorError(f"{source} holds no songs: a song is a folder with {files} in it")
    for song in songs:
        unpack_song(song, target / song.name)
    return [song.name for song in songs]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluator.demo_songs", description="Unpack the generated songs."
    )
    parser.add_argument("source", type=Path, help="folder with SONG/STEM.flac")
    parser.add_argument("target", type=Path, help="folder for SONG/STEM.wav and SONG/mixture.wav")
    folders = parser.parse_args(arguments)
    try:
        names = unpack_songs(folders.source, folders.target)
    except EvaluatorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(names)} songs in {folders.target}")
    return 0


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


def _check_forms(paths: Sequence[Path]) -> SoundReader:
    with ExitStack() as stack:
        readers = [stack.enter_context(SoundReader(path)) for path in paths]
        for path, reader in zip(paths, readers, strict=True):
            require_same_form(readers[0], reader)
            if reader.subtype != "PCM_16":
                raise EvaluatorError(f"{path} has {reader.subtype} samples, PCM_16 are needed")
        return readers[0]


if __name__ == "__main__":
    sys.exit(main())
