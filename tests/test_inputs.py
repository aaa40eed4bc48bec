"""Which songs a command line means, and where their stems go."""

from pathlib import Path, PurePath

import pytest

from my_submission.cli.inputs import SongFile, find_songs, output_paths, require_distinct
from my_submission.errors import DemixError
from my_submission.stems import STEMS


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def tracks(songs: list[SongFile]) -> list[str]:
    return [str(song.track) for song in songs]


def test_a_file_is_a_song_whatever_it_is_called(tmp_path: Path) -> None:
    names = ["a b.wav", "ünï🎵.flac", "v1.2.mp3", "no suffix", "back\\slash.wav", "-n.wav"]
    touch(*(tmp_path / name for name in names))
    found = find_songs([tmp_path / name for name in names])
    assert tracks(found) == ["a b", "ünï🎵", "v1.2", "no suffix", "back\\slash", "-n"]


def test_folders_are_searched_and_keep_their_subfolders_apart(tmp_path: Path) -> None:
    touch(tmp_path / "b.wav", tmp_path / "x" / "a.MP3", tmp_path / "y" / "a.wav")
    touch(tmp_path / "notes.txt", tmp_path / ".hidden" / "c.wav", tmp_path / ".d.wav")
    assert tracks(find_songs([tmp_path])) == ["b", "x/a", "y/a"]


def test_a_folder_with_a_mixture_is_one_song(tmp_path: Path) -> None:
    touch(*(tmp_path / "album" / "one" / f"{name}.wav" for name in (*STEMS, "mixture")))
    (song,) = find_songs([tmp_path / "album"])
    assert (song.path.name, str(song.track)) == ("mixture.wav", "one")
    (song,) = find_songs([tmp_path / "album" / "one"])
    assert str(song.track) == "one"


def test_earlier_outputs_are_not_separated_again(tmp_path: Path) -> None:
    touch(tmp_path / "song.wav", tmp_path / "separated" / "starter" / "song" / "bass.wav")
    assert tracks(find_songs([tmp_path], exclude=[tmp_path / "separated"])) == ["song"]


def test_musdb_files_lose_both_suffixes(tmp_path: Path) -> None:
    touch(tmp_path / "Artist - Title.stem.mp4")
    assert tracks(find_songs([tmp_path])) == ["Artist - Title"]


def test_a_name_of_dots_does_not_lead_elsewhere(tmp_path: Path) -> None:
    touch(tmp_path / "...wav")
    (song,) = find_songs([tmp_path / "...wav"])
    assert str(song.track) == "_"


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match="no such file or folder"):
        find_songs([tmp_path / "missing.wav"])
    with pytest.raises(DemixError, match="a folder without songs"):
        find_songs([tmp_path])


def paths_of(template: str, names: list[str] | None = None) -> dict[str, Path]:
    song = SongFile(Path("in/my song.mp3"), PurePath("sub/my song"))
    return output_paths(song, Path("out/starter"), template, names or list(STEMS), "flac")


def test_a_template_places_the_stems() -> None:
    assert paths_of("{track}/{stem}.{ext}")["bass"] == Path("out/starter/sub/my song/bass.flac")
    assert paths_of("{stem}-{trackext}.{ext}")["bass"] == Path("out/starter/bass-mp3.flac")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{song}/{stem}.{ext}", "use {track}"),
        ("{}/{stem}", "use {track}"),
        ("{track", "use {track}"),
        ("{track.nothing}/{stem}", "use {track}"),
        ("{track[a]}/{stem}", "use {track}"),
        ("/{stem}", "leads out"),
        ("../{stem}", "leads out"),
        ("", "leads out"),
        ("{track}.{ext}", "several stems one file"),
    ],
)
def test_a_wrong_template_is_refused(template: str, message: str) -> None:
    with pytest.raises(DemixError, match=message):
        paths_of(template)


def test_songs_that_would_overwrite_each_other_are_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav", tmp_path / "a.mp3")
    songs = find_songs([tmp_path])
    template = "{track}/{stem}.{ext}"
    outputs = [(song, output_paths(song, tmp_path, template, STEMS, "wav")) for song in songs]
    with pytest.raises(DemixError, match="would both write"):
        require_distinct(outputs)
    require_distinct(outputs[:1] * 2)  # the same song named twice is no conflict


def test_a_song_is_never_overwritten(tmp_path: Path) -> None:
    touch(tmp_path / "starter" / "vocals.wav")
    songs = find_songs([tmp_path / "starter" / "vocals.wav"])
    paths = output_paths(songs[0], tmp_path / "starter", "{stem}.{ext}", STEMS, "wav")
    with pytest.raises(DemixError, match="is a song and would be overwritten"):
        require_distinct([(songs[0], paths)])
