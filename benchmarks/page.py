"""docs/benchmarks.md, from the records."""

from collections.abc import Sequence

from benchmarks.agreement import decibels
from benchmarks.bars import ORIGINAL_A_180_S, bars
from benchmarks.full_size import SYSTEMS
from benchmarks.jobs import C_ON_A_CPU
from benchmarks.machine import Environment
from benchmarks.records import Part, Record, Records
from my_submission.stems import STEMS

HEAD = """# Benchmarks

Written by `python -m benchmarks` (`make bench`) from the measurements in
[benchmarks.json](benchmarks.json); every figure of speed or memory elsewhere comes from here. Each
machine, and each set of versions of the packages, has a section of its own; nothing is compared
across them.

How it is measured:

- A, B, C and htdemucs have networks of the published sizes with random weights, which cost what the
  published ones cost. The song is the two demo songs (`data/songs`), over and over.
- Every run has a process of its own. Set-up includes importing the packages; the separation is
  from file to files. Peak memory is of the whole process, in millions of bytes.
- `exact` is float32. `fast` is what `--precision fast` chooses on that machine. `bfloat16` is
  forced where that is something else, and after a colon stands a backend that is forced.
- The share of the peak is the arithmetic of all passes, as the networks are defined, per second of
  separation, over what a product of two matrices of 4096 by 4096 reaches right after it, in float32
  or, where that is faster and was used, in low precision. Algorithms that need less arithmetic than
  the definition can exceed 100 %.
- The agreement is the energy of the exact stem over that of the difference, on the demo songs.
  The random TFC-TDF networks and Demucs v2 listen to the song: in them silence gives silence, and
  errors grow about as in trained ones, while those of the usual initialisation give nearly the same
  for any song. The demucs package's networks have the latter: theirs says little.
- The change of the SDR is of the starter, whose weights are trained, against the true stems of the
  demo songs. That `exact` is the published programs' result to 1e-5 is what the tests say.
- What the original program of Leaderboard A did is done by `benchmarks/original_program.py`, with
  the libraries that it had: a song's chunks in one batch, networks loaded for every song, Demucs
  segment by segment. It takes more memory than there is on longer songs.
- The demucs package's program runs at its defaults (`demucs -n htdemucs`), with the same weights:
  one random shift, which adds at most half a second to the song, and files of 16 bits. Ours makes
  no shift and writes 32 bits. Its run lies between ours of `exact` and `fast`.
"""


def page(records: Records, current: str) -> str:
    """Write the page.

    Args:
        records: All measurements.
        current: Key of the environment that comes first.
    """
    keys = sorted(records.environments, key=lambda key: (key != current, key))
    sections = [section(records.environments[key], records.of(key)) for key in keys]
    return "\n".join([HEAD, *filter(None, sections)])


def section(environment: Environment, records: Sequence[Record]) -> str:
    """Write what was measured in one environment; nothing where nothing was."""
    if not records:
        return ""
    days = sorted({record.date for record in records})
    parts = [
        f"## {environment.title}\n",
        f"{environment.describe()} Measured {' to '.join(dict.fromkeys((days[0], days[-1])))}.\n",
        bar_table(records),
        time_table(records),
        beside_table(records, "original", "leaderboard_a", "the original program"),
        beside_table(records, "package", "htdemucs", "the demucs package"),
        agreement_table(records),
        sdr_table(records),
        runner_list(records),
        commands(records),
    ]
    return "\n".join(filter(None, parts))


def bar_table(records: Sequence[Record]) -> str:
    """Say what is reached."""
    rows = [
        [bar.name, bar.needed, bar.measured, "yes" if bar.is_reached else "**no**"]
        for bar in bars(records)
    ]
    note = (
        "The original program of Leaderboard A was measured once, on another machine: 2 cores with "
        "AMX, the same sizes of networks.\n"
        if any(f"original program's {ORIGINAL_A_180_S:.0f} s" in row[0] for row in rows)
        else ""
    )
    return titled("Bars", ["", "needed", "measured", "reached"], rows, note)


def time_table(records: Sequence[Record]) -> str:
    """Show speed and memory."""
    timed = [record for record in records if record.job.part == "time"]
    has_gpu = any("gpu_mb" in record.figures for record in timed)
    columns = ["system", "weights", "precision", "song s", "set-up s", "separation s"]
    columns += ["s per s of song", "peak MB", *(["GPU MB"] if has_gpu else []), "share of peak"]
    rows = []
    for record in timed:
        job, figures = record.job, record.figures
        rows.append(
            [
                f"`{job.system}`",
                "random" if job.system in SYSTEMS else "its own",
                job.precision,
                str(job.seconds),
                *times(record),
                *([f"{figures['gpu_mb']:.0f}"] if has_gpu else []),
                share_of_peak(record),
            ]
        )
    runs = sorted({record.runs for record in timed})
    note = f"Runs: {' to '.join(map(str, dict.fromkeys(runs[:1] + runs[-1:])))} each.\n"
    if runs and runs[-1] > 1:
        note = note[:-1] + " Times are medians, memory is the most.\n"
    lengths_of_c = [record.job.seconds for record in timed if record.job.system == "leaderboard_c"]
    if lengths_of_c and max(lengths_of_c) <= max(C_ON_A_CPU):
        note += (
            "Leaderboard C on longer songs takes hours on a CPU: `--everything` measures them.\n"
        )
    return titled("Speed and memory", columns, rows, note)


