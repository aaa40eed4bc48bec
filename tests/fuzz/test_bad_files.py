"""Bad songs, networks and checkpoints give sound or one line; `python -m tests.fuzz` takes more."""

import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from my_submission.errors import DemixError
from tests.fuzz import __main__ as program
from tests.fuzz.outcomes import BrokenPromiseError, outcome
from tests.fuzz.targets import TARGETS, read_song
from tests.fuzz.wav_files import wav_files
from tests.fuzz.worker import HEADERS, file_case, kind

CASES = {"wav": 120, "flac": 60, "mp3": 50, "other": 50, "mixer": 120, "demucs-package": 12}
CASES_OF_OTHERS = 25


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files(tmp_path: Path, name: str) -> None:
    lines: Counter[str] = Counter()

    def look(check: Callable[[Path], None], path: Path, data: bytes) -> None:
        path.write_bytes(data)
        lines[kind(outcome(check, path), path)] += 1

    run = file_case(TARGETS[name], look, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about numbers that are none, which are in many files
        for index in range(CASES.get(name, CASES_OF_OTHERS)):
            run(f"0:{name}:{index}")
    assert len(lines) > 2  # else it would test one path only


def test_wav_headers(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("wav") / "case"
    lines: Counter[str] = Counter()

    @settings(
        max_examples=80,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(wav_files())
    def draw(data: bytes) -> None:
        path.write_bytes(data)
        lines[kind(outcome(read_song, path), path)] += 1

    draw()
    assert lines["taken"] > 10
    assert len(lines) > 4


def test_what_breaks_the_promise_is_noticed(tmp_path: Path) -> None:
    kept_open = []

    def leave_open(path: Path) -> None:
        kept_open.append(path.open("rb"))

    def refuse(*lines: str) -> Callable[[Path], None]:
        def check(_path: Path) -> None:
            raise DemixError("\n".join(lines))

        return check

    def crash(_path: Path) -> None:
        raise KeyError("x")

    path = tmp_path / "file"
    path.touch()
    assert outcome(lambda path: None, path) is None
    assert outcome(refuse("no sound"), path) == "no sound"
    for check, problem in (
        (leave_open, "1 files stayed open"),
        (refuse(""), "not one line"),
        (crash, "KeyError: 'x'"),
    ):
        with pytest.raises(BrokenPromiseError, match=problem):
            outcome(check, path)
    kept_open[0].close()


def test_a_campaign_takes_every_target() -> None:
    assert [HEADERS, *TARGETS] == program.NAMES  # which it does not import, because it takes long
