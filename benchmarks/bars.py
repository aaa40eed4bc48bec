"""What the figures are to reach, and whether they do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.agreement import decibels
from benchmarks.records import Job, Part, Record
from my_submission.stems import STEMS

ORIGINAL_A_180_S = 577.0
"""Seconds of the original program of Leaderboard A for a 180-second song with full-size random
weights: measured once, on another machine with 2 cores and AMX. Counts where the original was not
measured on the same machine as ours."""

SPEED_OF_A = {"exact": 3.0, "fast": 8.0}
SPEED_OF_HTDEMUCS = {"exact": 1.3, "fast": 2.0}
PEAK_MB = {"exact": 4000, "fast": 3000}
AGREEMENT_DB = 45.0
SDR_CHANGE_DB = 0.01
SETUP_S = 20.0
LENGTHS, LENGTH_FACTOR = (60, 600), 10.5

PUBLISHED = {"leaderboard_a": "A", "leaderboard_b": "B", "leaderboard_c": "C"}


@dataclass(frozen=True)
class Bar:
    """One of them.

    Attributes:
        name: What it is about.
        needed: What is to be reached.
        measured: What was.
        is_reached: Whether that is enough.
    """

    name: str
    needed: str
    measured: str
    is_reached: bool


def bars(records: Sequence[Record]) -> list[Bar]:
    """Compare with the bars whatever was measured in one environment."""
    found = {record.job: record for record in records}
    return [
        *speed_of_a(found),
        *peak_memory(records),
        *agreement(records),
        *sdr_change(records),
        *speed_of_htdemucs(found),
        *linear_time(found),
        *setup_of_a(records),
    ]


def speed_of_a(found: dict[Job, Record]) -> Iterator[Bar]:
    """Compare A with the original program, on the longest song of both."""
    originals = {
        job.seconds: record.figures["separation_s"]
        for job, record in found.items()
        if job.part == "original"
    } or {180: ORIGINAL_A_180_S}
    for precision, factor in SPEED_OF_A.items():
        lengths = [n for n in originals if Job("time", "leaderboard_a", precision, n) in found]
        if lengths:
            theirs = originals[max(lengths)]
            job = Job("time", "leaderboard_a", precision, max(lengths))
            seconds = found[job].figures["separation_s"]
            yield Bar(
                f"A {precision}, {job.seconds} s: times faster than the original program's "
                f"{theirs:.0f} s",
                f"at least {factor:g}",
                f"{theirs / seconds:.1f} ({seconds:.0f} s)",
                theirs / seconds >= factor,
            )


def peak_memory(records: Sequence[Record]) -> Iterator[Bar]:
    """Find the most that a system takes, whatever the length of the song."""
    for system, letter in PUBLISHED.items():
        for precision, limit in PEAK_MB.items():
            runs = select(records, "time", system, precision)
            if runs:
                most = max(runs, key=lambda record: record.figures["peak_mb"])
                peak = most.figures["peak_mb"]
                yield Bar(
                    f"{letter} {precision}: peak memory, MB",
                    f"at most {limit}",
                    f"{peak:.0f} (at {most.job.seconds} s)",
                    peak <= limit,
                )


def agreement(records: Sequence[Record]) -> Iterator[Bar]:
    """Find the stem in which fast is farthest from exact."""
    for record in records:
        if (record.job.part, record.job.precision) == ("agreement", "fast"):
            stem = min(STEMS, key=lambda stem: record.figures[stem])
            least = record.figures[stem]
            yield Bar(
                f"{PUBLISHED.get(record.job.system, f'`{record.job.system}`')} fast: agreement "
                "with exact in the worst stem, dB",
                f"at least {AGREEMENT_DB:g}",
                f"{decibels(least)} ({stem})",
                least >= AGREEMENT_DB,
            )


def sdr_change(records: Sequence[Record]) -> Iterator[Bar]:
    """Find what fast changes of the score of a stem."""
    for record in records:
        if (record.job.part, record.job.precision) == ("sdr", "fast"):
            change = record.figures["largest_change_db"]
            yield Bar(
                f"`{record.job.system}` fast: largest change of a stem's SDR, dB",
                f"under {SDR_CHANGE_DB:g}",
                f"{change:.4f}",
                change < SDR_CHANGE_DB,
            )


def speed_of_htdemucs(found: dict[Job, Record]) -> Iterator[Bar]:
    """Compare htdemucs with the demucs package's own program, on the longest song of both."""
    for precision, factor in SPEED_OF_HTDEMUCS.items():
        lengths = [
            job.seconds
            for job in found
            if job.part == "package" and Job("time", job.system, precision, job.seconds) in found
        ]
        if lengths:
            longest = max(lengths)
            theirs = found[Job("package", "htdemucs", "", longest)].figures["separation_s"]
            ours = found[Job("time", "htdemucs", precision, longest)].figures["separation_s"]
            yield Bar(
                f"`htdemucs` {precision}, {longest} s: times faster than the demucs package's "
                f"{theirs:.0f} s",
                f"at least {factor:g}",
                f"{theirs / ours:.2f} ({ours:.0f} s)",
                theirs / ours >= factor,
            )


def linear_time(found: dict[Job, Record]) -> Iterator[Bar]:
    """Compare a song ten times as long; set-up is not in the time of a separation."""
    for system, letter in PUBLISHED.items():
        for precision in SPEED_OF_A:
            short, long = (found.get(Job("time", system, precision, length)) for length in LENGTHS)
            if short is not None and long is not None:
                ratio = long.figures["separation_s"] / short.figures["separation_s"]
                yield Bar(
                    f"{letter} {precision}: time for 600 s over time for 60 s",
                    f"at most {LENGTH_FACTOR:g}",
                    f"{ratio:.2f}",
                    ratio <= LENGTH_FACTOR,
                )


def setup_of_a(records: Sequence[Record]) -> Iterator[Bar]:
    """Find the longest set-up of A."""
    runs = [
        record
        for precision in SPEED_OF_A
        for record in select(records, "time", "leaderboard_a", precision)
    ]
    if runs:
        longest = max(runs, key=lambda record: record.figures["setup_s"])
        seconds = longest.figures["setup_s"]
        yield Bar(
            "A: set-up, s",
            f"under {SETUP_S:g}",
            f"{seconds:.1f} ({longest.job.precision})",
            seconds < SETUP_S,
        )


def select(records: Sequence[Record], part: Part, system: str, precision: str) -> list[Record]:
    """Give the records of all lengths of something."""
    wanted = (part, system, precision)
    return [
        record
        for record in records
        if (record.job.part, record.job.system, record.job.precision) == wanted
    ]
