"""Whatever the length and the batch, a song comes out of a chunker as it went in."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import pytest

from my_submission.audio import ArraySignal
from my_submission.chunking import in_flight, triangle, trimmed_chunks, weighted_segments
from my_submission.stems import Audio

GEN, TRIM = 50, 7
SEGMENT, STRIDE = 40, 20
LENGTHS = [1, GEN - 1, GEN, GEN + 1, 3 * GEN + 7]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
@pytest.mark.parametrize("length", LENGTHS)
def test_trimmed_chunks_of_the_identity_are_the_song(
    rng: np.random.Generator, length: int, batch_size: int
) -> None:
    song = rng.standard_normal((2, length)).astype(np.float32)
    blocks = list(
        trimmed_chunks(
            ArraySignal(song), lambda x: x, chunk=GEN + 2 * TRIM, trim=TRIM, batch_size=batch_size
        )
    )
    np.testing.assert_array_equal(np.concatenate(blocks, axis=-1), song)


def test_trimmed_chunks_see_the_song_around_them_and_zeros_beyond(
    rng: np.random.Generator,
) -> None:
    song = rng.standard_normal((2, GEN + 3)).astype(np.float32)
    seen: list[Audio] = []

    def network(chunks: Audio) -> Audio:
        seen.extend(chunks)
        return chunks

    list(trimmed_chunks(ArraySignal(song), partial(map, network), chunk=GEN + 2 * TRIM, trim=TRIM))
    padded = np.pad(song, ((0, 0), (TRIM, 2 * GEN + TRIM - song.shape[1])))
    np.testing.assert_array_equal(seen[0], padded[:, : GEN + 2 * TRIM])
    np.testing.assert_array_equal(seen[1], padded[:, GEN:])


def test_no_chunk_is_computed_that_changes_no_sample() -> None:
    batches: list[Audio] = []

    def network(chunks: Audio) -> Audio:
        batches.append(chunks)
        return chunks

    song = ArraySignal(np.ones((2, 2 * GEN), np.float32))
    list(trimmed_chunks(song, partial(map, network), chunk=GEN + 2 * TRIM, trim=TRIM))
    assert sum(len(batch) for batch in batches) == 2


@pytest.mark.parametrize("batch_size", [1, 3])
def test_trimmed_chunks_in_flight_are_the_same(rng: np.random.Generator, batch_size: int) -> None:
    song = rng.standard_normal((2, 4 * GEN + 3)).astype(np.float32)

    def network(batches: Iterator[Audio]) -> Iterator[Audio]:
        return in_flight(batches, lambda batch: lambda: batch * 2)

    blocks = trimmed_chunks(
        ArraySignal(song), network, chunk=GEN + 2 * TRIM, trim=TRIM, batch_size=batch_size
    )
    np.testing.assert_array_equal(np.concatenate(list(blocks), axis=-1), song * 2)


def test_a_network_that_loses_a_chunk_is_an_error() -> None:
    song = ArraySignal(np.ones((2, 3 * GEN), np.float32))
    with pytest.raises(ValueError, match="shorter"):
        list(trimmed_chunks(song, lambda x: list(x)[:-1], chunk=GEN + 2 * TRIM, trim=TRIM))


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_one_batch_is_in_flight_while_the_next_is_read(count: int) -> None:
    events: list[str] = []

    def batches() -> Iterator[int]:
        for batch in range(count):
            events.append(f"read {batch}")
            yield batch

    def start(batch: int) -> Callable[[], int]:
        events.append(f"start {batch}")

        def finish() -> int:
            events.append(f"finish {batch}")
            return batch

        return finish

    assert list(in_flight(batches(), start)) == list(range(count))
    order = {event: place for place, event in enumerate(events)}
    for batch in range(count):
        assert order[f"read {batch}"] < order[f"start {batch}"] < order[f"finish {batch}"]
        if batch + 1 < count:
            assert order[f"start {batch + 1}"] < order[f"finish {batch}"]
        if batch + 2 < count:  # one and no more
            assert order[f"finish {batch}"] < order[f"read {batch + 2}"]


@pytest.mark.parametrize("stage", ["read", "start", "finish"])
def test_what_goes_wrong_in_flight_comes_out(stage: str) -> None:
    def act(at: str, batch: int) -> int:
        if at == stage and batch == 2:
            raise OSError(at)
        return batch

    def start(batch: int) -> Callable[[], int]:
        act("start", batch)
        return lambda: act("finish", batch)

    results = in_flight((act("read", batch) for batch in range(4)), start)
    # What was in flight when the next could not be started is given up: the song is lost anyhow.
    for expected in range(2 if stage == "finish" else 1):
        assert next(results) == expected
    with pytest.raises(OSError, match=stage):
        next(results)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
@pytest.mark.parametrize(
    "length", [1, STRIDE - 1, STRIDE, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT + 7]
)
def test_weighted_segments_of_the_identity_are_the_song(
    rng: np.random.Generator, length: int, batch_size: int
) -> None:
    song = rng.standard_normal((2, length)).astype(np.float32)

    def estimate(spans: Sequence[range]) -> list[Audio]:
        return [song[:, span.start : span.stop] for span in spans]

    blocks = list(
        weighted_segments(length, estimate, segment=SEGMENT, stride=STRIDE, batch_size=batch_size)
    )
    np.testing.assert_allclose(np.concatenate(blocks, axis=-1), song, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_weighted_segments_equal_the_plain_overlap_add(
    rng: np.random.Generator, batch_size: int
) -> None:
    length = 3 * SEGMENT + 7
    estimates = {
        start: rng.standard_normal((4, 2, min(SEGMENT, length - start))).astype(np.float32)
        for start in range(0, length, STRIDE)
    }
    total, weights = np.zeros((4, 2, length)), np.zeros(length)
    for start, block in estimates.items():
        size = block.shape[-1]
        total[..., start : start + size] += triangle(SEGMENT)[:size] * block
        weights[start : start + size] += triangle(SEGMENT)[:size]

    blocks = list(
        weighted_segments(
            length,
            lambda spans: [estimates[span.start] for span in spans],
            segment=SEGMENT,
            stride=STRIDE,
            batch_size=batch_size,
        )
    )
    np.testing.assert_allclose(np.concatenate(blocks, axis=-1), total / weights, rtol=1e-5)
    # As a stream: no block waits for the end of the song.
    assert max(block.shape[-1] for block in blocks) <= SEGMENT


@pytest.mark.parametrize(
    ("batch_kind", "batches"), [(lambda length: length, [4, 1, 1]), (lambda _length: 0, [4, 2])]
)
def test_segments_of_a_kind_share_a_batch(
    batch_kind: Callable[[int], int], batches: list[int]
) -> None:
    sizes = []

    def estimate(spans: Sequence[range]) -> list[Audio]:
        sizes.append(len(spans))
        return [np.ones((2, len(span)), np.float32) for span in spans]

    stream = weighted_segments(
        5 * STRIDE + 3,
        estimate,
        segment=SEGMENT,
        stride=STRIDE,
        batch_kind=batch_kind,
        batch_size=4,
    )
    assert sum(block.shape[-1] for block in stream) == 5 * STRIDE + 3
    assert sizes == batches


@pytest.mark.parametrize(
    ("segment", "expected"), [(4, [0.5, 1, 1, 0.5]), (5, [1 / 3, 2 / 3, 1, 2 / 3, 1 / 3])]
)
def test_triangle_rises_and_falls(segment: int, expected: list[float]) -> None:
    np.testing.assert_allclose(triangle(segment), expected, rtol=1e-6)
