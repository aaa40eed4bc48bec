"""`demix timing`, and `demix separate --deadline`, as a user meets them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from my_submission.budget.ladder import STEPS
from my_submission.stems import STEMS
from tests.budget.workers import workers
from tests.demix_command import Run, demix_command


@pytest.fixture
def run(models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Give a function that runs `demix ARGS` in an empty folder and returns its exit status."""
    monkeypatch.setenv("DEMIX_MODELS", str(models))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with demix_command() as run_demix:

        def run_alone(*arguments: str | Path) -> int:
            before = {process.pid for process in workers()}
            status = run_demix(*arguments)
            assert {process.pid for process in workers()} <= before
            return status

        yield run_alone


def test_a_table_of_songs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("timing", "-n", "starter", "--limit", "100000") == 0
    out = capsys.readouterr().out
    assert out.startswith("starter, limit 100000 s per song\n")
    rows = [line.split() for line in out.splitlines() if "1 of 6, full" in line]
    assert [float(row[0]) for row in rows] == [60, 120, 180, 240, 300, 360, 420, 430, 480]
    seconds = [float(row[1]) for row in rows]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0
    assert [row[0] for row in rows if "longest" in row] == ["430"]
    longest = int(out.split("longest song at full quality: ")[1].split()[0])
    assert longest > 480


def test_json_on_one_core(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--json", "--cores", "1", "--longest", "90", "--limit", "100000"]
    assert run("timing", *arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["system"], found["limit_seconds"], found["cores"]) == ("starter", 100000, 1)
    assert found["longest_seconds"] == 90
    assert found["set_up_seconds"] > 0
    assert found["longest_at_full_quality_seconds"] > 90
    lengths = [song["song_seconds"] for song in found["songs"]]
    assert lengths == sorted([*range(60, 481, 60), 90])
    for song in found["songs"]:
        assert song["step"] == "full"
        assert 0 < song["seconds"] < 100000
        assert song["max_overlap"] == 1
        assert (song["tfc_tdf_seconds"], song["demucs_seconds"]) == (song["song_seconds"], 0)


def test_a_limit_that_is_too_short_is_told_by_the_exit_status(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("timing", "--limit", "0.1", "--json") == 1
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["longest_at_full_quality_seconds"] == 0
    assert {song["step"] for song in found["songs"]} == {"split"}
    assert "a song of 430 s would be degraded: take a faster system or device" in captured.err


@pytest.mark.parametrize("arguments", [["timing"], ["separate", "SONG", "--deadline", "5"]])
def test_an_unknown_system_is_one_line(
    run: Run, song: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    words = [str(song) if word == "SONG" else word for word in arguments]
    assert run(*words, "-n", "leaderboard_z") == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: system 'leaderboard_z' is unknown: there are starter")
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""


def test_a_deadline_gives_stems_and_a_record(
    run: Run, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.wav").write_text("not audio")
    other = tmp_path / "other.wav"
    other.write_bytes(song.read_bytes())
    assert run("separate", song, tmp_path / "bad.wav", other, "--deadline", "600", "--flac") == 1
    for name in ("song", "other"):
        folder = Path("separated/starter") / name
        expected = [*(f"{stem}.flac" for stem in STEMS), f"{name}.budget.json"]
        assert sorted(path.name for path in folder.iterdir()) == sorted(expected)
        record = json.loads((folder / f"{name}.budget.json").read_text())
        assert (record["step"], record["limit_seconds"]) == (STEPS[0], 600)
    said = capsys.readouterr().err
    assert "song.wav: step 1 of 6, full: planned " in said
    assert len([line for line in said.splitlines() if line.startswith("error: ")]) == 1
    assert not Path("separated/starter/bad").exists()


def test_a_deadline_is_for_one_song_at_a_time(run: Run, song: Path) -> None:
    assert run("separate", song, "--deadline", "5", "-j", "2") == 2
    assert run("separate", song, "--deadline", "0") == 2
    assert list(Path().iterdir()) == []


def test_more_cores_than_there_are_is_one_line(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("timing", "--cores", "4096") == 1
    assert capsys.readouterr().err.startswith("error: --cores 4096: there are ")
