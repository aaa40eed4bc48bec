"""What passes cost: counted as the streams run them, and measured once for those that are alike."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from my_submission import costs as costs_module
from my_submission.audio import ArraySignal
from my_submission.chunking import trimmed_chunks, weighted_segments
from my_submission.costs import Costs, PassCost, ignore, measure, seconds_of
from my_submission.stems import Audio

LENGTHS = [1, 79, 80, 81, 100, 799, 800, 801, 1234]


@pytest.mark.parametrize("num_samples", LENGTHS)
def test_passes_of_tfc_tdf_are_counted_as_they_are_run(num_samples: int) -> None:
    passes = 0

    def network(batches: Sequence[Audio]) -> Sequence[Audio]:
        nonlocal passes
        batches = list(batches)
        passes += sum(len(batch) for batch in batches)
        return batches

    song = ArraySignal(np.zeros((2, num_samples), np.float32))
    list(trimmed_chunks(song, network, chunk=100, trim=10, batch_size=3))  # type: ignore[arg-type]
    assert PassCost(2.0, 80, at_once=3).seconds_for(num_samples) == 2.0 * passes


@pytest.mark.parametrize("max_overlap", [1.0, 0.25, 0.1])
@pytest.mark.parametrize("num_samples", LENGTHS)
def test_passes_of_demucs_are_counted_as_they_are_run(num_samples: int, max_overlap: float) -> None:
    spans: list[range] = []

    def estimate(some: Sequence[range]) -> list[Audio]:
        spans.extend(some)
        return [np.zeros((2, len(span)), np.float32) for span in some]

    stride = int((1 - min(0.5, max_overlap)) * 100)
    list(weighted_segments(num_samples, estimate, segment=100, stride=stride))
    cost = PassCost(2.0, 100, overlap=0.5)
    assert cost.seconds_for(num_samples, max_overlap) == 2.0 * len(spans)
    scaling = PassCost(2.0, 100, overlap=0.5, scales=True)
    expected = 2.0 * sum(map(len, spans)) / 100
    assert scaling.seconds_for(num_samples, max_overlap) == pytest.approx(expected)


def test_all_networks_are_summed_up_and_scaled() -> None:
    some = Costs((PassCost(1.0, 80), PassCost(2.0, 100)), (PassCost(3.0, 100, 0.5),), 7.0)
    assert some.tfc_tdf_seconds(200) == 3 * 1.0 + 2 * 2.0
    assert some.demucs_seconds(200) == 4 * 3.0
    assert some.demucs_seconds(200, 0.0) == 2 * 3.0
    assert (some.overlap, some.region) == (0.5, 80)
    slower = some.scaled(3)
    assert slower.tfc_tdf_seconds(200) == 3 * 7.0
    assert slower.demucs_seconds(200) == 3 * 12.0
    assert slower.set_up == 21.0
    none = Costs((), (), 0.0)
    assert (none.tfc_tdf_seconds(9), none.demucs_seconds(9), none.overlap, none.region) == (
        0,
        0,
        0,
        0,
    )


class Probed:
    """A separator that counts how often it is measured."""

    def __init__(self, kind: str) -> None:
        self.kind, self.probes, self.max_overlap = kind, 0, 1.0
        self.samples = 100 * len(kind)
        self.passed: Callable[[Sequence[float]], None] = ignore

    def probe(self) -> PassCost:
        self.probes += 1
        return PassCost(float(len(self.kind)), 100)


def test_separators_that_cost_the_same_are_measured_once() -> None:
    separators = [Probed("a"), Probed("bb"), Probed("a")]
    costs = measure(separators)
    assert [cost.seconds for cost in costs] == [1.0, 2.0, 1.0]
    assert [cost.samples for cost in costs] == [100, 200, 100]
    assert [separator.probes for separator in separators] == [1, 1, 0]


@pytest.mark.parametrize(("first", "calls"), [(0.5, 2), (100.0, 1)])
def test_a_short_pass_is_measured_warm(
    monkeypatch: pytest.MonkeyPatch, first: float, calls: int
) -> None:
    now = 0.0
    durations = [first, 0.25]

    def run() -> None:
        nonlocal now
        now += durations.pop(0)

    monkeypatch.setattr(costs_module, "perf_counter", lambda: now)
    assert seconds_of(run) == (0.25 if calls == 2 else first)
    assert len(durations) == 2 - calls
