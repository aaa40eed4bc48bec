"""What the benchmarks count, keep and conclude; their figures are no tests."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks import __main__ as program
from benchmarks.agreement import NO_DIFFERENCE_DB, agreement_db, sdr_figures
from benchmarks.bars import Bar, bars
from benchmarks.jobs import Workshop, plan, stems_agreement
from benchmarks.machine import Environment, this_environment
from benchmarks.one_run import RunError
from benchmarks.page import page
from benchmarks.records import Job, Part, Record, Records
from my_submission.stems import STEMS

HERE = Environment("Test CPU", 2, 8, ["amx_bf16"], packages={"torch": "1.0"})
ELSEWHERE = replace(HERE, packages={"torch": "2.0"})


def timed(
    system: str, precision: str, seconds: int, separation_s: float, **figures: float
) -> Record:
    values = {"setup_s": 5.0, "separation_s": separation_s, "peak_mb": 1000.0, **figures}
    return Record(Job("time", system, precision, seconds), HERE.key, values, date="2026-01-31")


def near(system: str, *decibels: float) -> Record:
    figures: dict[str, float] = dict(zip(STEMS, decibels, strict=True))
    return Record(Job("agreement", system, "fast", 23), HERE.key, figures)


def only_bar(*records: Record, about: str) -> Bar:
    (bar,) = [bar for bar in bars(records) if about in bar.name]
    return bar


@pytest.mark.parametrize(("seconds", "reached"), [(192.0, True), (193.0, False)])
def test_exact_a_is_to_take_a_third_of_the_originals_577_s(seconds: float, reached: bool) -> None:
    bar = only_bar(timed("leaderboard_a", "exact", 180, seconds), about="original")
    assert bar.is_reached is reached
    assert bar.measured.startswith("3.0 ")


def test_other_lengths_are_not_compared_with_the_original() -> None:
    assert not [b for b in bars([timed("leaderboard_a", "fast", 60, 1)]) if "original" in b.name]


def test_an_original_of_the_same_machine_is_what_counts() -> None:
    original = replace(timed("", "", 0, 300.0), job=Job("original", "leaderboard_a", "", 60))
    ours = [timed("leaderboard_a", "exact", n, s) for n, s in ((60, 100.0), (180, 1.0))]
    bar = only_bar(original, *ours, about="original")
    assert (bar.measured, bar.is_reached) == ("3.0 (100 s)", True)
    assert "60 s: times faster than the original program's 300 s" in bar.name


def test_the_page_shows_the_original_and_how_near_it_is() -> None:
    records = Records()
    figures = dict(timed("", "", 0, 300.0).figures) | dict(near("", 60, 61, 62, 63).figures)
    job = Job("original", "leaderboard_a", "", 60)
    records.add(HERE, Record(job, HERE.key, figures, runners="Python 3.8"))
    records.add(HERE, timed("leaderboard_a", "fast", 60, 50))
    text = page(records, HERE.key)
    assert "| the original program | 60 | 5.0 | 300.0 | 5 | 1000 | 1.00 |" in text
    assert "| demix, fast | 60 | 5.0 | 50.0 | 0.833 | 1000 | 6.00 |" in text
    assert "The original program (Python 3.8) on 60 s of music" in text
    assert "in dB: bass 60.0, drums 61.0, other 62.0, vocals 63.0." in text
    assert "another machine" not in text


def test_the_most_memory_of_any_length_counts() -> None:
    short = timed("leaderboard_a", "fast", 60, 1, peak_mb=2999)
    long = timed("leaderboard_a", "fast", 600, 1, peak_mb=3001)
    assert only_bar(short, about="memory").is_reached
    bar = only_bar(short, long, about="memory")
    assert not bar.is_reached
    assert bar.measured == "3001 (at 600 s)"


@pytest.mark.parametrize(("factor", "reached"), [(10.5, True), (10.6, False)])
def test_ten_minutes_may_take_ten_and_a_half_times_one(factor: float, reached: bool) -> None:
    records = [timed("leaderboard_b", "exact", n, s) for n, s in ((60, 8.0), (600, 8.0 * factor))]
    assert only_bar(*records, about="600 s").is_reached is reached


def test_the_worst_stem_is_what_agrees() -> None:
    bar = only_bar(near("leaderboard_a", 50, 44.9, 60, NO_DIFFERENCE_DB), about="agreement")
    assert (bar.measured, bar.is_reached) == ("44.9 (drums)", False)
    assert only_bar(near("leaderboard_a", 50, 45, 60, 70), about="agreement").is_reached


def test_forced_low_precision_is_no_bar() -> None:
    forced = replace(
        near("leaderboard_a", 1, 1, 1, 1), job=Job("agreement", "leaderboard_a", "bfloat16", 23)
    )
    assert not bars([forced])


def test_htdemucs_is_compared_on_the_longest_song_of_both() -> None:
    ours = [timed("htdemucs", "exact", seconds, seconds / 2) for seconds in (60, 180, 600)]
    theirs = [
        replace(timed("", "", 0, seconds), job=Job("package", "htdemucs", "", seconds))
        for seconds in (60, 180)
    ]
    bar = only_bar(*ours, *theirs, about="`htdemucs` exact")
    assert (bar.measured, bar.is_reached) == ("2.00 (90 s)", True)
    assert "180 s" in bar.name


def test_the_longest_set_up_counts() -> None:
    records = [
        timed("leaderboard_a", "exact", 60, 1, setup_s=3),
        timed("leaderboard_a", "fast", 60, 1, setup_s=20.1),
    ]
    bar = only_bar(*records, about="set-up")
    assert (bar.measured, bar.is_reached) == ("20.1 (fast)", False)


def test_agreement_is_the_energy_over_that_of_the_difference() -> None:
    stem = np.full((1000, 2), 0.5, np.float32)
    assert agreement_db(stem, stem * np.float32(0.99)) == pytest.approx(40, abs=0.01)
    assert agreement_db(stem, stem) == NO_DIFFERENCE_DB
    assert agreement_db(0 * stem, stem) == -NO_DIFFERENCE_DB


def test_what_is_cut_off_at_full_scale_is_compared_so(tmp_path: Path) -> None:
    stem = np.linspace(-2, 2, 1000, dtype=np.float32)[:, None].repeat(2, axis=1)
    for folder, subtype in (("ours", "FLOAT"), ("theirs", "PCM_16")):
        (tmp_path / folder).mkdir()
        for name in STEMS:
            soundfile.write(tmp_path / folder / f"{name}.wav", stem, 44100, subtype=subtype)
    folders = (tmp_path / "ours", tmp_path / "theirs")
    assert max(stems_agreement(*folders).values()) < 20
    assert min(stems_agreement(*folders, limit=1).values()) > 80


def test_the_largest_change_of_a_stem_counts_whatever_its_sign() -> None:
    figures = sdr_figures([4.0, 6.0], [4.01, 5.97])
    assert figures["exact_db"] == 5
    assert figures["largest_change_db"] == pytest.approx(0.03)


def test_the_page_shows_share_of_peak_runners_and_bars() -> None:
    records = Records()
    figures = {"flops": 40e12, "peak": 0.4e12, "peak_in_low_precision": 1.0}
    record = replace(
        timed("leaderboard_a", "fast", 180, 200.0, **figures), runners="a.onnx: openvino, bfloat16"
    )
    records.add(HERE, record)
    text = page(records, HERE.key)
    assert "## Test CPU, 2 cores" in text
    assert "| 50 % of 0.40 TFLOP/s in low precision |" in text
    assert "- `leaderboard_a` fast: a.onnx: openvino, bfloat16" in text
    assert "| at least 8 | 2.9 (200 s) | **no** |" in text
    assert "another machine" in text


def test_machines_and_versions_are_never_mixed() -> None:
    records = Records()
    records.add(HERE, timed("leaderboard_a", "exact", 60, 10))
    long = timed("leaderboard_a", "exact", 600, 1000)
    records.add(ELSEWHERE, replace(long, environment=ELSEWHERE.key))
    text = page(records, ELSEWHERE.key)
    assert text.count("## Test CPU") == 2
    assert text.index("torch 2.0") < text.index("torch 1.0")  # the present one comes first
    assert "time for 600 s" not in text

    assert records.keep_only(HERE) == 1
    assert "torch 2.0" not in page(records, HERE.key)


def test_records_survive_the_file(tmp_path: Path) -> None:
    records = Records()
    records.add(HERE, timed("starter", "exact", 60, 6))
    path = tmp_path / "benchmarks.json"
    records.save(path)
    assert Records.load(path) == records
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert Records.load(tmp_path / "none.json") == Records()


def test_the_demucs_package_runs_between_ours() -> None:
    jobs = plan(
        ["htdemucs"], ["exact", "fast"], ["time", "package"], seconds=[9], all_lengths=False
    )
    assert [(job.part, job.precision) for job in jobs] == [
        ("time", "exact"),
        ("package", ""),
        ("time", "fast"),
    ]


def test_the_original_runs_between_ours_on_a_song_that_it_can_hold() -> None:
    parts: list[Part] = ["time", "original"]
    jobs = plan(["leaderboard_a"], ["exact", "fast"], parts, None, all_lengths=False)
    around = [(job.part, job.precision) for job in jobs if job.seconds == 60]
    assert around == [("time", "exact"), ("original", ""), ("time", "fast")]
    jobs = plan(["leaderboard_a", "leaderboard_b"], ["exact"], parts, None, all_lengths=False)
    assert [job.seconds for job in jobs if job.part == "original"] == [60]


def test_leaderboard_c_is_long_only_when_asked() -> None:
    def lengths(all_lengths: bool) -> set[int]:
        jobs = plan(["leaderboard_c"], ["exact"], ["time"], None, all_lengths=all_lengths)
        return {job.seconds for job in jobs}

    assert lengths(False) == {30}
    assert lengths(True) == {30, 60, 180, 600}


@pytest.fixture
def performed(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Measure nothing: give the list of what would have been, with a failure at 7 seconds."""
    jobs: list[Job] = []

    def perform(_workshop: Workshop, job: Job) -> tuple[dict[str, float], str]:
        jobs.append(job)
        if job.seconds == 7:
            raise RunError("error: no memory")
        return dict(timed("starter", "exact", 60, len(jobs)).figures), "somehow"

    monkeypatch.setattr(Workshop, "perform", perform)
    return jobs


