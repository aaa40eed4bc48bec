"""The benchmark of scoring: its songs, and how it watches a command."""

from pathlib import Path

import psutil
import pytest
import soundfile

from benchmarks import scoring
from evaluator.data_sets import open_data_set
from evaluator.sound import STEMS


def test_songs_are_a_data_set(tmp_path: Path) -> None:
    scoring.write_songs(tmp_path, 3, 0.1)
    songs = open_data_set(tmp_path).songs
    assert [song.name for song in songs] == ["song 00", "song 01", "song 02"]
    files = songs[2].open()
    stems = sum(soundfile.read(files.references[stem])[0] for stem in STEMS)
    mixture, rate = soundfile.read(files.mixture)
    assert len(mixture) / rate == 0.1
    assert stems == pytest.approx(mixture, abs=1e-6)


def test_a_command_is_watched_to_its_end() -> None:
    cost = scoring.cost("--help")
    assert cost.cpu_seconds > 0
    assert cost.peak_mb > 5
    assert cost.seconds > 0


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(RuntimeError, match="none such"):
        scoring.cost("score", "none such", "none such")


def test_a_process_may_end_at_any_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its status, too, is asked of a process that may be gone."""
    watch = scoring._Watch(psutil.Process().pid)

    def gone(process: psutil.Process) -> str:
        raise psutil.NoSuchProcess(process.pid)

    monkeypatch.setattr(psutil.Process, "status", gone)
    watch.run()
