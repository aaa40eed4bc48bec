"""Writes a report: reads the run, makes each song's pictures and sound, and the pages."""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from evaluator.atomic import replacing_folder
from evaluator.errors import EvaluatorError
from evaluator.report_page.index_page import index_page
from evaluator.report_page.pictures import (
    COLORS,
    Look,
    draw_frames,
    draw_sound,
    look_at,
    scale_of,
)
from evaluator.report_page.song_page import (
    FRAMES_BY_MUSEVAL,
    FRAMES_BY_SECOND,
    Material,
    Neighbours,
    song_page,
)
from evaluator.report_page.sounds import (
    ESTIMATE,
    REFERENCE,
    open_sounds,
    player_rate,
    read_piece,
    write_pieces,
)
from evaluator.run_reading import read_run
from evaluator.runs import Frame, Run, Song
from evaluator.scoring import SdrSums
from evaluator.sound import STEMS, StraightFile, require_names

ASSETS = Path(__file__).with_name("assets")
PAGE = "index.html"
SILENCE = 1e-7
"""Mean power below which a second of a reference counts as silent: -70 dB."""

Sounds = Mapping[str, StraightFile]


def write_report(
    folder: Path,
    out: Path,
    *,
    references: Path | None = None,
    names: Sequence[str] | None = None,
    scratch: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write the report of a run, whole or not at all; an earlier one is replaced.

    Args:
        folder: of the run.
        out: the report's folder.
        references: folder of the songs with their stems; where the run says where they are when
            not given.
        names: only these songs; all of the run where not given.
        scratch: the folder for what is decoded on the way; the system's own where not given.
        progress: called with a song's title before it is worked on.

    Returns:
        The page to open.

    Raises:
        EvaluatorError: the run or a sound cannot be read, has no song of a name, ``out`` is
            something else than an earlier report, or cannot be written.
    """
    run = read_run(folder)
    if names is not None:
        require_names(names, [song.name for song in run.songs], folder)
        run = replace(run, songs=tuple(song for song in run.songs if song.name in names))
    out = out.absolute()
    if out.exists() and not (out.is_dir() and (_is_report(out) or not any(out.iterdir()))):
        raise EvaluatorError(f"{out} is no report of an earlier run: give another --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing_folder(out) as temporary:
            _write(run, temporary, references, scratch, progress)
    except OSError as error:
        raise EvaluatorError(f"{out} cannot be written: {error.strerror}") from error
    return out / PAGE


def _is_report(folder: Path) -> bool:
    return (folder / PAGE).is_file() and (folder / "assets" / "report.css").is_file()


def _write(
    run: Run,
    out: Path,
    references: Path | None,
    scratch: Path | None,
    progress: Callable[[str], None],
) -> None:
    shutil.copytree(ASSETS, out / "assets")
    # By number: a song's name may be anything.
    names = [f"{number:03d}" for number in range(1, len(run.songs) + 1)]
    for place, (song, name) in enumerate(zip(run.songs, names, strict=True)):
        progress(song.title)
        neighbours = Neighbours(
            f"{names[place - 1]}.html" if place else None,
            f"{names[place + 1]}.html" if place + 1 < len(names) else None,
        )
        (out / "songs" / name).mkdir(parents=True)
        reference = _reference_of(song, references)
        with open_sounds(song, reference, scratch=scratch) as sounds:
            material = _material(song, sounds, out / "songs" / name)
        page = song_page(song, material, neighbours, system=run.system)
        (out / "songs" / f"{name}.html").write_text(page, encoding="utf-8")
    addresses = {
        song.name: f"songs/{name}.html" for song, name in zip(run.songs, names, strict=True)
    }
    (out / PAGE).write_text(index_page(run, addresses), encoding="utf-8")


def _reference_of(song: Song, references: Path | None) -> Path | None:
    if references is not None:
        for folder in (references, references / "test", references / "train"):
            for path in (folder / song.name, folder / f"{song.name}.stem.mp4"):
                if path.exists():
                    return path
        raise EvaluatorError(f"{references} holds no references of {song.name}")
    return song.reference if song.reference is not None and song.reference.exists() else None


def _material(song: Song, sounds: Sounds, folder: Path) -> Material:
    rate = next(iter(sounds.values())).samplerate
    length = max(sound.frames for sound in sounds.values())
    if not length:
        raise EvaluatorError(f"{song.folder} holds stems without samples")
    seconds = length / rate
    _draw_sounds(sounds, length, folder)
    frames = song.frames or _frames_by_second(sounds)
    scale = scale_of(frames) if frames else None
    if scale is not None:
        for name, columns, height in (("sdr", 1200, 240), ("sdr-narrow", 420, 200)):
            draw_frames(
                folder / f"{name}.png",
                frames,
                seconds=seconds,
                scale=scale,
                columns=columns,
                height=height,
            )
    return Material(
        folder=folder.name,
        seconds=seconds,
        rate=player_rate(rate),
        sounds=tuple(sounds),
        pieces=write_pieces(sounds, folder),
        scale=scale,
        frames_by=FRAMES_BY_MUSEVAL if song.frames else FRAMES_BY_SECOND,
    )


def _draw_sounds(sounds: Sounds, length: int, folder: Path) -> None:
    looks: dict[str, Look] = {name: look_at(sound, length) for name, sound in sounds.items()}
    loudest = max(float(look.power.max()) for look in looks.values())
    peaks: dict[str, float] = {}
    for name, look in looks.items():
        track = name.partition(".")[0]
        peaks[track] = max(peaks.get(track, 0.0), look.peak)
    for name, look in looks.items():
        track = name.partition(".")[0]
        draw_sound(
            folder / f"{name}.webp",
            look,
            color=COLORS[track],
            peak=peaks[track],
            loudest=loudest,
        )


def _frames_by_second(sounds: Sounds) -> dict[str, tuple[Frame, ...]]:
    """SDR of each second by the challenge's formula; NaN where the reference is silent."""
    found = {}
    for stem in STEMS:
        names = [f"{stem}.{kind}" for kind in (REFERENCE, ESTIMATE)]
        if not all(name in sounds for name in names):
            continue
        reference, estimate = (sounds[name] for name in names)
        rate, frames = reference.samplerate, []
        for start in range(0, min(reference.frames, estimate.frames), rate):
            stop = min(start + rate, reference.frames, estimate.frames)
            pieces = (read_piece(sound, start, stop) for sound in (reference, estimate))
            # What is mono is heard in both channels.
            true, estimated = np.broadcast_arrays(*pieces)
            sums = SdrSums()
            sums.add(true, estimated)
            is_silent = sums.reference < SILENCE * estimated.size
            sdr = math.nan if is_silent else sums.sdr()
            frames.append(Frame(start / rate, (stop - start) / rate, sdr))
        found[stem] = tuple(frames)
    return found