def times(record: Record) -> list[str]:
    """Show set-up, separation, speed and memory."""
    figures = record.figures
    return [
        f"{figures['setup_s']:.1f}",
        f"{figures['separation_s']:.1f}",
        f"{figures['separation_s'] / record.job.seconds:.3g}",
        f"{figures['peak_mb']:.0f}",
    ]


def share_of_peak(record: Record) -> str:
    """Show how much of the machine's arithmetic a run used, and of which."""
    figures = record.figures
    if "flops" not in figures:
        return "–"
    share = figures["flops"] / figures["separation_s"] / figures["peak"]
    of = "low precision" if figures["peak_in_low_precision"] else "float32"
    return f"{100 * share:.0f} % of {figures['peak'] / 1e12:.2f} TFLOP/s in {of}"


def beside_table(records: Sequence[Record], part: Part, system: str, program: str) -> str:
    """Show a system through us beside another program.

    Args:
        records: All of an environment.
        part: What that program's measurements are.
        system: The system that it runs.
        program: Its name.
    """
    theirs = {record.job.seconds: record for record in records if record.job.part == part}
    rows = []
    for record in sorted(records, key=lambda record: record.job.seconds):
        job = record.job
        if job.system == system and job.seconds in theirs and job.part in ("time", part):
            ratio = theirs[job.seconds].figures["separation_s"] / record.figures["separation_s"]
            name = program if job.part == part else f"demix, {job.precision}"
            rows.append([name, str(job.seconds), *times(record), f"{ratio:.2f}"])
    note = "".join(agreement_with(record, program) for record in theirs.values())
    columns = [f"{system} by", "song s", "set-up s", "separation s", "s per s of song", "peak MB"]
    return titled(f"Beside {program}", [*columns, "times as fast"], rows, note)


def agreement_with(record: Record, program: str) -> str:
    """Say how near another program's stems come to ours, where they were compared."""
    if not set(STEMS) <= set(record.figures):
        return ""
    stems = ", ".join(f"{stem} {decibels(record.figures[stem])}" for stem in STEMS)
    return (
        f"{program[0].upper()}{program[1:]} ({record.runners}) on {record.job.seconds} s of music: "
        f"our stems in `exact` over the difference to its 16-bit files, in dB: {stems}.\n"
    )


def agreement_table(records: Sequence[Record]) -> str:
    """Show how near other ways of computing come to the exact one."""
    rows = [
        [
            f"`{record.job.system}`",
            record.job.precision,
            str(record.job.seconds),
            *(decibels(record.figures[stem]) for stem in STEMS),
        ]
        for record in records
        if record.job.part == "agreement"
    ]
    return titled("Agreement with exact, dB", ["system", "precision", "music s", *STEMS], rows)


def sdr_table(records: Sequence[Record]) -> str:
    """Show what other ways of computing change of the scores."""
    rows = [
        [
            f"`{record.job.system}`",
            record.job.precision,
            f"{record.figures['exact_db']:.3f}",
            f"{record.figures['other_db']:.3f}",
            f"{record.figures['largest_change_db']:.4f}",
        ]
        for record in records
        if record.job.part == "sdr"
    ]
    columns = ["system", "precision", "SDR exact", "SDR so", "largest change of a stem"]
    return titled("SDR on the demo songs, dB", columns, rows)


def runner_list(records: Sequence[Record]) -> str:
    """Say what ran the networks."""
    ran: dict[str, dict[str, None]] = {}
    for record in records:
        if record.job.part in ("time", "agreement", "sdr") and record.runners:
            ran.setdefault(record.runners, {})[f"`{record.job.system}` {record.job.precision}"] = (
                None
            )
    lines = [f"- {', '.join(names)}: {runners}" for runners, names in ran.items()]
    return "\n".join(["### What ran the networks\n", *lines, ""]) if lines else ""


def commands(records: Sequence[Record]) -> str:
    """Say what measured this, and of which state of the code."""
    done = {f"`{record.command}` at {record.commit or 'no commit'}" for record in records}
    return f"Measured by {'; '.join(sorted(done))}.\n"


def titled(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], note: str = ""
) -> str:
    """Write a table below a heading and a note; nothing where there are no rows."""
    if not rows:
        return ""
    lines = [line(columns), line(["---"] * len(columns)), *map(line, rows)]
    return "\n".join([f"### {title}\n", *([note] if note else []), *lines, ""])


def line(cells: Sequence[str]) -> str:
    """Write a row of a table."""
    return f"| {' | '.join(cells)} |"
