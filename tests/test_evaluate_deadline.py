"""`demix evaluate --deadline`: what made the stems and what there was no time for, both told."""

import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluator.report_page.build import write_report
from evaluator.run_reading import read_run
from evaluator.score_pool import ScorePool
from my_submission.budget.timed_separator import TimedSeparator
from tests.fake_separator import invoke
from tests.report_folders import Tags
from tests.song_folders import write_song


def test_a_report_tells_what_there_was_no_time_for_and_on_what_machine(
    tmp_path: Path, rng: np.random.Generator, models: Path
) -> None:
    write_song(tmp_path / "data" / "a", rng, num_frames=44_100)
    out = ("-o", tmp_path / "out", "--models", models, "-d", "cpu", "--metrics", "global")
    result = invoke("evaluate", tmp_path / "data", *out, "--deadline", "0.1")
    assert result.exit_code == 0, result.output
    run = tmp_path / "out" / "starter"
    document = json.loads((run / "run.json").read_text())
    assert document["deadline_seconds"] == 0.1
    for song in read_run(run).songs:
        assert song.origin
        assert {**song.origin, "warning": None} == document
        assert song.degradations
        assert song.scores
    text = Tags(write_report(run, tmp_path / "report")).text
    for known in (
        "Left out for want of time",
        "a fixed split of the mixture",
        "0.1 s per song",
        document["machine"]["processor"],
        *document["weights"].values(),
    ):
        assert known in text


def test_nothing_is_scored_while_a_song_has_its_time(
    tmp_path: Path, rng: np.random.Generator, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        write_song(tmp_path / "data" / name, rng)
    futures: list[Future[Any]] = []
    submit = ScorePool.submit
    busy: list[int] = []

    def noted(pool: Any, job: Any, bytes_needed: float = 0) -> Future[Any]:
        futures.append(submit(pool, job, bytes_needed))
        return futures[-1]

    def separate(_: TimedSeparator, path: Path, paths: dict[str, Path], **__: object) -> None:
        busy.append(sum(not future.done() for future in futures))
        for stem in paths.values():
            stem.parent.mkdir(parents=True, exist_ok=True)
            stem.write_bytes(path.read_bytes())

    monkeypatch.setattr(ScorePool, "submit", noted)
    monkeypatch.setattr(TimedSeparator, "set_up", lambda _: None)
    monkeypatch.setattr(TimedSeparator, "separate_to_files", separate)
    words = ("-o", tmp_path / "out", "--models", models, "-d", "cpu", "--metrics", "global")
    assert invoke("evaluate", tmp_path / "data", *words, "--deadline", "9").exit_code == 0
    assert busy == [0, 0, 0]


def test_songs_with_a_deadline_go_one_at_a_time(tmp_path: Path) -> None:
    result = invoke("evaluate", tmp_path, "--deadline", "9", "-j", "2")
    assert result.exit_code == 2
    assert "one song at a time" in result.stderr
