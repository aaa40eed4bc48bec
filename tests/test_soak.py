"""The soak run runs, and notices what grows."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from benchmarks.soak import GROWTH_MB, Sample, growth, soak, write_song
from my_submission.audio.scratch import open_scratch_file
from my_submission.budget.messages import Task
from my_submission.budget.timed_separator import TimedSeparator
from my_submission.separator import Separator

FLAT = [Sample(n, 500 + n % 3, 10 + n % 2, 8, 0) for n in range(1, 101)]


def test_songs_go_through_one_separator(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "soak").mkdir()
    separator = Separator(models=models, device="cpu", precision="exact", backend="onnxruntime")
    samples = list(soak(separator.separate_to_files, 8, tmp_path / "soak"))
    require_flat(samples, tmp_path)


def test_songs_go_through_one_worker_with_a_time_limit(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "soak").mkdir()
    with TimedSeparator(Task("starter", models, "cpu"), say=lambda line: None) as separator:
        separator.set_up()
        separate = partial(separator.separate_to_files, seconds=600.0)
        require_flat(list(soak(separate, 8, tmp_path / "soak")), tmp_path)


def require_flat(samples: list[Sample], folder: Path) -> None:
    assert [sample.songs for sample in samples] == list(range(1, 9))
    assert {sample.scratch_files for sample in samples} == {0}
    assert len({sample.descriptors for sample in samples[1:]}) == 1
    assert [path.name for path in folder.rglob("*") if path.is_file()] == []


def test_songs_are_many_and_some_are_damaged(tmp_path: Path) -> None:
    kinds = [write_song(tmp_path, index) for index in range(14)]
    assert {path.suffix for path, _ in kinds} == {".wav", ".flac", ".mp3"}
    assert [index for index, (_, is_damaged) in enumerate(kinds) if is_damaged] == [6, 13]


class Leaking:
    """Takes every song, and leaves a scratch file open every time."""

    def __init__(self) -> None:
        self.left: list[object] = []

    def __call__(self, *_files: object, **_options: object) -> None:
        self.left.append(open_scratch_file())


def test_scratch_files_that_stay_open_are_noticed(tmp_path: Path) -> None:
    samples = list(soak(Leaking(), 5, tmp_path))
    assert [sample.scratch_files for sample in samples] == [1, 2, 3, 4, 5]
    complaints = growth(samples)
    assert any(line.startswith("open files grew from ") for line in complaints)
    assert complaints[-1] == "up to 5 scratch files were left"


def test_a_damaged_song_that_is_taken_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="song 6 is damaged, and was separated"):
        list(soak(Leaking(), 7, tmp_path))


def test_what_is_flat_is_flat() -> None:
    assert growth(FLAT) == []
    started = [replace(sample, memory_mb=100, threads=1) for sample in FLAT[:15]]
    assert growth(started + FLAT[15:]) == []


@pytest.mark.parametrize("mb_per_song", [0.01, 0.2, 0.3])
def test_memory_that_grows_is_noticed(mb_per_song: float) -> None:
    samples = [
        replace(sample, memory_mb=sample.memory_mb + mb_per_song * sample.songs) for sample in FLAT
    ]
    # Between the middles of the second and of the last fifth there are 60 songs.
    assert bool(growth(samples)) is (60 * mb_per_song > GROWTH_MB)


def test_what_else_grows_is_noticed() -> None:
    late = FLAT[-1]
    threads = FLAT[:-20] + [replace(late, threads=9)] * 20
    files = FLAT[:-20] + [replace(late, descriptors=12)] * 20
    scratch = [*FLAT, replace(late, scratch_files=2)]
    assert growth(threads) == ["threads grew from 8 to 9"]
    assert growth(files)[0].startswith("open files grew from ")
    assert growth(scratch) == ["up to 2 scratch files were left"]
