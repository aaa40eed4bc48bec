"""Measurements, kept as they come, each with what it was measured on and by which command."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.machine import Environment

Part = Literal["time", "package", "original", "agreement", "sdr"]
"""Seconds and memory; those of the demucs package's own program; those of the original program of
Leaderboard A; how near a way of computing comes to the exact one; what that changes of a song's
score."""


@dataclass(frozen=True)
class Job:
    """Something to measure.

    Attributes:
        part: What about it.
        system: A system's name.
        precision: ``exact``, ``fast`` or ``bfloat16``, with ``:BACKEND`` where one is forced;
            empty where the demucs package or the original program runs.
        seconds: Length of the music.
    """

    part: Part
    system: str
    precision: str
    seconds: int

    def __str__(self) -> str:
        return " ".join(filter(None, (self.part, self.system, self.precision, f"{self.seconds} s")))


@dataclass(frozen=True)
class Record:
    """What was found.

    Attributes:
        job: What was measured.
        environment: Key of the `Environment`.
        figures: Numbers by name; which ones depends on the part, see `benchmarks.jobs`.
        runs: How many runs the figures are of.
        runners: What ran which file.
        date: Day, as ``2026-01-31``.
        commit: Of the repository, with a ``+`` where files had been changed since.
        command: What measured it.
    """

    job: Job
    environment: str
    figures: Mapping[str, float]
    runs: int = 1
    runners: str = ""
    date: str = ""
    commit: str = ""
    command: str = ""


@dataclass
class Records:
    """All measurements, by environment and job.

    Attributes:
        environments: By their keys.
        found: By environment and job: a new measurement replaces the one before.
    """

    environments: dict[str, Environment] = field(default_factory=dict)
    found: dict[tuple[str, Job], Record] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Records":
        """Read a file that `save` wrote; there is none at first."""
        if not path.is_file():
            return cls()
        content = json.loads(path.read_text())
        environments = [Environment(**fields) for fields in content["environments"]]
        records = [
            Record(**{**fields, "job": Job(**fields["job"])}) for fields in content["records"]
        ]
        return cls(
            {environment.key: environment for environment in environments},
            {(record.environment, record.job): record for record in records},
        )

    def save(self, path: Path) -> None:
        """Write all, whole or not at all, in an order that does not depend on when it came."""
        content = {
            "environments": [asdict(self.environments[key]) for key in sorted(self.environments)],
            "records": [asdict(self.found[key]) for key in sorted(self.found, key=str)],
        }
        partial = path.with_name(f".{path.name}.part")
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        partial.replace(path)

    def add(self, environment: Environment, record: Record) -> None:
        """Take a measurement in, instead of an earlier one of the same."""
        self.environments[environment.key] = environment
        self.found[environment.key, record.job] = record

    def keep_only(self, environment: Environment) -> int:
        """Drop what was measured anywhere else, and say how much that was."""
        others = [key for key in self.found if key[0] != environment.key]
        for key in others:
            del self.found[key]
        self.environments = {
            key: kept for key, kept in self.environments.items() if key == environment.key
        }
        return len(others)

    def of(self, environment: str) -> list[Record]:
        """Give what was measured in one environment, in the order in which pages show it."""
        records = [record for record in self.found.values() if record.environment == environment]
        return sorted(records, key=lambda record: shown_order(record.job))


SYSTEM_ORDER = ("starter", "leaderboard_a", "leaderboard_b", "leaderboard_c")
PRECISION_ORDER = ("exact", "", "fast")


def shown_order(job: Job) -> tuple[int, str, int, str, int]:
    """Order jobs by system, precision and length, the best known first."""
    return (
        place(SYSTEM_ORDER, job.system),
        job.system,
        place(PRECISION_ORDER, job.precision),
        job.precision,
        job.seconds,
    )


def place(order: Sequence[str], name: str) -> int:
    """Give the index of a name, or the end for one that is not there."""
    return order.index(name) if name in order else len(order)
