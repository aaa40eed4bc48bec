"""The `demix` command as a user meets it: outputs, messages and exit statuses."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import soundfile

from my_submission.stems import SAMPLE_RATE, STEMS, Audio
from my_submission.systems import SYSTEMS
from my_submission.weights import weight_files
from tests.demix_command import Run, demix_command


@pytest.fixture
def run(models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Give a function that runs `demix ARGS` in an empty folder and returns its exit status."""
    monkeypatch.setenv("DEMIX_MODELS", str(models))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with demix_command() as run_demix:
        yield run_demix


def files(folder: Path = Path()) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_stems_are_written_where_demucs_would(run: Run, song: Path) -> None:
    assert run("separate", song, "-d", "cpu") == 0
    assert files() == [f"separated/starter/song/{stem}.wav" for stem in STEMS]
    info = soundfile.info("separated/starter/song/bass.wav")
    assert (info.samplerate, info.frames, info.subtype) == (SAMPLE_RATE, 22_050, "PCM_16")


@pytest.mark.parametrize(
    ("flags", "suffix", "subtype"),
    [
        (["--float32"], "wav", "FLOAT"),
        (["--int24"], "wav", "PCM_24"),
        (["--flac"], "flac", "PCM_16"),
        (["--flac", "--int24"], "flac", "PCM_24"),
        (["--mp3"], "mp3", "MPEG_LAYER_III"),
    ],
)
def test_formats(run: Run, song: Path, flags: list[str], suffix: str, subtype: str) -> None:
    assert run("separate", song, *flags) == 0
    assert soundfile.info(f"separated/starter/song/vocals.{suffix}").subtype == subtype


def test_outputs_beside_the_songs_are_not_songs(run: Run, song: Path) -> None:
    Path("song.wav").write_bytes(song.read_bytes())
    assert run("separate", ".", "-o", ".") == 0
    once = files()
    assert run("separate", ".", "-o", ".") == 0
    assert files() == once


@pytest.mark.parametrize(
    "flags", [["--float32", "--flac"], ["--flac", "--mp3"], ["--mp3", "--int24"]]
)
def test_formats_that_exclude_each_other(run: Run, song: Path, flags: list[str]) -> None:
    assert run("separate", song, *flags) == 2
    assert files() == []


def test_two_stems_add_up_to_the_mixture(run: Run, song: Path, noise: Audio) -> None:
    assert run("separate", song, "--two-stems", "vocals", "--float32") == 0
    assert files() == [f"separated/starter/song/{stem}.wav" for stem in ("no_vocals", "vocals")]
    parts = [soundfile.read(path, dtype="float32")[0] for path in files()]
    np.testing.assert_allclose(sum(parts).T, noise, atol=1e-6)