def run(tmp_path: Path, *words: str) -> int:
    options = ["--systems", "starter", "--parts", "time", "--precisions", "exact"]
    return program.main([*options, "--docs", str(tmp_path), *words])


def separations(tmp_path: Path) -> dict[int, float]:
    records = Records.load(tmp_path / "benchmarks.json").of(this_environment().key)
    return {record.job.seconds: record.figures["separation_s"] for record in records}


def test_a_run_replaces_rows_and_resumes_where_it_is_told_to(
    tmp_path: Path, performed: list[Job]
) -> None:
    assert run(tmp_path, "--seconds", "5", "6") == 0
    assert separations(tmp_path) == {5: 1, 6: 2}
    assert run(tmp_path, "--seconds", "5") == 0
    assert separations(tmp_path) == {5: 3, 6: 2}
    assert run(tmp_path, "--seconds", "5", "6", "8", "--resume") == 0
    assert separations(tmp_path) == {5: 3, 6: 2, 8: 4}
    assert run(tmp_path, "--render") == 0
    assert len(performed) == 4
    assert "| `starter` | its own | exact | 8 |" in (tmp_path / "benchmarks.md").read_text()


@pytest.mark.usefixtures("performed")
def test_a_failure_is_said_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--seconds", "7", "8") == 1
    assert "failed: error: no memory" in capsys.readouterr().out
    assert list(separations(tmp_path)) == [8]


