"""The command `python -m training.synthesis`: many songs, in several processes."""

import argparse
import math
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from itertools import count, islice
from pathlib import Path

from my_submission.endings import one_line_errors
from my_submission.errors import DemixError
from training.synthesis.catalogue import require, voices
from training.synthesis.song import SongRequest, write_song
from training.synthesis.voices import build_bank, default_cache
from training.workers import end_with_parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; give the exit status."""
    options = _parser().parse_args(arguments)
    try:
        generate(options)
    except DemixError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def generate(options: argparse.Namespace) -> None:
    """Write the songs that the options ask for.

    Raises:
        DemixError: A Debian package is missing, or an option makes no sense.
    """
    _check(options)
    require(options.split)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemixError(f"{options.out}: {error.strerror}: give a folder to write to") from error
    cache = options.cache or default_cache()
    build_bank(voices(options.split), cache, print)
    wanted = list(_requests(options))
    songs = [song for song in wanted if not (options.out / song.name).exists()]
    if len(songs) < len(wanted):
        print(f"{len(wanted) - len(songs)} of {len(wanted)} songs are there already", flush=True)
    write = partial(write_song, out=options.out, cache=cache, mixture=options.mixture)
    started = time.monotonic()
    written = 0.0
    # Spawned, not forked: forking a process that has threads is not safe.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context, initializer=end_with_parent) as pool:
        futures = {pool.submit(write, song): song for song in songs}
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                written += future.result()
                speed = written / (time.monotonic() - started)
                print(
                    f"{done}/{len(songs)} {futures[future].name}: "
                    f"{written / 60:.1f} min of music, {speed:.1f} times real time",
                    flush=True,
                )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _check(options: argparse.Namespace) -> None:
    low, high = options.seconds
    if not (0 < low <= high and math.isfinite(high)):
        raise DemixError(f"--seconds {low:g}-{high:g}: give the shorter length first, above 0")
    if options.jobs < 1:
        raise DemixError(f"-j {options.jobs}: give at least 1 process")
    if options.hours is not None and not 0 < options.hours < math.inf:
        raise DemixError(f"--hours {options.hours:g}: give more than 0 hours of music")
    if options.songs is not None and options.songs < 1:
        raise DemixError(f"--songs {options.songs}: give at least 1 song")
    for name in ("seed", "first"):
        if getattr(options, name) < 0:
            raise DemixError(f"--{name} {getattr(options, name)}: give 0 or more")


def _requests(options: argparse.Namespace) -> Iterator[SongRequest]:
    """Give the first songs of the seed: so many, or as many as make up the hours."""
    low, high = options.seconds
    songs = (
        SongRequest(options.seed, index, options.split, low, high, options.full)
        for index in count(options.first)
    )
    if options.songs is not None:
        named = options.name if options.songs == 1 else None
        yield from (replace(song, given_name=named) for song in islice(songs, options.songs))
        return
    seconds = 0.0
    for song in songs:
        if seconds >= 3600 * options.hours:
            return
        seconds += song.seconds
        yield song


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.synthesis",
        description="Make songs with exact stems: OUT/SONG/{bass,drums,other,vocals}.flac.",
    )
    parser.add_argument("out", type=Path, help="folder for the songs; songs there are kept")
    amount = parser.add_mutually_exclusive_group(required=True)
    amount.add_argument("--hours", type=float, help="hours of music")
    amount.add_argument("--songs", type=int, help="number of songs")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other songs")
    parser.add_argument("--first", type=int, default=0, help="number of the seed's first song")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="processes")
    parser.add_argument("--split", choices=("train", "held_out"), default="train")
    parser.add_argument("--seconds", type=_span, default=(30.0, 120.0), help="as 30-120, or 15")
    parser.add_argument("--full", action="store_true", help="all stems play in all sections")
    parser.add_argument("--name", help="name of the song's folder, with --songs 1")
    parser.add_argument("--mixture", action="store_true", help="write mixture.flac too")
    parser.add_argument("--cache", type=Path, help="folder of the voice bank")
    return parser


def _span(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    try:
        return float(low), float(high or low)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: give it as 30-120, or 15") from error


if __name__ == "__main__":
    # Ctrl-C and SIGTERM end it by one line, when the songs that are being made are written.
    with one_line_errors():
        sys.exit(main())
