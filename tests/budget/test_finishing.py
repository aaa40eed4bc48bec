"""What is kept of a limit for the end of a song, and what is done with it."""

import subprocess
import sys

import pytest

from benchmarks.throttle import throttled
from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.budget.file_costs import (
    SPLITTING_SHARE,
    FileCosts,
    WritingCosts,
    measure_files,
)
from my_submission.budget.finishing import (
    SAFETY,
    Finishing,
    Hurry,
    Writing,
    margin,
    safety,
)
from my_submission.budget.pace import WINDOW, Pace, probe
from tests.budget.fakes import Clock

SAMPLES = 1_000_000


def test_a_split_that_takes_long_leaves_the_time_to_the_networks() -> None:
    # Measured while other programs kept the machine busy: more than the whole limit.
    costs = FileCosts(opening=1e-9, stems=WritingCosts(), copies=WritingCosts(), splitting=1e-3)
    slow = costs.finishing(SAMPLES, 100.0)
    pace = Pace(Clock())
    assert slow.latest(100.0, SAMPLES, pace) == (1 - SPLITTING_SHARE) * 100
    assert slow.latest(100.0, 1000, pace) == pytest.approx(100 - safety(1.0))


def test_what_is_kept_grows_with_the_files_and_with_the_pace() -> None:
    costs = FileCosts(
        opening=1e-6, stems=WritingCosts(files=0.5, writing=1e-6), copies=WritingCosts()
    )
    finishing = costs.finishing(SAMPLES, 240.0)
    clock = Clock()
    assert finishing.latest(100.0, 0, Pace(clock)) == pytest.approx(100 - safety(1.0) * 1.5)
    slow = Pace(clock, own=3.0)
    assert finishing.latest(100.0, 0, slow) == pytest.approx(100 - 3 * safety(3.0) * 1.5)
    assert safety(3.0) > safety(1.0)


def test_files_that_take_others_places_may_take_longer() -> None:
    costs = FileCosts(
        opening=1e-6, stems=WritingCosts(writing=1e-6), copies=WritingCosts(), replacing=2e-6
    )
    pace = Pace(Clock())
    assert costs.finishing(SAMPLES, 240.0).latest(100.0, 0, pace) == pytest.approx(
        100 - safety(1.0)
    )
    latest = costs.finishing(SAMPLES, 240.0, replaces=True).latest(100.0, 0, pace)
    assert latest < 100 - 3 * safety(1.0)


def test_passes_that_become_slower_or_faster_give_rise_to_a_probe() -> None:
    clock = Clock()
    pace = Pace(clock, lambda: 4.0)
    for seconds, passes, is_probed in (
        (1.0, 1.0, False),
        (1.4, 1.2, False),
        (5.0, 3.1, True),
        (5.0, 4.05, False),
        (1.0, 2.525, True),
    ):
        pace.begin(1.0)
        clock.now += seconds
        pace.passed(1.0)
        assert pace.passes == pytest.approx(passes)
        assert (pace.suspicious_at <= clock.now) == is_probed
        if is_probed:
            pace.check()
            assert pace.own == 4
            assert pace.suspicious_at > clock.now


def test_a_pass_that_does_not_end_gives_rise_to_ever_rarer_probes() -> None:
    clock = Clock()
    pace = Pace(clock, lambda: 7.0)
    pace.begin(1.0)
    times = []
    while clock.now < 3:
        times.append(pace.suspicious_at)
        clock.now = pace.suspicious_at
        pace.check()
    assert times == [1.5, 2.25, 3.375]
    assert pace.own == 7


WRITING, COPYING, SPLITTING = 5.0, 3.0, 10.0
WRITING_STEMS, WRITING_COPIES = Writing(WRITING), Writing(COPYING)


def hurry(
    clock: Clock,
    deadline: float,
    pace: float = 1.0,
    *,
    stems: Writing = WRITING_STEMS,
    copies: Writing = WRITING_COPIES,
    is_copied: bool = False,
) -> Hurry:
    return Hurry(
        Finishing(stems, copies, SPLITTING / SAMPLES),
        SAMPLES,
        SAMPLES,
        is_copied=is_copied,
        deadline=deadline,
        pace=pace,
        clock=clock,
    )


def test_nothing_is_split_or_written_that_cannot_be_ended() -> None:
    clock = Clock()
    least = SAFETY * WRITING + SPLITTING * BLOCK_FRAMES / SAMPLES
    assert hurry(clock, least + 0.01).can_split(0)
    assert not hurry(clock, least - 0.01).can_split(0)
    assert not hurry(clock, 2 * least - 0.01, pace=2.0).can_split(0)
    assert hurry(clock, WRITING).can_write()
    assert not hurry(clock, 2 * WRITING - 0.01, pace=2.0).can_write()


