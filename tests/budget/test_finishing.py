"""What is kept of a limit for the end of a song."""

import pytest

from my_submission.budget.finishing import (
    OPENINGS,
    SAFETY,
    SPLITTING_SAFETY,
    SPLITTING_SHARE,
    FinishingCosts,
    OwnPace,
    margin,
    measure_finishing,
)


def test_writing_takes_what_was_measured_or_what_the_song_shows() -> None:
    costs = FinishingCosts(writing=1e-6, splitting=0.0)
    assert costs.of_song(1_000_000, 240.0).seconds(0) == pytest.approx(SAFETY)
    assert costs.of_song(1_000_000, 240.0, opening=3.0).seconds(0) == 3 * OPENINGS


def test_a_split_that_takes_long_leaves_the_time_to_the_networks() -> None:
    # Measured while other programs kept the machine busy: more than the whole limit.
    slow = FinishingCosts(writing=0.0, splitting=1e-3).of_song(1_000_000, 100.0)
    assert slow.seconds(1_000_000) == SPLITTING_SHARE * 100
    assert not slow.can_split(1_000_000, 100.0)
    assert slow.can_split(1000, 10.0)
    assert slow.seconds(1000) == pytest.approx(SPLITTING_SAFETY)


def test_margins() -> None:
    assert margin(1) == 0.2
    assert margin(240) == pytest.approx(4.8)


def test_the_machine_is_measured() -> None:
    costs = measure_finishing()
    assert 0 < costs.writing < 1e-3
    assert 0 <= costs.splitting < 1e-3


def test_the_pace_of_this_process_is_the_median_of_the_last_three(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = [2.0] * 5 + [20.0, 2.0, 20.0, 20.0, 1.0]
    monkeypatch.setattr(OwnPace, "_seconds", lambda _self: seconds.pop(0))
    pace = OwnPace()
    assert [pace() for _ in range(5)] == [1.0, 1.0, 5.0, 5.0, 5.0]


def test_a_slow_process_begins_no_split_that_it_cannot_end() -> None:
    finishing = FinishingCosts(writing=1e-6, splitting=1e-6).of_song(1_000_000, 100.0)
    assert finishing.can_split(1_000_000, 4.1)
    assert not finishing.can_split(1_000_000, 4.1, pace=2.0)
