"""`TimedSeparator` with time to spare, and how it tells what it did."""

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from demucs.htdemucs import HTDemucs

from my_submission import DemixError, Separator
from my_submission.audio.output import FLOAT_WAV, OutputFormat
from my_submission.budget import networks
from my_submission.budget.messages import Task
from my_submission.budget.timed_separator import TimedSeparator
from my_submission.stems import SAMPLE_RATE, STEMS
from tests.budget.workers import require_stems, stems_in, workers
from tests.demucs_files import write_package
from tests.golden_data import golden

PLENTY = 600.0


def require_equal(found: Path, expected: Path, suffix: str = "wav") -> None:
    for stem in STEMS:
        name = f"{stem}.{suffix}"
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name


@pytest.fixture(scope="package")
def plain(both_models: Path) -> Separator:
    return Separator("leaderboard_a", models=both_models, device="cpu")


def test_with_time_to_spare_files_are_the_same_bit_by_bit(
    both: TimedSeparator, plain: Separator, long_song: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    said: list[str] = []
    record = both.separate_to_files(
        long_song,
        stems_in(tmp_path / "timed"),
        PLENTY,
        progress=lambda done, total: seen.append((done, total)),
        say=said.append,
    )
    plain.separate_to_files(long_song, stems_in(tmp_path / "plain"))
    require_equal(tmp_path / "timed", tmp_path / "plain")
    require_stems(long_song, tmp_path / "timed")
    assert (record.step, record.degraded, record.incidents) == ("full", [], [])
    assert 0 < record.used_seconds < PLENTY
    assert 0 < record.planned_seconds < PLENTY
    written = json.loads((tmp_path / "timed" / "long song.budget.json").read_text())
    assert written == json.loads(json.dumps(asdict(record)))
    assert (written["system"], written["song_seconds"]) == ("leaderboard_a", 13.0)
    # The first plan goes by the pace of the song before, whatever that was.
    assert (written["limit_seconds"], written["revisions"][-1][1]) == (PLENTY, "full")
    assert said == [f"long song.wav: {record.line()}"]
    assert said[0].startswith("long song.wav: step 1 of 6, full: planned ")
    assert said[0].endswith(f"used {record.used_seconds:.1f} of 600 s")
    assert seen == sorted(seen)
    assert seen[-1] == (26 * SAMPLE_RATE, 26 * SAMPLE_RATE)


def test_where_time_may_be_short_the_first_plan_knows_how_slow_the_machine_is(
    both: TimedSeparator, long_song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes: list[float] = []

    def probe() -> float:
        probes.append(8.0)
        return 8.0

    monkeypatch.setattr(networks, "probe", probe)
    record = both.separate_to_files(long_song, stems_in(tmp_path / "plenty"), PLENTY)
    assert (probes, record.revisions[0][1]) == ([], "full")
    known = both._networks.known[False]
    length = 13 * SAMPLE_RATE
    seconds = known.costs.tfc_tdf_seconds(length) + known.costs.demucs_seconds(length)
    # As if the whole recipe took most of the limit at full speed.
    long = replace(known, costs=known.costs.scaled(0.8 * PLENTY / seconds))
    monkeypatch.setitem(both._networks.known, False, long)
    record = both.separate_to_files(long_song, stems_in(tmp_path / "short"), PLENTY)
    assert probes
    assert record.revisions[0][1] != "full"


def require_the_same(system: str, models: Path, song: Path, folder: Path) -> None:
    with TimedSeparator(Task(system, models, "cpu"), say=lambda line: None) as timed:
        timed.set_up()
        record = timed.separate_to_files(song, stems_in(folder / "timed"), PLENTY)
    assert (record.step, record.degraded) == ("full", [])
    separator = Separator(system, models=models, device="cpu")
    separator.separate_to_files(song, stems_in(folder / "plain"))
    require_equal(folder / "timed", folder / "plain")


@pytest.mark.parametrize("system", ["leaderboard_a", "leaderboard_c"])
def test_the_published_systems_give_the_same_files(system: str, tmp_path: Path) -> None:
    models = golden(f"models/{system}").parent
    require_the_same(system, models, golden(f"{system}/short.wav"), tmp_path)


def test_demucs_alone_gives_the_same_files(long_song: Path, tmp_path: Path) -> None:
    (tmp_path / "htdemucs").mkdir()
    write_package(tmp_path / "htdemucs" / "955717e8-8726e21a.th", HTDemucs)
    require_the_same("htdemucs", tmp_path, long_song, tmp_path)


def test_formats_rates_and_complements_are_the_separators(
    both: TimedSeparator, plain: Separator, tmp_path: Path, rng: np.random.Generator
) -> None:
    song = tmp_path / "mono.flac"
    soundfile.write(song, rng.uniform(-0.3, 0.3, 20_001), 48_000)
    for name, fmt, source_rate in (
        ("flac", OutputFormat("flac", "int24"), True),
        ("int16", OutputFormat(), False),
        ("float", FLOAT_WAV, True),
    ):
        files: list[list[bytes]] = []
        for separate in (partial(both.separate_to_files, seconds=PLENTY), plain.separate_to_files):
            folder = tmp_path / name / str(len(files))
            paths = {
                stem: folder / f"{stem}{fmt.suffix}" for stem in ("vocals", "no_vocals", "drums")
            }
            separate(song, paths, fmt=fmt, source_rate=source_rate)
            files.append([path.read_bytes() for path in paths.values()])
            info = soundfile.info(paths["drums"])
            expected = (48_000, 20_001) if source_rate else (44_100, 18_376)
            assert (info.samplerate, info.frames) == expected
        assert files[0] == files[1]


@pytest.mark.parametrize("length", [1, 30])
def test_hardly_any_song_is_a_song(both: TimedSeparator, tmp_path: Path, length: int) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, np.full((length, 2), 0.25), SAMPLE_RATE, subtype="FLOAT")
    record = both.separate_to_files(song, stems_in(tmp_path / "out"), PLENTY)
    assert record.step == "full"
    require_stems(song, tmp_path / "out")


def test_an_unreadable_song_is_one_line_and_the_next_works(
    both: TimedSeparator, song: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.wav").write_text("not audio")
    with pytest.raises(DemixError, match=r"bad\.wav"):
        both.separate_to_files(tmp_path / "bad.wav", stems_in(tmp_path / "out"), PLENTY)
    assert not (tmp_path / "out").exists()
    assert both.separate_to_files(song, stems_in(tmp_path / "out"), PLENTY).step == "full"


def test_a_forecast_says_what_a_song_takes(both: TimedSeparator) -> None:
    hour = 3600 * SAMPLE_RATE
    enough = both.forecast(hour, 1e6)
    assert enough.step == "full"
    assert 0 < both.forecast(hour // 60, 1e6).seconds < enough.seconds
    less = both.forecast(hour, 0.6 * enough.seconds)
    assert less.step != "full"
    assert less.seconds < 0.6 * enough.seconds
    for limit in (0.1, 1e-3):
        assert both.forecast(hour, limit).step == "split"


def test_a_forecast_needs_measurements() -> None:
    with pytest.raises(ValueError, match="set_up comes first"):
        TimedSeparator(Task("starter"), say=lambda line: None).forecast(1, 1.0)


def test_an_unknown_system_and_missing_weights_are_one_line(tmp_path: Path) -> None:
    for system, message in (
        ("leaderboard_z", "there are starter"),
        ("leaderboard_b", "demix weights fetch leaderboard_b"),
    ):
        with (
            TimedSeparator(Task(system, tmp_path), say=lambda line: None) as separator,
            pytest.raises(DemixError, match=message),
        ):
            separator.set_up()


def test_closing_ends_the_process(models: Path) -> None:
    before = {process.pid for process in workers()}
    separator = TimedSeparator(Task("starter", models), say=lambda line: None)
    separator._networks.start(is_fast=False)
    (process,) = (process for process in workers() if process.pid not in before)
    separator.close()
    assert not process.is_running()
    separator._networks.start(is_fast=False)
    (process,) = (process for process in workers() if process.pid not in before)
    del separator  # nobody has closed it
    assert not process.is_running()
