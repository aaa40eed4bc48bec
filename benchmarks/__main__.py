"""`make bench`: speed, memory and precision of every system, written to docs/benchmarks.md.

The published weights are the user's to fetch, so Leaderboard A, B, C and htdemucs are measured on
full-size networks with random weights: speed and memory do not depend on the values. The starter is
measured as it is. All of it takes hours on two cores.

What was measured is kept in docs/benchmarks.json as it comes, and the page is written from that.
Options choose single measurements, which replace those there: ``--systems leaderboard_a --seconds
180 --precisions exact``. An interrupted run goes on with ``--resume``.
"""

import argparse
import datetime
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from benchmarks.full_size import SYSTEMS
from benchmarks.jobs import Workshop, plan
from benchmarks.machine import this_environment
from benchmarks.one_run import ROOT, RunError
from benchmarks.page import page
from benchmarks.records import Part, Record, Records
from my_submission.devices import resolve_device


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is asked for and write the page; gives the exit status."""
    given = arguments(words)
    device = resolve_device(given.device)
    environment = this_environment(device)
    given.docs.mkdir(parents=True, exist_ok=True)
    results, report = given.docs / "benchmarks.json", given.docs / "benchmarks.md"
    records = Records.load(results)
    if given.forget:
        print(
            f"dropped {records.keep_only(environment)} measurements of other machines or versions"
        )
    jobs = plan(
        given.systems,
        given.precisions,
        given.parts,
        given.seconds,
        all_lengths=given.everything or device != "cpu",
    )
    todo = [job for job in jobs if not (given.resume and (environment.key, job) in records.found)]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        models = given.models or Path(folder) / "models"
        models.mkdir(parents=True, exist_ok=True)
        workshop = Workshop(
            Path(folder), models, device, given.repeats, original_python=given.original_python
        )
        for number, job in enumerate([] if given.render else todo, start=1):
            print(f"{number}/{len(todo)}: {job}", flush=True)
            try:
                figures, runners = workshop.perform(job)
            except RunError as error:  # said at once and by the exit status; the rest goes on
                print(f"  failed: {error}", flush=True)
                failed += 1
                continue
            print("  " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
            record = Record(
                job,
                environment.key,
                figures,
                runs=given.repeats if job.part in ("time", "package", "original") else 1,
                runners=runners,
                date=datetime.datetime.now(datetime.UTC).date().isoformat(),
                commit=commit(),
                command=command(sys.argv[1:] if words is None else words),
            )
            records.add(environment, record)
            records.save(results)
            report.write_text(page(records, environment.key))
    records.save(results)
    report.write_text(page(records, environment.key))
    print(f"written to {report}" + (f"; {failed} measurements failed" if failed else ""))
    return 1 if failed else 0


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--systems", nargs="+", default=["starter", *SYSTEMS])
    parser.add_argument("--seconds", type=int, nargs="+", help="lengths of the songs to time")
    parser.add_argument(
        "--precisions",
        nargs="+",
        default=["exact", "fast"],
        help="exact, fast, or bfloat16 where that is not what fast chooses; :BACKEND forces one",
    )
    parser.add_argument("--parts", nargs="+", choices=get_args(Part), help="by default all")
    parser.add_argument("--everything", action="store_true", help="long songs of C on a CPU, too")
    parser.add_argument("--repeats", type=int, default=1, help="runs of what is timed")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--resume", action="store_true", help="leave out what is measured already")
    parser.add_argument(
        "--forget", action="store_true", help="drop what other machines or versions measured"
    )
    parser.add_argument("--render", action="store_true", help="write the page, measure nothing")
    parser.add_argument(
        "--original-python",
        metavar="PYTHON",
        help="times what the original program of Leaderboard A did, too: a Python 3.8 with torch "
        "1.9.1, onnxruntime 1.7.0, demucs 2.0.3 and soundfile, as it had them",
    )
    parser.add_argument("--models", type=Path, help="folder to keep the random weights in")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder to write into")
    given = parser.parse_args(words)
    if given.original_python is None and "original" in (given.parts or ()):
        parser.error("--parts original needs --original-python")
    if given.parts is None:
        given.parts = [p for p in get_args(Part) if p != "original" or given.original_python]
    return given


def command(words: Sequence[str]) -> str:
    """Give the command that runs, less the folders, which are this machine's affair."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--models")
    parser.add_argument("--docs")
    parser.add_argument("--original-python")
    folders, kept = parser.parse_known_args(words)
    original = ["--original-python PYTHON"] if folders.original_python else []
    return " ".join(["python -m benchmarks", *kept, *original])


def commit() -> str:
    """Name the commit that is measured, with a ``+`` where something was changed since."""
    git = ["git", "-C", str(ROOT)]
    try:
        name = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no", "--", ":!docs"],
            check=True,
            capture_output=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    return name + ("+" if changed else "")


if __name__ == "__main__":
    sys.exit(main())
