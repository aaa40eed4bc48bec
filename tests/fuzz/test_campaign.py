"""A campaign outlives the workers that its cases kill, and keeps their files."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.campaign import ROOT, Campaign

WORKER = """
import json, os, pathlib, signal, sys, time
target, seed, first, count, folder = sys.argv[1:]
work = pathlib.Path(folder)
for case in range(int(first), int(first) + int(count)):
    (work / "progress").write_text(str(case))
    path = work / "case.wav"
    path.write_text(f"file {case}")
    if case == 11:
        os.kill(os.getpid(), signal.SIGSEGV)
    if case == 12:
        time.sleep(100)
    if case == 13:
        path.rename(work / "kept")
        print(json.dumps({"case": 13, "problem": "two lines", "file": str(work / "kept")}))
print(json.dumps({"lines": {"taken": int(count)}}))
"""


def test_crashes_and_hangs_are_told_and_the_others_go_on(tmp_path: Path) -> None:
    worker = [sys.executable, "-c", WORKER]
    campaign = Campaign("wav", 5, tmp_path / "kept", worker=worker, patience_s=1.0)
    campaign.run(10, 6)
    assert campaign.done == 6
    assert [failure.case for failure in campaign.failures] == [11, 12, 13]
    problems = [failure.problem for failure in campaign.failures]
    assert problems[0].startswith("died of SIGSEGV")
    assert problems[1].startswith("took longer than 1.0 s")
    assert problems[2] == "two lines"
    contents = [failure.file.read_text() for failure in campaign.failures]
    assert contents == ["file 11", "file 12", "file 13"]
    assert "python -m tests.fuzz wav --seed 5 --first 11 --count 1" in str(campaign.failures[0])


def test_a_worker_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    worker = [sys.executable, "-c", "raise SystemExit('no such thing')"]
    with pytest.raises(RuntimeError, match="no such thing"):
        Campaign("wav", 0, tmp_path, worker=worker).run(0, 1)


def test_the_program_runs_and_says_what_came(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.fuzz", "wav", "--count", "30", "--keep", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wav: 30 cases, 0 broke the promise\n" in done.stdout
    assert list(tmp_path.iterdir()) == []
