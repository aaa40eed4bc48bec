"""Fuzzes one target in a process of its own: `main` reads what and where from its arguments.

A crash of native code, or a hang, takes this process down and nothing else; what was being read
lies in the folder then. Each case depends on its number and the seed alone.
"""

import json
import random
import re
import resource
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisException

from my_submission.errors import DemixError
from tests.fuzz.outcomes import BrokenPromiseError, outcome
from tests.fuzz.targets import TARGETS, Target, read_song
from tests.fuzz.wav_files import wav_files

HEADERS = "headers"
"""The target that hypothesis makes; a case of it is `HEADERS_PER_CASE` files."""
HEADERS_PER_CASE = 100

ADDRESS_SPACE_BYTES = 6 << 30
"""What a case may ask the system for, so that an absurd size fails instead of being believed."""


Look = Callable[[Callable[[Path], None], Path, bytes], None]
"""Writes a file, has it checked, and counts what came of it."""


def main() -> None:
    """Run cases; print a line of JSON for each that broke the promise, and one for all."""
    name, *numbers, folder = sys.argv[1:]
    base, first, count = map(int, numbers)
    work = Path(folder)
    lines: Counter[str] = Counter()

    def look(check: Callable[[Path], None], path: Path, data: bytes) -> None:
        path.write_bytes(data)
        lines[kind(outcome(check, path), path)] += 1

    run = headers_case(look, work) if name == HEADERS else file_case(TARGETS[name], look, work)
    warnings.simplefilter("ignore")  # about numbers that are none, which are in many files
    limit_memory()
    for index in range(first, first + count):
        (work / "progress").write_text(str(index))
        try:
            run(f"{base}:{name}:{index}")
        except (BrokenPromiseError, HypothesisException) as error:
            (path,) = work.glob("case*")
            file = path.rename(work / f"failed-{index}{path.suffix}")
            problem = {"case": index, "problem": str(error)[:500], "file": str(file)}
            print(json.dumps(problem), flush=True)
    print(json.dumps({"lines": lines}), flush=True)


def file_case(target: Target, look: Look, work: Path) -> Callable[[str], None]:
    """Give what damages a file and looks what comes of it, by the name of a case."""
    with tempfile.TemporaryDirectory() as folder:
        wholes = target.wholes(Path(folder))
    path = work / f"case{target.suffix}"
    taken = []
    for whole in wholes:  # what is loaded once is loaded now
        path.write_bytes(whole)
        with suppress(DemixError):  # numba has no GroupNorm
            target.check(path)
            taken.append(whole)
    if not taken:
        raise ValueError("no whole file is taken")

    def run(case: str) -> None:
        rng = random.Random(case)
        look(target.check, path, target.damage(rng.choice(wholes), rng, wholes))

    return run


def headers_case(look: Look, work: Path) -> Callable[[str], None]:
    """Give what draws WAV files; of those that break the promise the simplest is left."""

    def run(case: str) -> None:
        @seed(case)
        @settings(
            max_examples=HEADERS_PER_CASE,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(wav_files())
        def draw(data: bytes) -> None:
            look(read_song, work / "case", data)

        draw()

    return run


def limit_memory() -> None:
    """Let the system refuse what no small file needs."""
    if sys.platform == "linux":
        limit = psutil.Process().memory_info().vms + ADDRESS_SPACE_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def kind(line: str | None, path: Path) -> str:
    """Give a refusal without what is different in every file."""
    if line is None:
        return "taken"
    return re.sub(r"[0-9]+", "N", line.replace(str(path), "").lstrip(": "))[:60]


if __name__ == "__main__":
    main()
