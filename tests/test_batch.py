"""Songs are separated side by side, and the end of a run reaches all of them."""

import io
import threading

import pytest
from rich.console import Console

from my_submission.cli.batch import Report, progress_bars, run_songs
from my_submission.errors import DemixError


def quiet() -> Console:
    return Console(file=io.StringIO(), soft_wrap=True)


def test_jobs_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=20)

    def meet(_song: str, _report: Report) -> None:
        both.wait()

    failed = run_songs(["a", "b"], meet, jobs=2, console=quiet(), title=str)
    assert failed == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_failures_are_reported_in_a_line_each(jobs: int) -> None:
    def separate(song: str, _report: Report) -> None:
        if song != "good":
            raise DemixError(f"{song}: [bold]broken[/bold]")

    console = quiet()
    failed = run_songs(["bad", "good", "worse"], separate, jobs=jobs, console=console, title=str)
    assert sorted(failed) == ["bad", "worse"]
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert sorted(lines) == [f"error: {song}: [bold]broken[/bold]" for song in ("bad", "worse")]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_fault_of_ours_is_told_in_full_and_the_others_go_on(jobs: int) -> None:
    done = []

    def separate(song: str, _report: Report) -> None:
        if song == "bad":
            raise KeyError("[bold]\n")
        done.append(song)

    console = quiet()
    songs = ["good", "bad", "better"]
    assert run_songs(songs, separate, jobs=jobs, console=console, title=str) == ["bad"]
    assert sorted(done) == ["better", "good"]
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert told.startswith("Traceback (most recent call last):\n")
    assert told.endswith("\nerror: bad: KeyError: '[bold]\\n'\n")


def test_an_exception_in_one_song_stops_the_others_from_inside() -> None:
    started = threading.Event()
    cleaned_up = threading.Event()

    def separate(song: str, report: Report) -> None:
        if song == "crash":
            started.wait(20)
            raise KeyboardInterrupt
        try:
            started.set()
            while True:
                report(1, 2)
        finally:
            cleaned_up.set()

    with pytest.raises(KeyboardInterrupt):
        run_songs(["endless", "crash"], separate, jobs=2, console=quiet(), title=str)
    assert cleaned_up.is_set()


def test_progress_is_shown_on_a_terminal_only() -> None:
    shown = {}
    for terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
        with progress_bars(console) as add_bar:
            report = add_bar("my song")
            report(50, 100)
            report(100, 100)
        assert isinstance(console.file, io.StringIO)
        shown[terminal] = console.file.getvalue()
    assert "my song" in shown[True]
    assert "100 %" in shown[True]
    assert shown[False] == ""
