"""Files that have to be done with before all of the song is in them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from my_submission.audio.copying import copy_with_holes
from my_submission.audio.output import FLOAT_WAV, OutputFormat, StemWriter
from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.stems import SAMPLE_RATE, Audio

NUM_BLOCKS = 5
SONG = NUM_BLOCKS * BLOCK_FRAMES - 1000

FORMATS = (
    FLOAT_WAV,
    OutputFormat("wav", "int16"),  # waits in scratch files
    OutputFormat("wav", "int24", clip_mode="clamp"),
    OutputFormat("flac", "int24", clip_mode="clamp"),
    OutputFormat("flac", "int16"),
)


@pytest.fixture
def stems(rng: np.random.Generator) -> dict[str, Audio]:
    return {name: rng.uniform(-0.5, 0.5, (2, SONG)).astype(np.float32) for name in ("a", "b")}


def written(
    folder: Path,
    stems: dict[str, Audio],
    fmt: OutputFormat,
    is_late: Callable[[float, float], bool] | None = None,
    **options: int | dict[str, str],
) -> tuple[dict[str, Audio], float | None]:
    """Write block by block; give what the files hold, and until when."""
    folder.mkdir()
    paths = {name: folder / f"{name}{fmt.suffix}" for name in stems}
    with StemWriter(paths, SONG, fmt, is_late=is_late, say=pytest.fail, **options) as writer:  # type: ignore[arg-type]
        for start in range(0, SONG, BLOCK_FRAMES):
            writer.write({n: s[:, start : start + BLOCK_FRAMES] for n, s in stems.items()})
    sounds = {n: soundfile.read(path, dtype="float32")[0].T for n, path in paths.items()}
    return sounds, writer.sound_seconds


def after(times: int) -> Callable[[float, float], bool]:
    """Be late once asked so many times."""
    asked = 0

    def is_late(waiting: float, silent: float) -> bool:
        nonlocal asked
        asked += 1
        assert 0 <= waiting <= 1
        assert 0 < silent <= 1
        return asked > times

    return is_late


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: f"{fmt.container}-{fmt.subtype}")
@pytest.mark.parametrize("times", [0, 2, NUM_BLOCKS + 1])
def test_all_stems_are_silent_from_one_place_on(
    tmp_path: Path, stems: dict[str, Audio], fmt: OutputFormat, times: int
) -> None:
    whole, all_of_it = written(tmp_path / "whole", stems, fmt)
    assert all_of_it is None
    part, seconds = written(tmp_path / "part", stems, fmt, after(times))
    if seconds is None:  # never asked so often: nothing is encoded in a second go
        assert times > NUM_BLOCKS
        end = SONG
    else:
        end = round(seconds * SAMPLE_RATE)
        assert end < SONG
    assert (end > 0) == (times > 0) or fmt.clip_mode == "rescale"
    for name in stems:
        assert part[name].shape == whole[name].shape
        assert np.array_equal(part[name][:, :end], whole[name][:, :end])
        assert not part[name][:, end:].any()


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: f"{fmt.container}-{fmt.subtype}")
def test_the_silence_that_would_follow_gets_less(
    tmp_path: Path, stems: dict[str, Audio], fmt: OutputFormat
) -> None:
    told: list[float] = []

    def is_late(_waiting: float, silent: float) -> bool:
        told.append(silent)
        return False

    written(tmp_path / "whole", stems, fmt, is_late)
    # What waits in scratch files may all come to be silent; then it is encoded from the start.
    last = [1 - n * BLOCK_FRAMES / SONG for n in range(NUM_BLOCKS)]
    assert told[-NUM_BLOCKS:] == pytest.approx(last)
    assert set(told[:-NUM_BLOCKS]) <= {1.0}


def test_a_song_at_its_own_rate_keeps_its_length(tmp_path: Path, stems: dict[str, Audio]) -> None:
    options = {"sample_rate": 48_000, "out_samples": SONG + 12_345}
    part, seconds = written(tmp_path / "part", stems, FLOAT_WAV, after(3), **options)
    assert seconds is not None
    for sound in part.values():
        assert sound.shape == (2, SONG + 12_345)
        end = round(seconds * 48_000)
        # The filter rings before and behind the place.
        assert sound[:, : end - 2000].any() and not sound[:, end + 2000 :].any()


def test_copies_are_silent_too(tmp_path: Path, stems: dict[str, Audio]) -> None:
    options = {"copies": {"b": "a"}}
    part, seconds = written(tmp_path / "part", stems, FLOAT_WAV, after(2), **options)
    assert seconds is not None
    assert np.array_equal(part["a"], part["b"])


def test_silence_takes_no_space(tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.wav" for name in ("a", "b")}
    hour = 3600 * SAMPLE_RATE
    with StemWriter(
        paths, hour, FLOAT_WAV, copies={"b": "a"}, is_late=lambda *_: True, say=pytest.fail
    ) as writer:
        writer.write({"a": np.ones((2, 100), np.float32)})
    for path in paths.values():
        assert soundfile.info(path).frames == hour
        assert path.stat().st_blocks * 512 < 1 << 20


def test_copies_of_files_with_holes(tmp_path: Path, rng: np.random.Generator) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    with source.open("wb") as file:
        for place in (0, 5 << 20, (9 << 20) + 17):
            file.seek(place)
            file.write(rng.bytes(1_234_567))
        file.truncate(20 << 20)
    copy.touch()
    copy_with_holes(source, copy)
    assert copy.read_bytes() == source.read_bytes()
    assert copy.stat().st_blocks * 512 < 10 << 20
