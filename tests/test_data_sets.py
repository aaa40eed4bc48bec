"""Songs with known stems: plain folders, MUSDB18 and MUSDB18-HQ, as `musdb` gives them."""

from pathlib import Path
from typing import Any

import musdb
import numpy as np
import pytest
import soundfile

from evaluator.contamination import HEARD_TEST_SONGS, TEST_SONGS, contamination, union
from evaluator.data_sets import Split, Subset, open_data_set
from evaluator.errors import EvaluatorError
from evaluator.sound import STEMS
from my_submission.systems import SYSTEMS
from tests.musdb_folders import with_real_song, write_hq_song, write_stem_file
from tests.song_folders import write_song

VALID = "Actions - One Minute Smile"
"""One of the songs that `musdb` validates on."""


def tracks(root: Path, *, is_wav: bool, subset: str) -> list[Any]:
    return list(musdb.DB(root=str(root), is_wav=is_wav, subsets=[subset]).tracks)


def test_a_plain_folder(tmp_path: Path, rng: np.random.Generator) -> None:
    for name in ("b", "a"):
        write_song(tmp_path / name, rng)
    (tmp_path / "notes").mkdir()
    data = open_data_set(tmp_path)
    assert (data.kind, data.subset, data.split, data.root) == ("folder", None, None, tmp_path)
    assert [(song.name, song.location) for song in data.songs] == [
        ("a", tmp_path / "a"),
        ("b", tmp_path / "b"),
    ]
    with data.songs[0].open() as files:
        assert files.mixture == tmp_path / "a" / "mixture.wav"
        assert files.references == {stem: tmp_path / "a" / f"{stem}.wav" for stem in STEMS}
    assert files.mixture.is_file()


@pytest.fixture
def hq(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Give a folder in MUSDB18-HQ's layout."""
    for song in ("test/b", "test/a", f"train/{VALID}", "train/c"):
        write_hq_song(tmp_path / "hq" / song, rng)
    return tmp_path / "hq"


@pytest.mark.parametrize(
    ("subset", "split", "expected"),
    [
        (None, None, ["a", "b"]),
        ("test", None, ["a", "b"]),
        ("train", None, [VALID, "c"]),
        ("train", "train", ["c"]),
        ("train", "valid", [VALID]),
    ],
)
def test_the_songs_of_musdb18_hq(
    hq: Path, subset: Subset | None, split: Split | None, expected: list[str]
) -> None:
    data = open_data_set(hq, subset=subset, split=split)
    assert (data.kind, data.subset, data.split) == ("musdb18-hq", subset or "test", split)
    assert [song.name for song in data.songs] == expected


def test_the_sounds_of_musdb18_hq_are_those_of_musdb(hq: Path) -> None:
    (song, _), (track, _) = open_data_set(hq).songs, tracks(hq, is_wav=True, subset="test")
    assert song.location == hq / "test" / track.name
    with song.open() as files:
        assert np.array_equal(soundfile.read(files.mixture)[0], track.audio)
        for stem, path in files.references.items():
            assert np.array_equal(soundfile.read(path)[0], track.targets[stem].audio)


def test_the_sounds_of_musdb18_are_those_of_musdb(tmp_path: Path, rng: np.random.Generator) -> None:
    write_stem_file(tmp_path / "stems" / "train" / "a: song.stem.mp4", rng)
    for root in with_real_song(tmp_path / "stems"):
        data = open_data_set(root, subset="train")
        (song,), (track,) = data.songs, tracks(root, is_wav=False, subset="train")
        assert (data.kind, song.name) == ("musdb18", track.name)
        assert song.location.samefile(track.path)
        with song.open(tmp_path) as files:
            assert files.mixture.is_relative_to(tmp_path)
            assert np.array_equal(soundfile.read(files.mixture)[0], track.audio)
            assert list(files.references) == list(STEMS)
            for stem, path in files.references.items():
                assert np.array_equal(soundfile.read(path)[0], track.targets[stem].audio)
        assert not files.mixture.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["stems"]


def test_a_damaged_stem_file_leaves_nothing(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "stems" / "train" / "a.stem.mp4"
    write_stem_file(path, rng)
    (song,) = open_data_set(tmp_path / "stems", subset="train").songs
    path.write_bytes(path.read_bytes()[:1000])
    (tmp_path / "scratch").mkdir()
    with pytest.raises(EvaluatorError, match=r"a\.stem\.mp4 cannot be decoded: "):
        song.open(tmp_path / "scratch")
    assert not any((tmp_path / "scratch").iterdir())
    with pytest.raises(EvaluatorError, match=r"musdb finds a song that is no sound: .*a\.stem"):
        open_data_set(tmp_path / "stems", subset="train")


def test_some_songs(hq: Path) -> None:
    assert [song.name for song in open_data_set(hq, names=["b"]).songs] == ["b"]
    for names in (["b", "d"], []):
        with pytest.raises(EvaluatorError, match=r"has no song .*there are: a, b"):
            open_data_set(hq, names=names)


def test_what_cannot_be_evaluated_on(
    hq: Path, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EvaluatorError, match="subset test has no split valid"):
        open_data_set(hq, split="valid")
    with pytest.raises(EvaluatorError, match=r"plain folder of songs: --subset and --split"):
        open_data_set(hq / "test", subset="test")
    with pytest.raises(EvaluatorError, match="does not exist"):
        open_data_set(tmp_path / "none")
    write_song(tmp_path / "half" / "train" / "a", rng)
    with pytest.raises(EvaluatorError, match="no songs of subset test; there is: train"):
        open_data_set(tmp_path / "half")
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "a.stem.mp4").touch()
    with pytest.raises(EvaluatorError, match="give the folder that it lies in"):
        open_data_set(tmp_path / "part")
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(EvaluatorError, match="ffprobe, which is not installed: install ffmpeg"):
        open_data_set(hq)


@pytest.mark.parametrize("system", HEARD_TEST_SONGS)
def test_what_has_heard_the_test_songs_is_told_wherever_they_are(system: str) -> None:
    assert system in SYSTEMS
    for song, subset in (
        ("any", "test"),
        ("Speak Softly - Broken Man", None),
        ("little_chicagos_finest-my_own", None),
    ):
        assert "MUSDB18's test songs" in str(contamination(system, song, subset))
        assert contamination("leaderboard_a", song, subset) is None
        assert contamination("starter", song, subset) is None
    assert contamination(system, "mine") is None


def test_what_was_trained_on_the_train_songs() -> None:
    assert "trained on" in str(contamination("leaderboard_a", "any", "train"))
    assert contamination("starter", "any", "train") is None
    assert len(set(TEST_SONGS)) == 50


def test_warnings_of_some_songs_are_counted() -> None:
    assert union(["heard", None, "heard", "half heard"]) == [
        "heard (2 of 4 songs)",
        "half heard (1 of 4 songs)",
    ]
    assert union(["heard", "heard"]) == ["heard"]
    assert union([None]) == []
