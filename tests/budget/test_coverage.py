"""What has been estimated: fades that add up, gaps that can be filled, and the loudest place."""

import os
from collections.abc import Iterator

import numpy as np
import pytest

from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.budget.coverage import FADE, Coverage, Loudness, Stretch
from my_submission.budget.shared import SharedSound
from my_submission.stems import SAMPLE_RATE, Audio
from tests.budget.fakes import loudness_of

SONG = 30 * SAMPLE_RATE
LEVEL = 0.3


@pytest.fixture
def coverage() -> Iterator[Coverage]:
    coverage = Coverage(SONG)
    yield coverage
    coverage.close()


def add(coverage: Coverage, start: int, stop: int, level: float = LEVEL) -> None:
    """Add a stretch of a constant."""
    estimate = SharedSound.create(8)
    for first in range(0, stop - start, BLOCK_FRAMES):
        last = min(first + BLOCK_FRAMES, stop - start)
        estimate.write(first, np.full((8, last - first), level, np.float32))
    coverage.add(Stretch(estimate, start, stop))


def fill(coverage: Coverage) -> None:
    for gap in coverage.gaps():
        add(coverage, gap.start, gap.stop)


def test_a_whole_estimate_comes_back_untouched(
    coverage: Coverage, rng: np.random.Generator
) -> None:
    sound = rng.standard_normal((8, SONG)).astype(np.float32)
    estimate = SharedSound.create(8)
    for start in range(0, SONG, 50_000):
        estimate.write(start, sound[:, start : start + 50_000])
    coverage.add(Stretch(estimate, 0, SONG))
    assert coverage.is_whole
    assert (coverage.gaps(), coverage.missing, coverage.uncovered()) == ([], 0, [])
    blocks: list[Audio] = list(coverage.stream())
    np.testing.assert_array_equal(np.concatenate(blocks, axis=-1), sound.reshape(4, 2, SONG))


def test_nothing_estimated_is_one_gap(coverage: Coverage) -> None:
    assert not coverage.is_whole
    assert coverage.gaps() == coverage.uncovered() == [range(SONG)]
    total, weights = coverage.read(0, 100)
    assert not total.any()
    assert not weights.any()


