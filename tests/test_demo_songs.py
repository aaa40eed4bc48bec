"""Unpacking the generated songs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from evaluator import sound
from evaluator.demo_songs import main, unpack_song
from evaluator.errors import EvaluatorError
from evaluator.sound import STEMS

Steps = npt.NDArray[np.int16]


def write_stems(
    folder: Path, rng: np.random.Generator, num_frames: int = 1000, peak: int = 8000
) -> dict[str, Steps]:
    folder.mkdir(parents=True, exist_ok=True)
    stems = {}
    for stem in STEMS:
        stems[stem] = rng.integers(-peak, peak, (num_frames, 2)).astype(np.int16)
        soundfile.write(folder / f"{stem}.flac", stems[stem], 44_100, subtype="PCM_16")
    return stems


def read_steps(path: Path) -> Steps:
    steps: Steps = soundfile.read(path, dtype="int16")[0]
    return steps


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("block_frames", [1, 64, 333, 1000, 1001])
def test_stems_are_kept_and_the_mixture_is_their_exact_sum(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, block_frames: int
) -> None:
    monkeypatch.setattr(sound, "BLOCK_FRAMES", block_frames)
    stems = write_stems(tmp_path / "songs" / "a", rng)
    unpack_song(tmp_path / "songs" / "a", tmp_path / "test" / "a")
    for stem in STEMS:
        np.testing.assert_array_equal(
            read_steps(tmp_path / "test" / "a" / f"{stem}.wav"), stems[stem]
        )
    np.testing.assert_array_equal(
        read_steps(tmp_path / "test" / "a" / "mixture.wav"),
        np.sum(list(stems.values()), axis=0, dtype=np.int32),
    )
    assert soundfile.info(tmp_path / "test" / "a" / "mixture.wav").subtype == "PCM_16"


def test_twice_gives_the_same_and_leaves_other_files_alone(
    tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("b", "a"):
        write_stems(tmp_path / "songs" / name, rng)
    (tmp_path / "songs" / "README.md").write_text("generated")
    (tmp_path / "songs" / "notes").mkdir()
    folders = [str(tmp_path / "songs"), str(tmp_path / "test")]
    assert main(folders) == 0
    (tmp_path / "test" / "mine.txt").write_text("mine")
    first = contents(tmp_path / "test")
    assert main(folders) == 0
    assert contents(tmp_path / "test") == first
    assert set(first) == {"mine.txt"} | {
        f"{song}/{name}.wav" for song in ("a", "b") for name in ("mixture", *STEMS)
    }
    assert "2 songs" in capsys.readouterr().out


def test_a_changed_song_is_unpacked_again(tmp_path: Path, rng: np.random.Generator) -> None:
    write_stems(tmp_path / "a", rng)
    unpack_song(tmp_path / "a", tmp_path / "test")
    stems = write_stems(tmp_path / "a", rng, num_frames=500)
    unpack_song(tmp_path / "a", tmp_path / "test")
    np.testing.assert_array_equal(read_steps(tmp_path / "test" / "bass.wav"), stems["bass"])


def test_a_sum_beyond_16_bits_leaves_nothing(tmp_path: Path, rng: np.random.Generator) -> None:
    write_stems(tmp_path / "a", rng, peak=30_000)
    with pytest.raises(EvaluatorError, match="beyond 16 bits"):
        unpack_song(tmp_path / "a", tmp_path / "test" / "a")
    assert not (tmp_path / "test" / "a").exists()


def test_a_damaged_stem_leaves_what_was_there(tmp_path: Path, rng: np.random.Generator) -> None:
    write_stems(tmp_path / "a", rng, num_frames=200_000)
    unpack_song(tmp_path / "a", tmp_path / "test")
    before = contents(tmp_path / "test")
    vocals = tmp_path / "a" / "vocals.flac"
    vocals.write_bytes(vocals.read_bytes()[: vocals.stat().st_size // 2])
    with pytest.raises(EvaluatorError, match=r"vocals\.flac"):
        unpack_song(tmp_path / "a", tmp_path / "test")
    assert contents(tmp_path / "test") == before


@pytest.mark.parametrize(
    ("num_frames", "subtype", "complaint"),
    [(999, "PCM_16", "999 samples"), (1000, "PCM_24", "PCM_24 samples, PCM_16")],
)
def test_stems_of_another_form(
    tmp_path: Path, rng: np.random.Generator, num_frames: int, subtype: str, complaint: str
) -> None:
    write_stems(tmp_path / "a", rng)
    sound = np.zeros((num_frames, 2))
    soundfile.write(tmp_path / "a" / "other.flac", sound, 44_100, subtype=subtype)
    with pytest.raises(EvaluatorError, match=complaint):
        unpack_song(tmp_path / "a", tmp_path / "test")
    assert not (tmp_path / "test").exists()


def test_a_target_that_is_a_file(tmp_path: Path, rng: np.random.Generator) -> None:
    write_stems(tmp_path / "a", rng)
    (tmp_path / "test").write_text("a file")
    with pytest.raises(EvaluatorError, match="test cannot be written"):
        unpack_song(tmp_path / "a", tmp_path / "test")


def test_errors_are_one_line_and_a_status(
    tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), str(tmp_path / "test")]) == 1
    assert "holds no songs" in capsys.readouterr().err
    write_stems(tmp_path / "a", rng)
    (tmp_path / "a" / "drums.flac").unlink()
    assert main([str(tmp_path), str(tmp_path / "test")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.endswith("drums.flac is missing\n")


def test_it_runs_as_a_module(tmp_path: Path, rng: np.random.Generator) -> None:
    write_stems(tmp_path / "songs" / "a", rng, num_frames=10)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "evaluator.demo_songs",
            str(tmp_path / "songs"),
            str(tmp_path / "test"),
        ],
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert (tmp_path / "test" / "a" / "mixture.wav").is_file()
