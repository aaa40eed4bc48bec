"""Streams with blocks of any lengths are joined and blended as the whole songs would be."""

import numpy as np
import pytest

from my_submission.stems import Stem
from my_submission.streams import aligned, blended, stacked


def test_aligned_cuts_all_streams_at_the_same_places(rng: np.random.Generator) -> None:
    song = rng.standard_normal((2, 100)).astype(np.float32)
    cuts: list[list[int]] = [[30, 60], [7, 31, 90], []]
    steps = list(aligned(iter(np.split(song, where, axis=1)) for where in cuts))
    assert all(len({block.shape[-1] for block in blocks}) == 1 for blocks in steps)
    for stream in zip(*steps, strict=True):
        np.testing.assert_array_equal(np.concatenate(stream, axis=1), song)


def test_aligned_refuses_streams_of_different_lengths() -> None:
    streams = [iter([np.zeros((2, 3), np.float32)]), iter([np.zeros((2, 4), np.float32)])]
    with pytest.raises(ValueError, match="different lengths"):
        list(aligned(streams))


def test_one_stream_per_stem_becomes_one_of_all(rng: np.random.Generator) -> None:
    stems = rng.standard_normal((4, 2, 50)).astype(np.float32)
    streams = [iter(np.split(stem, [10 * k + 1], axis=-1)) for k, stem in enumerate(stems)]
    np.testing.assert_array_equal(np.concatenate(list(stacked(streams)), axis=-1), stems)


def test_blending_takes_each_stems_share(rng: np.random.Generator) -> None:
    first, second = rng.standard_normal((2, 4, 2, 9)).astype(np.float32)
    share: dict[Stem, float] = {"vocals": 0.9, "bass": 0.5, "drums": 1.0, "other": 0.0}
    (block,) = blended(iter([first]), iter([second]), share)
    np.testing.assert_allclose(block[0], (first[0] + second[0]) / 2, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(block[1], first[1])
    np.testing.assert_array_equal(block[2], second[2])
    np.testing.assert_allclose(block[3], 0.9 * first[3] + 0.1 * second[3], rtol=1e-5, atol=1e-6)