@pytest.mark.usefixtures("performed")
def test_the_command_is_kept_without_this_machines_folders(tmp_path: Path) -> None:
    run(tmp_path, "--seconds", "5", "--models", str(tmp_path / "models"))
    (record,) = json.loads((tmp_path / "benchmarks.json").read_text())["records"]
    assert record["command"] == (
        "python -m benchmarks --systems starter --parts time --precisions exact --seconds 5"
    )


def test_the_starter_is_measured(tmp_path: Path) -> None:
    assert run(tmp_path, "--seconds", "1") == 0
    (record,) = Records.load(tmp_path / "benchmarks.json").of(this_environment().key)
    assert record.figures["setup_s"] > 0 < record.figures["separation_s"]
    assert 100 < record.figures["peak_mb"] < 4000
    assert "bass.onnx" in record.runners
    assert "| `starter` | its own | exact | 1 |" in (tmp_path / "benchmarks.md").read_text()


def test_a_process_that_fails_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--seconds", "1", "--systems", "no_such_system") == 1
    assert "'no_such_system' is unknown" in capsys.readouterr().out


def test_the_original_asked_for_without_its_python_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        program.main(["--parts", "original", "--docs", str(tmp_path / "docs")])
    assert "--parts original needs --original-python" in capsys.readouterr().err
    assert not (tmp_path / "docs").exists()