def test_blocks_that_take_longer_are_noticed_while_they_are_written() -> None:
    clock = Clock()
    slow = hurry(clock, 40.0)
    found = []
    for position in range(0, SAMPLES, SAMPLES // 10):
        found.append(slow.can_split(position))
        # Three times what was expected.
        clock.now += 0.3 * (WRITING + (SPLITTING if found[-1] else 0.0))
    assert found[0]
    assert not all(found)
    assert clock.now <= 40


def test_writing_that_turns_out_too_slow_is_given_up_while_copies_fit() -> None:
    clock = Clock()
    slow = hurry(clock, 10.4)
    step = SAMPLES // 50  # which should take a tenth of a second
    for now, position, is_lost in (
        (0.0, 0, False),
        (2.0, step, False),  # what beginning takes does not count
        (2.1, 2 * step, False),
        (2.3, 4 * step, False),
    ):
        clock.now = now
        assert slow.is_lost(position) == is_lost
    slow, clock.now = hurry(clock, 12.3), 2.0
    assert not slow.is_lost(step)
    clock.now += 3 * 0.3 + WINDOW
    assert slow.is_lost(4 * step)  # three times slower: nearly 14 s
    clock.now = 12.3 - 3 * COPYING + 0.1
    assert not slow.is_lost(4 * step)  # neither would copies be there in time


def test_what_is_done_once_all_blocks_are_there_is_kept_for() -> None:
    clock = Clock()
    late = hurry(clock, 12.0, stems=Writing(10.0 / SAFETY, closing=9.0 / SAFETY))
    # Half of the splitting is left, but nearly all of the writing.
    assert not late.can_split(SAMPLES // 2)
    assert hurry(clock, 12.0).can_split(SAMPLES // 2)


def test_what_the_silent_rest_takes_is_kept_until_then() -> None:
    clock = Clock()
    ways = {
        "stems": Writing(WRITING, closing=2.0, ending=0.4, silence=0.8),
        "copies": Writing(COPYING, closing=1.0, ending=0.1, silence=0.2),
    }
    for is_copied, waiting, silent, least in (
        (False, 0.0, 1.0, SAFETY * 1.2),
        (False, 0.0, 0.25, SAFETY * 0.6),
        (False, 0.5, 1.0, SAFETY * 1.2 + 1.0),
        (True, 0.0, 1.0, SAFETY * 0.3),
        (True, 0.5, 0.5, SAFETY * 0.2 + 0.5),
    ):
        for pace in (1.0, 3.0):
            until = pace * least
            early = hurry(clock, until + 0.01, pace, **ways, is_copied=is_copied)
            late = hurry(clock, until - 0.01, pace, **ways, is_copied=is_copied)
            assert not early.is_over(waiting, silent)
            assert late.is_over(waiting, silent)


def test_what_a_copied_song_takes_is_noticed_too() -> None:
    clock = Clock()
    copying = hurry(clock, 5.0, copies=Writing(COPYING, ending=0.5), is_copied=True)
    step = SAMPLES // 10
    for position in range(0, 5 * step, step):  # four times slower than it should be
        assert not copying.is_lost(position)  # there is nothing else to do
        assert copying.is_over(0.0, 1.0) == (5.0 - clock.now < 4 * SAFETY * 0.5)
        clock.now += 4 * 0.1 * COPYING


def test_margins() -> None:
    assert margin(1) == 0.25
    assert margin(240) == pytest.approx(7.2)


def test_the_machine_is_measured() -> None:
    costs = measure_files()
    assert 0 < costs.opening < 1e-3
    for way in (costs.stems, costs.copies):
        assert 0 < way.writing < 1e-3
        assert 0 <= way.closing < 1e-3
        assert 0 <= way.silence < 1e-3
        assert 0 < way.files < 10
    assert 0 <= costs.splitting < 1e-3


def test_a_process_that_is_stopped_most_of_the_time_finds_out() -> None:
    code = (
        "from my_submission.budget.pace import probe; print(sorted(probe() for _ in range(9))[4])"
    )
    with (
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process,
        throttled(lambda: [process.pid], 4),
    ):
        out, _ = process.communicate()
    assert 2 < float(out) < 12
    assert 1 <= probe() < 10


def test_a_machine_is_taken_to_be_slower_at_once_and_faster_by_and_by() -> None:
    clock = Clock()
    found = [4.0, 2.0, 2.0]
    pace = Pace(clock, lambda: found.pop(0))
    pace.begin(1.0)
    for own in (4.0, 3.0, 2.5):
        clock.now += 1
        pace.check()
        assert pace.own == own
