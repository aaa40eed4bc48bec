"""Runs workers over many cases, and keeps the file of every case that broke the promise."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
"""How long one case may take, on a machine that is busy."""
START_S = 120.0
"""How long a worker may take to load what it needs."""
WORKER = (sys.executable, "-X", "faulthandler", "-m", "tests.fuzz.worker")


@dataclass(frozen=True)
class Failure:
    """A case that gave neither sound nor one line.

    Attributes:
        target: What was fuzzed.
        seed: The campaign's.
        case: Its number; with the seed it makes the same file again.
        problem: What came instead.
        file: A copy of the file.
    """

    target: str
    seed: int
    case: int
    problem: str
    file: Path

    def __str__(self) -> str:
        again = f"python -m tests.fuzz {self.target} --seed {self.seed} --first {self.case}"
        return f"{self.target} {self.case}: {self.problem}\n  {self.file}\n  {again} --count 1"


@dataclass
class Campaign:
    """What came of many cases of one target.

    Attributes:
        target: What is fuzzed.
        seed: With a case's number, it makes the file.
        failures_folder: Where files that broke the promise are kept.
        failures: These.
        worker: The command that runs cases.
        patience_s: How long one may take.
        lines: How often each kind of outcome came.
        done: Cases so far.
    """

    target: str
    seed: int
    failures_folder: Path
    worker: Sequence[str] = WORKER
    patience_s: float = PATIENCE_S
    failures: list[Failure] = field(default_factory=list)
    lines: Counter[str] = field(default_factory=Counter)
    done: int = 0

    def run(self, first: int, count: int) -> None:
        """Run cases ``first`` to ``first + count - 1``; one that kills a worker stops no other."""
        stop = first + count
        while first < stop:
            with tempfile.TemporaryDirectory() as folder:
                reached = self._run_worker(first, stop - first, Path(folder))
            self.done += reached - first
            first = reached

    def _run_worker(self, first: int, count: int, work: Path) -> int:
        numbers = [str(number) for number in (self.seed, first, count)]
        words = [*self.worker, self.target, *numbers, str(work)]
        with (work / "out").open("w") as out, (work / "log").open("w") as log:
            process = subprocess.Popen(words, cwd=ROOT, stdout=out, stderr=log)
            is_hung = wait_for(process, work, self.patience_s)
        for answer in answers(work):
            self.lines.update(answer.get("lines", {}))
            if "problem" in answer:
                self._keep(answer["case"], answer["problem"], Path(answer["file"]))
        if process.returncode == 0 and not is_hung:
            return first + count
        log_text = (work / "log").read_text(errors="replace")
        if not (work / "progress").exists():
            raise RuntimeError(f"the worker of {self.target} did not start:\n{log_text}")
        case = int((work / "progress").read_text())
        how = f"took longer than {self.patience_s} s" if is_hung else ended(process.returncode)
        self._keep(case, f"{how}: {log_text[-2000:]}", next(work.glob("case*")))
        return case + 1

    def _keep(self, case: int, problem: str, file: Path) -> None:
        self.failures_folder.mkdir(parents=True, exist_ok=True)
        kept = self.failures_folder / f"{self.target}-{self.seed}-{case}{file.suffix}"
        shutil.copyfile(file, kept)
        self.failures.append(Failure(self.target, self.seed, case, problem, kept))


def wait_for(process: "subprocess.Popen[bytes]", work: Path, patience_s: float) -> bool:
    """Wait for a worker's end; kill it if one case takes too long, and tell so."""
    case, since, allowed = "", time.monotonic(), START_S
    progress = work / "progress"
    try:
        while process.poll() is None:
            now = progress.read_text() if progress.exists() else ""
            if now != case:
                case, since, allowed = now, time.monotonic(), patience_s
            if time.monotonic() - since > allowed:
                return True
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    return False


def answers(work: Path) -> Iterator[dict[str, Any]]:
    """Read what a worker printed."""
    for line in (work / "out").read_text().splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def ended(status: int) -> str:
    """Say how a process ended."""
    return f"died of {signal.Signals(-status).name}" if status < 0 else f"exited with {status}"
