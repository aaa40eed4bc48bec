"""`demix evaluate`, ended in the middle of a song, goes on and gives what it would have given."""

import json
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evaluator.sound import STEMS
from tests.audio.test_output_disk import tiny_disk
from tests.song_folders import RATE, write_song

SONGS = {"a": RATE // 2, "b": 12 * RATE, "c": RATE // 3, "d": 1}
"""Lengths in samples. The second takes a while, and is what every run is ended in."""


class Evaluation:
    """`demix evaluate` on the songs, with small networks.

    Attributes:
        out: Where its stems go.
    """

    def __init__(self, data: Path, models: Path, out: Path) -> None:
        self.out = out
        self._command = [sys.executable, "-m", "my_submission", "evaluate", str(data)]
        self._command += ["--models", str(models), "-d", "cpu", "-o", str(out)]
        self._command += ["--precision", "exact", "--backend", "onnxruntime"]
        self._command += ["--metrics", "global"]

    def run(self, *flags: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._command, *flags], capture_output=True, text=True, check=False, timeout=120
        )

    def run_until_b(self, end: Callable[["subprocess.Popen[str]"], None]) -> tuple[int, str]:
        """Run, and do something to the process when it writes the second song."""
        with subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            ends = time.monotonic() + 120
            while len(self.leftovers("b")) < 4:
                assert process.poll() is None
                assert time.monotonic() < ends
                time.sleep(0.002)
            end(process)
            _, complaints = process.communicate(timeout=120)
        return process.returncode, complaints

    def leftovers(self, song: str) -> list[Path]:
        return list((self.out / "starter" / song).glob(".demix-*.part"))

    def files(self) -> dict[str, bytes]:
        """Give all that lies there, hidden files included, but for dates and durations."""
        found = [path for path in self.out.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.out)): without_times(path) for path in found}

    def written(self, song: str) -> set[int]:
        """Give when a song's stems were written."""
        return {path.stat().st_mtime_ns for path in (self.out / "starter" / song).glob("*.wav")}


def without_times(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".json":
        return re.sub(rb'"(date|separation_seconds|modified_ns)": [^,\n]*', b"", content)
    if path.suffix == ".csv":
        rows = [row.split(b",") for row in content.splitlines()]
        column = rows[0].index(b"separation_seconds")
        return b"\n".join(b",".join(row[:column] + row[column + 1 :]) for row in rows)
    return content


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("songs")
    for name, num_frames in SONGS.items():
        write_song(folder / name, rng, num_frames)
    return folder


@pytest.fixture(scope="module")
def undisturbed(
    data: Path, models: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """Give the files of a run that nothing happened to."""
    evaluation = Evaluation(data, models, tmp_path_factory.mktemp("undisturbed"))
    done = evaluation.run()
    assert done.returncode == 0, done.stderr
    files = evaluation.files()
    assert len(files) == 5 * len(SONGS) + 4
    assert list(json.loads(files["starter/scores.json"])["songs"]) == list(SONGS)
    return files


def assert_resumes(evaluation: Evaluation, undisturbed: dict[str, bytes]) -> None:
    before = evaluation.written("a")
    done = evaluation.run("--skip-existing")
    assert done.returncode == 0, done.stderr
    files = evaluation.files()
    assert sorted(files) == sorted(undisturbed)
    assert [name for name in files if files[name] != undisturbed[name]] == []
    assert evaluation.written("a") == before


@pytest.mark.parametrize(("end", "status"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_after_a_signal_in_mid_run(
    tmp_path: Path,
    data: Path,
    models: Path,
    undisturbed: dict[str, bytes],
    end: signal.Signals,
    status: int,
) -> None:
    evaluation = Evaluation(data, models, tmp_path)
    returned, complaints = evaluation.run_until_b(lambda process: process.send_signal(end))
    assert returned == status, complaints
    stems = {name for name in evaluation.files() if name.endswith(".wav")}
    assert stems == {f"starter/a/{stem}.wav" for stem in STEMS}
    # What is killed outright cannot remove anything; the next run does.
    assert len(evaluation.leftovers("b")) == (4 if end == signal.SIGKILL else 0)
    assert_resumes(evaluation, undisturbed)


def test_after_a_limit_on_files_in_mid_run(
    tmp_path: Path, data: Path, models: Path, undisturbed: dict[str, bytes]
) -> None:
    def fill(process: "subprocess.Popen[str]") -> None:
        # Acts as a full disk does, without any privilege; what is short still fits.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    evaluation = Evaluation(data, models, tmp_path)
    status, complaints = evaluation.run_until_b(fill)
    assert status == 1
    assert_only_b_failed(evaluation, complaints)
    assert_resumes(evaluation, undisturbed)


def test_after_a_full_disk_in_mid_run(
    tmp_path: Path, data: Path, models: Path, undisturbed: dict[str, bytes]
) -> None:
    with tiny_disk(tmp_path / "disk", 8 << 10) as disk:
        evaluation = Evaluation(data, models, disk / "out")
        done = evaluation.run()
        assert done.returncode == 1
        assert_only_b_failed(evaluation, done.stderr)
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        assert_resumes(evaluation, undisturbed)


def assert_only_b_failed(evaluation: Evaluation, complaints: str) -> None:
    (error,) = (line for line in complaints.splitlines() if line.startswith("error: "))
    assert "no space left to write it" in error
    assert complaints.endswith("failed: b\n")
    assert not (evaluation.out / "starter" / "b").exists()
    scores = json.loads(evaluation.files()["starter/scores.json"])
    assert list(scores["songs"]) == ["a", "c", "d"]