@pytest.mark.parametrize(
    "spans",
    [
        [(0, SONG // 2)],
        [(SONG // 2, SONG)],
        [(5 * SAMPLE_RATE, 9 * SAMPLE_RATE)],
        [(0, 4 * SAMPLE_RATE), (10 * SAMPLE_RATE, 11 * SAMPLE_RATE), (SONG - 70_000, SONG)],
        [(1, SONG - 1)],
    ],
)
def test_what_fills_the_gaps_makes_a_constant_whole(
    coverage: Coverage, spans: list[tuple[int, int]]
) -> None:
    for start, stop in spans:
        add(coverage, start, stop)
    fill(coverage)
    assert (coverage.gaps(), coverage.uncovered()) == ([], [])
    for start in range(0, SONG, 100_000):
        total, weights = coverage.read(start, min(start + 100_000, SONG))
        np.testing.assert_allclose(weights, 1, atol=1e-6)
        np.testing.assert_allclose(total, LEVEL, atol=1e-6)


def test_fades_are_as_exact_late_in_a_long_song() -> None:
    # From 2 ** 24 samples on, 6 minutes and 20 seconds, float32 cannot tell neighbours apart.
    seam = 2**24 + SAMPLE_RATE + 1
    coverage = Coverage(seam + SONG)
    for start, stop in ((0, seam + FADE), (seam, seam + SONG)):
        estimate = SharedSound.create(8)
        os.truncate(estimate.descriptor, 4 * 8 * (stop - start))
        coverage.add(Stretch(estimate, start, stop))
    first, second = coverage.stretches
    begin, end = seam - 100, seam + FADE + 100
    expected = np.clip((np.arange(begin, end) - seam + 0.5) / FADE, 0, 1)
    np.testing.assert_allclose(coverage._fades(second, seam, end), expected[100:], atol=1e-6)
    np.testing.assert_allclose(
        coverage._fades(first, begin, seam + FADE), 1 - expected[:-100], atol=1e-6
    )
    coverage.close()


@pytest.mark.parametrize("blocks", [1, 17, 4096])
def test_weights_do_not_depend_on_the_blocks_they_are_read_in(
    coverage: Coverage, blocks: int
) -> None:
    add(coverage, SAMPLE_RATE, 3 * SAMPLE_RATE)
    start, stop = SAMPLE_RATE - 50, SAMPLE_RATE + 50
    expected, weights = coverage.read(start, stop)
    for first in range(start, stop, blocks):
        part, some = coverage.read(first, min(first + blocks, stop))
        inside = slice(first - start, first - start + blocks)
        np.testing.assert_array_equal(part, expected[..., inside])
        np.testing.assert_array_equal(some, weights[inside])


def test_a_stretch_too_short_to_be_faded_is_left_out(coverage: Coverage) -> None:
    add(coverage, SAMPLE_RATE, SAMPLE_RATE + 2 * FADE)
    add(coverage, 0, FADE)
    add(coverage, 0, 0)
    assert coverage.stretches == []
    add(coverage, SAMPLE_RATE, SAMPLE_RATE + 2 * FADE + 1)
    assert len(coverage.stretches) == 1


@pytest.mark.parametrize("length", [1, FADE, 2 * FADE + 1])
def test_songs_shorter_than_a_fade_can_be_whole(length: int) -> None:
    coverage = Coverage(length)
    assert coverage.gaps() == coverage.uncovered() == [range(length)]
    add(coverage, 0, length)
    assert coverage.is_whole
    np.testing.assert_array_equal(coverage.read(0, length)[1], 1)
    coverage.close()


@pytest.mark.parametrize("hole", [0, 1, FADE // 2, FADE, 2 * FADE])
def test_a_hole_too_small_to_be_filled_is_told_all_the_same(coverage: Coverage, hole: int) -> None:
    end = 10 * SAMPLE_RATE
    add(coverage, 0, end)
    add(coverage, end - FADE + hole, SONG)
    weights = coverage.read(0, SONG)[1]
    (outside,) = np.nonzero(weights < 1 - 1e-6)
    assert bool(len(outside)) == bool(hole)
    if hole:
        (told,) = coverage.uncovered()
        assert told.start <= outside[0]
        assert outside[-1] < told.stop
    assert bool(coverage.gaps()) == (hole > FADE)
    fill(coverage)
    left = [span for span in coverage.uncovered() if hole]
    assert bool(left) == (0 < hole <= FADE)


def test_the_loudest_place_is_found() -> None:
    levels = [0.1] * 60
    levels[41] = 0.9
    loudness = loudness_of(levels)
    found = loudness.loudest([range(60 * SAMPLE_RATE)], 5 * SAMPLE_RATE)
    assert len(found) == 5 * SAMPLE_RATE
    assert found.start <= 41 * SAMPLE_RATE
    assert found.stop >= 42 * SAMPLE_RATE
    # Where that is done, the next loudest; and the gap that has it, of several.
    levels[20] = 0.5
    gaps = [range(10 * SAMPLE_RATE), range(15 * SAMPLE_RATE, 32 * SAMPLE_RATE)]
    found = loudness_of(levels).loudest(gaps, 4 * SAMPLE_RATE)
    assert found.start <= 20 * SAMPLE_RATE < 21 * SAMPLE_RATE <= found.stop


def test_a_long_stretch_leaves_what_it_does_not_take_in_one_piece() -> None:
    levels = [0.1, *[0.9] * 6, 0.2, 0.2, 0.2]
    whole = [range(10 * SAMPLE_RATE)]
    for seconds in (3, 7):
        found = loudness_of(levels).loudest(whole, seconds * SAMPLE_RATE)
        assert found == range(seconds * SAMPLE_RATE)
        found = loudness_of(levels[::-1]).loudest(whole, seconds * SAMPLE_RATE)
        assert found == range((10 - seconds) * SAMPLE_RATE, 10 * SAMPLE_RATE)


def test_the_loudest_place_does_not_depend_on_blocks(rng: np.random.Generator) -> None:
    sound = rng.uniform(-1, 1, (2, 20 * SAMPLE_RATE)).astype(np.float32)
    sound[:, : 9 * SAMPLE_RATE] *= 0.5
    found = set()
    for size in (1000, 44_100, 10**6):
        loudness = Loudness()
        for start in range(0, sound.shape[1], size):
            loudness.add(sound[:, start : start + size])
        found.add(loudness.loudest([range(sound.shape[1])], 3 * SAMPLE_RATE))
    assert len(found) == 1
    assert found.pop().start >= 8 * SAMPLE_RATE


@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_taken_first_the_rest_can_be_filled(seed: int) -> None:
    rng = np.random.default_rng(seed)
    loudness = loudness_of(rng.uniform(0, 1, 31).tolist())
    coverage = Coverage(SONG + int(rng.integers(SAMPLE_RATE)))
    while coverage.gaps():
        where = loudness.loudest(coverage.gaps(), int(rng.uniform(0.6, 9) * SAMPLE_RATE))
        assert any(where.start >= gap.start and where.stop <= gap.stop for gap in coverage.gaps())
        before = coverage.missing
        estimate = SharedSound.create(8)
        os.truncate(estimate.descriptor, 4 * 8 * len(where))
        coverage.add(Stretch(estimate, where.start, where.stop))
        assert coverage.missing < before
    assert coverage.uncovered() == []
    for stretch in coverage.stretches:  # what lies between its middle and its ends are the fades
        for place in (stretch.start, stretch.start + FADE // 2, stretch.stop - 1):
            np.testing.assert_allclose(coverage.read(place, place + 1)[1], 1, atol=1e-6)
    coverage.close()


def test_silence_has_a_loudest_place_too() -> None:
    silence = loudness_of([0.0] * 5)
    assert silence.loudest([range(5 * SAMPLE_RATE)], SAMPLE_RATE) == range(SAMPLE_RATE)
    assert Loudness().loudest([range(100)], 1000) == range(100)


def test_what_would_be_left_of_a_gap_is_taken_along() -> None:
    loudness = loudness_of([0.0] * 9 + [1.0])
    end = 10 * SAMPLE_RATE
    gap = range(5 * SAMPLE_RATE, end)
    assert loudness.loudest([gap], len(gap) - FADE) == gap
    found = loudness.loudest([gap], SAMPLE_RATE)
    assert found.start - gap.start >= 2 * FADE
    assert found.stop == end