def test_other_folders_names_and_rates(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "in" / "Größe 🎵.wav"
    path.parent.mkdir()
    soundfile.write(path, np.zeros((5000, 1)), 48_000)
    arguments = ["-o", "out", "--filename", "{stem}/{track}.{ext}", "--sample-rate", "source"]
    assert run("separate", path.parent, *arguments) == 0
    assert files() == [f"out/starter/{stem}/Größe 🎵.wav" for stem in STEMS]
    info = soundfile.info("out/starter/bass/Größe 🎵.wav")
    assert (info.samplerate, info.frames) == (48_000, 5000)


def test_what_runs_the_networks_is_said(
    run: Run, song: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("separate", song, "-d", "cpu", "--backend", "onnxruntime") == 0
    files_of = ", ".join(f"{stem}.onnx" for stem in STEMS)
    assert f"starter runs on cpu: {files_of}: onnxruntime, float32\n" in capsys.readouterr().err


def test_conversions_are_said(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "mono.wav", np.zeros(5000), 8000)
    assert run("separate", tmp_path / "mono.wav") == 0
    said = capsys.readouterr().err
    assert "mono" in said
    assert "8000 Hz" in said


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_one_bad_song_does_not_take_the_others_down(
    run: Run, song: Path, tmp_path: Path, jobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.wav").write_text("not audio")
    (tmp_path / "good.wav").write_bytes(song.read_bytes())
    assert run("separate", tmp_path / "bad.wav", song, tmp_path / "good.wav", "-j", jobs) == 1
    assert {Path(name).parts[2] for name in files()} == {"song", "good"}
    assert len(files()) == 2 * len(STEMS)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "bad.wav" in errors[0]


def test_skip_existing_leaves_finished_songs_alone(run: Run, song: Path) -> None:
    assert run("separate", song) == 0
    bass = Path("separated/starter/song/bass.wav")
    soundfile.write(bass, np.zeros((22_050, 2)), SAMPLE_RATE)
    kept = bass.read_bytes()
    assert run("separate", song, "--skip-existing") == 0
    assert bass.read_bytes() == kept
    Path("separated/starter/song/vocals.wav").unlink()
    assert run("separate", song, "--skip-existing") == 0
    assert bass.read_bytes() != kept


def test_skip_existing_does_a_cut_stem_again(run: Run, song: Path) -> None:
    assert run("separate", song) == 0
    bass = Path("separated/starter/song/bass.wav")
    whole = bass.read_bytes()
    bass.write_bytes(whole[:-1000])
    assert run("separate", song, "--skip-existing") == 0
    assert bass.read_bytes() == whole


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.wav"], "missing.wav: no such file or folder"),
        (["."], "a folder without songs"),
        (["SONG", "-n", "leaderboard_z"], "there are starter"),
        (["SONG", "-n", "leaderboard_a"], "demix weights fetch leaderboard_a"),
        (["SONG", "-d", "cuda:9"], "cuda:9 is not there"),
        (["SONG", "--backend", "torch"], "backend torch runs checkpoints (.pt), not ONNX files"),
        (["SONG", "--filename", "{track}"], "several stems one file"),
        (["SONG", "-o", "SONG"], "song.wav"),
    ],
)
def test_mistakes_are_one_line(
    run: Run,
    song: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("separate", *(str(song) if word == "SONG" else word for word in arguments)) == 1
    error = capsys.readouterr().err
    (line,) = (line for line in error.splitlines() if "runs on" not in line)
    assert message in line
    assert line.startswith("error: ")
    assert files() == []


def test_systems_versions_and_help_are_listed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("separate", "--list-systems") == 0
    assert capsys.readouterr().out.split() == list(SYSTEMS)
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("demix 0.")
    assert run("separate", "-h") == 0
    assert "--two-stems" in capsys.readouterr().out


def test_info_says_what_is_there_and_what_is_missing(
    run: Run, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("info") == 0
    out = capsys.readouterr().out
    for word in ("torch", "onnxruntime", "libsndfile", "cpu:", "starter: weights in"):
        assert word in out
    assert f"  openvino {version('openvino')}: cpu\n" in out
    assert re.search(r"  cpu, one core: [\d.]+ TFLOP/s in float32, [\d.]+ in bfloat16; ", out)
    assert re.search(r"  -d (cpu|cuda:0) --precision (exact, in float32|fast, in b?float16)\n", out)
    assert re.search(r"  for \.onnx files the first that can of .*onnxruntime in float32; ", out)
    command = f"demix weights fetch leaderboard_a --models {models}"
    assert f"leaderboard_a: 6 of 6 files are missing; run `{command}`\n" in out


def test_info_says_which_command_tells_of_files_to_get_by_hand(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    def line() -> str:
        assert run("info", "--models", "models") == 0
        (line,) = (s for s in capsys.readouterr().out.splitlines() if "leaderboard_c:" in s)
        return line.strip()

    assert line() == (
        "leaderboard_c: 10 of 10 files are missing; run `demix weights fetch leaderboard_c "
        "--models models`, which says how to get 4 by hand"
    )
    folder = Path("models/leaderboard_c")
    folder.mkdir(parents=True)
    for weight in weight_files("leaderboard_c_demucs"):
        (folder / weight.file).touch()
    assert line() == (
        "leaderboard_c: 4 of 10 files are missing; run `demix weights verify leaderboard_c "
        "--models models`, which says how to get 4 by hand"
    )


def test_weights_are_listed_and_verified(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("weights", "list") == 0
    out = capsys.readouterr().out
    assert "demucs-e07c671f.th" in out
    assert "missing" in out
    # The tests' own starter is not the one that the manifest lists.
    assert run("weights", "verify", "starter") == 1
    assert "wrong" in capsys.readouterr().out
    monkeypatch.delenv("DEMIX_MODELS")
    assert run("weights", "verify", "starter") == 0
    assert capsys.readouterr().out.count("ok:") == 5


def test_weights_are_fetched(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("weights", "fetch", "starter", "--models", "elsewhere") == 0
    fetched = capsys.readouterr().out.split()
    assert fetched == [f"elsewhere/starter/{stem}.onnx" for stem in STEMS] + [
        "elsewhere/starter/mixer.ckpt"
    ]
    assert all(Path(path).is_file() for path in fetched)


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_no_stems(
    models: Path, tmp_path: Path, rng: np.random.Generator, number: int, status: int, jobs: str
) -> None:
    for name in ("a", "b"):
        minutes = rng.uniform(-0.1, 0.1, (120 * SAMPLE_RATE, 2)).astype(np.float32)
        soundfile.write(tmp_path / f"{name}.wav", minutes, SAMPLE_RATE, subtype="FLOAT")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "my_submission", "separate", "a.wav", "b.wav"]
    process = subprocess.Popen(
        [*command, "-o", str(out), "-j", jobs, "--float32"],
        cwd=tmp_path,
        env={**os.environ, "DEMIX_MODELS": str(models)},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not files(out) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert files(out), "the run never began to write"
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert errors.splitlines()[1:] == ["error: interrupted"]  # the first says what runs on what
    assert files(out) == []


def test_a_challenges_own_evaluator_leaves_the_command_working(tmp_path: Path) -> None:
    (tmp_path / "evaluator").mkdir()
    (tmp_path / "evaluator" / "__init__.py").touch()
    code = "import sys; sys.argv = ['demix', '--list-systems']; from my_submission.cli import main"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; sys.argv.insert(1, 'separate'); main()"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
