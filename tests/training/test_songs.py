"""Songs for the starter's command: made where there are none, and gone on with."""

import sys
from pathlib import Path

import pytest

from my_submission.errors import DemixError
from my_submission.stems import STEMS
from training.data.tracks import song_folders
from training.songs import make_songs
from training.stopping import Children

GENERATOR = """#!/bin/sh
echo "$@" >> '{log}'
mkdir -p "$3/made"
[ -e '{log}.whole' ]
"""


def test_songs_are_gone_on_with_until_all_of_them_are_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    generator = tmp_path / "generator"
    generator.write_text(GENERATOR.format(log=log))
    generator.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(generator))
    songs = tmp_path / "songs"
    for _ in range(2):
        with Children() as children, pytest.raises(DemixError, match="could not be made"):
            make_songs(songs, 0.5, 3, 2, children)
    with Children() as children, pytest.raises(DemixError, match="begun with --hours"):
        make_songs(songs, 0.5, 4, 2, children)
    call = f"-m training.synthesis {songs} --hours 0.5 --seed 3 -j 2 --split train"
    assert log.read_text().splitlines() == [call, call]
    # The note about it is no song.
    for stem in STEMS:
        (songs / "made" / f"{stem}.wav").touch()
    assert [path.name for path in song_folders(songs)] == ["made"]

    (tmp_path / "log.whole").touch()
    for _ in range(2):
        with Children() as children:
            make_songs(songs, 0.5, 3, 2, children)
    assert log.read_text().splitlines() == [call] * 3
    assert [path.name for path in songs.iterdir()] == ["made"]
    capsys.readouterr()


def test_a_folder_of_the_users_own_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    with Children() as children:
        make_songs(tmp_path, 3, 91, 2, children)
    assert not list(tmp_path.iterdir())
