"""Signals between separators: computed when read, kept on disk, and gone afterwards."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from my_submission.audio import ArraySignal
from my_submission.cascade import Shelf, Sound
from my_submission.errors import DemixError
from my_submission.stems import Audio
from tests.audio.sound_files import file_size_limit

LENGTH = 200_000


def sounds(rng: np.random.Generator, count: int, length: int = LENGTH) -> Audio:
    return rng.standard_normal((count, 2, length)).astype(np.float32)


def blocks(sound: Audio, size: int, pulled: list[int] | None = None) -> Iterator[Audio]:
    """Stream an array ``[..., samples]``, noting how far it has been pulled."""
    for start in range(0, sound.shape[-1], size):
        block = sound[..., start : start + size]
        if pulled is not None:
            pulled.append(start + block.shape[-1])
        yield block


def test_arithmetic_is_that_of_float32_samples(rng: np.random.Generator) -> None:
    a, b, c = sounds(rng, 3)
    x, y, z = (Sound.of(ArraySignal(array)) for array in (a, b, c))
    result = x - (0.8 * y + 0.2 * z)
    expected = a - (np.float32(0.8) * b + np.float32(0.2) * c)
    assert result.num_samples == LENGTH
    np.testing.assert_array_equal(result.read(0, LENGTH), expected)
    np.testing.assert_array_equal(result.read(-5, 7)[:, 5:], expected[:, :7])
    np.testing.assert_array_equal(result.read(LENGTH - 3, LENGTH + 4)[:, 3:], 0)
    np.testing.assert_array_equal(np.concatenate(list(result.stream()), axis=-1), expected)


@pytest.mark.parametrize("size", [999, 65_536, LENGTH])
def test_kept_streams_are_read_by_position_in_any_order(
    rng: np.random.Generator, size: int
) -> None:
    both = sounds(rng, 2)
    with Shelf(LENGTH, num_sounds=2) as shelf:
        first, second = shelf.keep(blocks(both, size), 2)
        for start, stop in ((150_000, 160_000), (0, 10), (-4, 3), (LENGTH - 2, LENGTH + 50)):
            inside = slice(max(start, 0), min(stop, LENGTH))
            expected = np.zeros((2, 2, stop - start), np.float32)
            expected[..., inside.start - start : inside.stop - start] = both[..., inside]
            np.testing.assert_array_equal(first.read(start, stop), expected[0])
            np.testing.assert_array_equal(second.read(start, stop), expected[1])


def test_a_stream_is_pulled_as_far_as_it_is_read(rng: np.random.Generator) -> None:
    pulled: list[int] = []
    with Shelf(LENGTH, num_sounds=1) as shelf:
        (sound,) = shelf.keep(blocks(sounds(rng, 1), 1000, pulled), 1)
        assert pulled == []
        sound.read(2_500, 4_000)
        assert pulled[-1] == 4_000
        sound.read(0, 1_000)
        assert pulled[-1] == 4_000


def test_one_sound_can_be_made_from_another(rng: np.random.Generator) -> None:
    song = sounds(rng, 1)
    with Shelf(LENGTH, num_sounds=2) as shelf:
        (half,) = shelf.keep(blocks(song * np.float32(0.5), 3_000), 1)
        rest = Sound.of(ArraySignal(song[0])) - half
        again = (rest.read(start, start + 100)[None] for start in range(0, LENGTH, 100))
        (kept,) = shelf.keep(again, 1)
        np.testing.assert_array_equal(kept.read(0, LENGTH), song[0] - song[0] * np.float32(0.5))


def test_nothing_is_left_on_disk_on_any_way_out(
    rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for error in (None, KeyboardInterrupt, DemixError("broken"), SystemExit(143)):
        try:
            with Shelf(LENGTH, num_sounds=1) as shelf:
                (sound,) = shelf.keep(blocks(sounds(rng, 1), 1000), 1)
                sound.read(0, LENGTH)
                if error is not None:
                    raise error
        except BaseException as raised:
            assert raised is error or isinstance(raised, KeyboardInterrupt)
        assert list(tmp_path.iterdir()) == []


def test_too_little_space_is_said_before_anything_is_computed() -> None:
    hours = 10**6
    with pytest.raises(DemixError, match=r"GB are needed .* GB are free; .*TMPDIR"):
        Shelf(hours * 3600 * 44_100, num_sounds=10)


def test_the_space_is_reserved_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with (
        file_size_limit(10_000),
        pytest.raises(DemixError, match=r"no space left for scratch files .* TMPDIR"),
    ):
        Shelf(LENGTH, num_sounds=2)
    assert list(tmp_path.iterdir()) == []


def test_a_generator_that_is_dropped_gives_its_files_back(rng: np.random.Generator) -> None:
    def stream() -> Iterator[Audio]:
        with Shelf(LENGTH, num_sounds=2) as shelf:
            first, second = shelf.keep(blocks(sounds(rng, 2), 1000), 2)
            yield from (first + second).stream()

    before = len(list(Path("/proc/self/fd").iterdir()))
    song = stream()
    next(song)
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 2
    del song
    assert len(list(Path("/proc/self/fd").iterdir())) == before
