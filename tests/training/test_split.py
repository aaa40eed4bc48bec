"""Which songs are trained on and validated on, and that none is both."""

from pathlib import Path
from typing import Any

import pytest

from my_submission.errors import DemixError
from tests.training_songs import write_training_song
from training.data.split import MUSDB18_VALIDATION, DataOptions, Split, split_songs
from training.data.versions import Change

TRAIN = ("Night Owl - x", *MUSDB18_VALIDATION[3:5], "Zeno - Signs")
TEST = ("AM Contra - Heart Peripheral", "Speak Softly - Broken Man")


@pytest.fixture
def musdb(tmp_path: Path) -> Path:
    """Give a root like MUSDB18-HQ's, with four songs and two."""
    root = tmp_path / "musdb18hq"
    for seed, name in enumerate(TRAIN):
        write_training_song(root / "train" / name, seed, 1000, suffix=".wav")
    for seed, name in enumerate(TEST):
        write_training_song(root / "test" / name, 10 + seed, 1000, suffix=".wav")
    return root


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Give a folder of three songs with other names."""
    for seed, name in enumerate(("one", "two", "three")):
        write_training_song(tmp_path / "made" / name, 20 + seed, 1000)
    return tmp_path / "made"


def split(said: list[str] | None = None, **options: Any) -> Split:
    return split_songs(DataOptions(**options), ([] if said is None else said).append)


def names(tracks: Any) -> list[str]:
    return [track.name for track in tracks]


def test_the_split_is_musdbs() -> None:
    import musdb

    setup = Path(musdb.__file__).parent / "configs" / "mus.yaml"
    text = setup.read_text()
    listed = text[text.index("validation_tracks:") :].splitlines()[1:]
    theirs = [line.strip().removeprefix("- ").strip("'\"") for line in listed if "- " in line]
    assert sorted(theirs[: len(MUSDB18_VALIDATION)]) == sorted(MUSDB18_VALIDATION)
    assert len(MUSDB18_VALIDATION) == 14


def test_musdbs_validation_songs_are_kept_out(musdb: Path) -> None:
    before = sorted(musdb.rglob("*"))
    said: list[str] = []
    found = split(said, musdb=musdb)
    assert names(found.train) == [TRAIN[0], TRAIN[3]]
    assert names(found.validation) == list(MUSDB18_VALIDATION[3:5])
    assert len(said) == 1 and "validation is on 2 songs" in said[0]
    assert sorted(musdb.rglob("*")) == before


def test_leaderboard_b_trains_on_the_test_set(musdb: Path, made: Path) -> None:
    found = split(musdb=musdb, train_on_test=True, validation_folders=[made])
    assert names(found.train) == [*sorted(TRAIN), *TEST]
    assert names(found.validation) == ["one", "three", "two"]
    held_out = split(
        musdb=musdb,
        train_on_test=True,
        validation_folders=[made],
        validation_songs=MUSDB18_VALIDATION[3:5],
    )
    assert names(held_out.train) == [TRAIN[0], TRAIN[3], *TEST]
    assert len(held_out.validation) == 5


def test_further_folders_are_trained_on(musdb: Path, made: Path) -> None:
    assert names(split(musdb=musdb, folders=[made]).train) == [
        TRAIN[0],
        TRAIN[3],
        "one",
        "three",
        "two",
    ]
    copy = write_training_song(made / MUSDB18_VALIDATION[3], 5, 1000)
    assert copy.any()
    found = split(musdb=musdb, folders=[made])
    assert MUSDB18_VALIDATION[3] not in names(found.train)
    assert names(found.validation).count(MUSDB18_VALIDATION[3]) == 1


def test_other_songs_are_split_by_options(made: Path) -> None:
    with pytest.raises(DemixError, match="give validation_songs or validation_folders"):
        split(folders=[made])
    found = split(folders=[made], validation_songs=2)
    assert (names(found.validation), names(found.train)) == (["one", "three"], ["two"])
    found = split(folders=[made], validation_songs=["three"])
    assert (names(found.validation), names(found.train)) == (["three"], ["one", "two"])
    assert not split(folders=[made], validation_songs=0).validation


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no songs to train on"),
        ({"train_on_test": True}, "give its root"),
        ({"folders": ["made"], "validation_songs": 3}, "too few"),
        ({"folders": ["made"], "validation_songs": 4}, "give 0 to 2"),
        ({"folders": ["made"], "validation_songs": -1}, "give 0 to 2"),
        ({"folders": ["made"], "validation_songs": ["four"]}, "no song four"),
        ({"folders": ["made"], "validation_folders": ["made"]}, "both trained on and validated"),
        ({"musdb": "made"}, "has no folder train"),
        ({"folders": ["gone"], "validation_songs": 1}, "no such folder"),
        ({"folders": ["made"], "augmented": ["gone"], "validation_songs": 1}, "of changed songs"),
    ],
)
def test_options_that_make_no_sense(
    options: dict[str, Any], message: str, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made.parent)
    for name in ("folders", "validation_folders", "augmented"):
        if name in options:
            options[name] = [Path(folder) for folder in options[name]]
    if "musdb" in options:
        options["musdb"] = Path(options["musdb"])
    with pytest.raises(DemixError, match=message) as raised:
        split(**options)
    assert "\n" not in str(raised.value)


def test_versions_belong_to_their_songs(musdb: Path, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "changed"
    for change in (Change(1, -20), Change(-2, 20), Change(3, 0), Change(0, 30)):
        for name in TRAIN:
            folder = change.folder(out, musdb / "train") / name
            write_training_song(folder, 7, change.num_samples(1000))
    write_training_song(out / "made_p=1_t=0" / "two", 8, 1000)
    write_training_song(out / "made_p=1_t=0" / "unheard", 8, 1000)
    found = split(musdb=musdb, folders=[made], augmented=[out])
    lengths = {track.name: [v.num_samples for v in track.versions] for track in found.train}
    assert lengths == {TRAIN[0]: [833, 1250], TRAIN[3]: [833, 1250], "one": [], "three": []} | {
        "two": [1000]
    }
    # No version of a song that is validated on is trained on.
    trained = {v.name for track in found.train for v in track.versions}
    assert not trained & set(MUSDB18_VALIDATION)
    wider = split(musdb=musdb, augmented=[out], max_semitones=3, max_tempo_percent=30)
    assert [len(track.versions) for track in wider.train] == [4, 4]
    assert not split(musdb=musdb, augmented=[out], max_semitones=0).train[0].versions


def test_the_published_layout_beside_the_songs_is_found(musdb: Path) -> None:
    write_training_song(musdb / "train_p=-1_t=10" / TRAIN[0], 7, 909, suffix=".wav")
    assert len(split(musdb=musdb, augmented=[musdb]).train[0].versions) == 1


def test_a_version_of_another_song_is_refused(musdb: Path, tmp_path: Path) -> None:
    write_training_song(tmp_path / "changed" / "train_p=1_t=10" / TRAIN[0], 7, 1000)
    with pytest.raises(DemixError, match="is it another song's"):
        split(musdb=musdb, augmented=[tmp_path / "changed"])


def test_an_incomplete_version_is_left_out(musdb: Path, tmp_path: Path) -> None:
    folder = tmp_path / "changed" / "train_p=1_t=0" / TRAIN[0]
    write_training_song(folder, 7, 1000, stems=("bass", "drums"))
    said: list[str] = []
    found = split(said, musdb=musdb, augmented=[tmp_path / "changed"])
    assert not found.train[0].versions
    assert any("left out, because it has no other and no vocals" in line for line in said)
