"""What `--skip-existing` takes for done, and what it does again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from my_submission.cli.resuming import is_separated
from my_submission.stems import STEMS

SOUND = np.full((1000, 2), 0.1)

FORMATS = [("wav", "PCM_16"), ("wav", "FLOAT"), ("flac", "PCM_24"), ("mp3", "MPEG_LAYER_III")]


@pytest.fixture(params=FORMATS, ids=lambda fmt: fmt[1])
def stems(request: pytest.FixtureRequest, tmp_path: Path) -> list[Path]:
    suffix, subtype = request.param
    paths = [tmp_path / f"{stem}.{suffix}" for stem in STEMS]
    for path in paths:
        soundfile.write(path, SOUND, 44_100, subtype=subtype)
    return paths


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def shorten(path: Path) -> None:
    soundfile.write(path, SOUND[:900], 44_100)


def put_a_folder_there(path: Path) -> None:
    path.unlink()
    path.mkdir()


def test_whole_stems_are_done(stems: list[Path]) -> None:
    assert is_separated(stems)


@pytest.mark.parametrize("damage", [Path.unlink, put_a_folder_there, cut, empty, shorten])
def test_missing_cut_and_short_stems_are_not(
    stems: list[Path], damage: Callable[[Path], None]
) -> None:
    damage(stems[2])
    assert not is_separated(stems)


def test_stems_are_to_be_as_long_as_the_song(stems: list[Path], tmp_path: Path) -> None:
    song = tmp_path / "song.flac"
    soundfile.write(song, SOUND[:, 0], 44_100)
    assert is_separated(stems, song=song)
    soundfile.write(song, SOUND, 48_000)
    assert not is_separated(stems, song=song)
    soundfile.write(song, SOUND[1:], 44_100)
    assert not is_separated(stems, song=song)
    song.write_text("no sound")
    assert not is_separated(stems, song=song)


def test_what_a_killed_run_left_beside_whole_stems_goes(stems: list[Path]) -> None:
    leftover = stems[0].parent / ".demix-0123456789abcdef.part"
    leftover.touch()
    assert is_separated(stems)
    assert not leftover.exists()
