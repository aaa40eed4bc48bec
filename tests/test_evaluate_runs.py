"""What `demix evaluate` writes: museval's own numbers, every file whole, nothing done twice."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import museval.cli
import numpy as np
import pytest
import soundfile
from typer.testing import Result

from evaluator.contamination import contamination
from evaluator.results import COLUMNS
from evaluator.sound import STEMS
from tests.fake_separator import FakeSeparator, fake_separator, invoke
from tests.musdb_folders import with_real_song, write_hq_song, write_stem_file
from tests.song_folders import RATE, write_song, write_wav

__all__ = ["fake_separator"]

pytestmark = pytest.mark.usefixtures("separator")

BSS_EVAL = ("SDR", "SIR", "ISR", "SAR")


@pytest.fixture
def hq(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Give a stereo song, and a mono one, of which museval needs less, in MUSDB18-HQ's layout."""
    for name, seconds, channels in (("b song", 2.5, 2), ("a | song", 0.5, 1)):
        write_hq_song(tmp_path / "hq" / "test" / name, rng, int(seconds * RATE), channels)
    return tmp_path / "hq"


class LeakySeparator(FakeSeparator):
    """Gives four different estimates of a stereo song: a reference, others in it, and noise."""

    def separate_to_files(self, path: Path, paths: Mapping[str, Path], **options: Any) -> None:
        super().separate_to_files(path, paths, **options)
        references = [soundfile.read(path.with_name(f"{stem}.wav"))[0] for stem in STEMS]
        if references[0].ndim == 1:
            return
        noise = np.random.default_rng(1)
        for index, (target, reference) in enumerate(zip(paths.values(), references, strict=True)):
            leak = (0.1 + 0.1 * index) * np.roll(references[index - 1], 7, axis=0)[:, ::-1]
            hiss = 0.01 * noise.normal(size=reference.shape)
            write_wav(target, 0.9 * reference + leak + hiss, RATE)


def evaluate(tmp_path: Path, data: Path, *options: str | Path) -> tuple[Result, Path]:
    """Run the command; give its result and the folder of the run."""
    words = [data, "-n", "mine", "-o", tmp_path / "out", *options]
    return invoke("evaluate", *words), tmp_path / "out" / "mine"


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def test_a_run_agrees_with_musevals_own_command(
    tmp_path: Path, hq: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("my_submission.separator.Separator", LeakySeparator)
    result, run = evaluate(tmp_path, hq)
    assert result.exit_code == 0, result.output
    assert "songs scored" not in result.output  # a bar, and this is no terminal

    (tmp_path / "estimates").mkdir()
    (tmp_path / "estimates" / "test").symlink_to(run)
    theirs = tmp_path / "museval"
    words = [tmp_path / "estimates", "-o", theirs, "--musdb", hq, "--is-wav"]
    museval.cli.museval([str(word) for word in words])
    methods = museval.EvalStore()
    methods.add_eval_dir(theirs)
    medians = methods.agg_frames_scores()

    for name in ("a | song", "b song"):
        expected = read(theirs / "test" / f"{name}.json")
        found = read(run / "museval" / f"{name}.json")
        assert [t["name"] for t in found["targets"]] == [t["name"] for t in expected["targets"]]
        for mine, target in zip(found["targets"], expected["targets"], strict=True):
            assert len(mine["frames"]) == len(target["frames"]) == (2 if name == "b song" else 1)
            for frame, wanted in zip(mine["frames"], target["frames"], strict=True):
                assert (frame["time"], frame["duration"]) == (wanted["time"], wanted["duration"])
                assert frame["metrics"] == pytest.approx(wanted["metrics"], abs=1e-6)
        scores = read(run / name / "scores.json")
        for stem in STEMS:
            for metric in BSS_EVAL:
                median = medians[name, stem, metric]
                assert scores["scores"][stem][metric] == pytest.approx(median, abs=1e-6)
            # Here the estimates are the floor, so its frames are museval's too.
            if name == "a | song":
                assert scores["floor"]["quarter_mixture"][stem]["SDR"] == pytest.approx(
                    scores["scores"][stem]["SDR"], abs=1e-6
                )
        of_stems = {scores["scores"][stem]["SDR"] for stem in STEMS}
        assert len(of_stems) == 4
    of_songs = methods.agg_frames_tracks_scores()
    rows = table(run / "scores.md")
    for stem in STEMS:
        for metric in BSS_EVAL:
            assert float(rows[stem][f"museval {metric}"]) == pytest.approx(
                of_songs[stem, metric], abs=5.1e-4
            )
    check_files(run, hq, ["a | song", "b song"])


def table(path: Path) -> dict[str, dict[str, str]]:
    """Read the first table of ``scores.md``."""
    lines = [line.strip("| \n").split(" | ") for line in path.open() if line.startswith("|")]
    heading, _, *rows = lines
    return {row[0]: dict(zip(heading, row, strict=False)) for row in rows[:5]}


def check_files(run: Path, data: Path, songs: list[str]) -> None:
    """Hold a run of the fake separator against what others read from it."""
    description = read(run / "run.json")
    assert list(description) == (
        "system data data_kind subset split date demix machine packages compute device precision"
        " deadline_seconds weights warning".split()
    )
    assert description["system"] == "mine"
    assert (description["data"], description["data_kind"]) == (str(data), "musdb18-hq")
    assert (description["subset"], description["split"]) == ("test", None)
    assert set(description["machine"]) == {"processor", "cores", "memory_gb", "system"}
    assert description["packages"]["museval"] == "0.4.1"

    expected = []
    for song in songs:
        scores = read(run / song / "scores.json")
        mixture = soundfile.info(data / "test" / song / "mixture.wav")
        assert scores["song"] == song
        assert scores["seconds"] == mixture.frames / mixture.samplerate
        assert scores["sample_rate"] == mixture.samplerate
        assert scores["reference"] == str(data / "test" / song)
        assert {**scores["origin"], "warning": None} == description
        assert scores["separation_seconds"] >= 0
        assert np.isfinite(scores["null_depth_db"])
        for stem in STEMS:
            found = scores["scores"][stem]
            assert list(found) == ["global_sdr", "si_sdr", *BSS_EVAL]
            limits = (
                scores["floor"]["quarter_mixture"][stem],
                scores["ceiling"]["ideal_ratio_mask"][stem],
            )
            assert limits[0]["global_sdr"] < limits[1]["global_sdr"]
            assert limits[0]["SDR"] < limits[1]["SDR"]
            values = [*found.values(), *(limit[key] for limit in limits for key in limit)]
            expected.append((song, stem, values))

    with (run / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["song"], row["stem"]) for row in rows] == [(s, stem) for s, stem, _ in expected]
    for row, (_, _, values) in zip(rows, expected, strict=True):
        assert row["system"] == "mine"
        assert [float(row[name]) for name in COLUMNS] == values


@pytest.fixture
def data(tmp_path: Path, rng: np.random.Generator) -> Path:
    for name in ("a", "b", "c"):
        write_song(tmp_path / "data" / name, rng)
    return tmp_path / "data"


def test_what_is_scored_is_not_scored_again(
    tmp_path: Path, data: Path, separator: type[FakeSeparator]
) -> None:
    options = ("--skip-existing", "--metrics", "global")
    result, run = evaluate(tmp_path, data, *options)
    files = [run / song / "scores.json" for song in ("a", "b", "c")]
    tables = [run / name for name in ("scores.csv", "scores.md", "scores.json")]
    written, told = [f.stat().st_mtime_ns for f in files], [f.read_bytes() for f in tables]

    assert evaluate(tmp_path, data, *options)[0].stdout == result.stdout
    assert [f.stat().st_mtime_ns for f in files] == written
    assert [f.read_bytes() for f in tables] == told

    files[0].write_text("{")  # a killed run's
    write_wav(run / "b" / "drums.wav", np.zeros((1000, 2)))  # others than were scored
    assert evaluate(tmp_path, data, *options)[0].exit_code == 0
    is_new = [f.stat().st_mtime_ns > before for f, before in zip(files, written, strict=True)]
    assert is_new == [True, True, False]
    assert read(files[1])["scores"]["drums"]["global_sdr"] == 0
    # Who has made these is not known.
    assert (read(files[1])["separation_seconds"], read(files[1])["origin"]) == (None, None)
    assert separator.separated == ["a", "b", "c"]


def test_scores_of_museval_are_added_to_others(
    tmp_path: Path, rng: np.random.Generator, separator: type[FakeSeparator]
) -> None:
    write_hq_song(tmp_path / "data" / "a", rng, 3000, channels=1)
    for call, metrics in enumerate(("global", "all", "global")):
        options = ("--skip-existing", "--metrics", metrics)
        result, run = evaluate(tmp_path, tmp_path / "data", *options)
        assert result.exit_code == 0
        has_museval = read(run / "a" / "scores.json")["scores"]["bass"]["SDR"] is not None
        # The last run finds more than it needs, and leaves it there.
        assert has_museval == (run / "museval" / "a.json").is_file() == (call > 0)
        assert ("museval SDR" in result.stdout) == has_museval
    (run / "museval" / "a.json").unlink()
    assert evaluate(tmp_path, tmp_path / "data", "--skip-existing")[0].exit_code == 0
    assert (run / "museval" / "a.json").is_file()
    assert separator.separated == ["a"]
    assert evaluate(tmp_path, tmp_path / "data", "--metrics", "global")[0].exit_code == 0
    assert separator.separated == ["a", "a"]
    assert not (run / "museval" / "a.json").exists()  # of stems that are no more


def test_musdb18_is_evaluated_from_its_own_files(
    tmp_path: Path, rng: np.random.Generator, separator: type[FakeSeparator]
) -> None:
    write_stem_file(tmp_path / "stems" / "train" / "a.stem.mp4", rng)
    for root in with_real_song(tmp_path / "stems"):
        options = ("--subset", "train", "--metrics", "global", "--skip-existing")
        result, run = evaluate(tmp_path, root, *options)
        assert result.exit_code == 0, result.output
        (song,) = (path.parent.name for path in run.glob("*/scores.json"))
        scores = read(run / song / "scores.json")
        assert scores["reference"] == str(root.resolve() / "train" / f"{song}.stem.mp4")
        stem = soundfile.info(run / song / "bass.wav")
        assert stem.frames == round(scores["seconds"] * RATE)
        count = len(separator.separated)
        assert evaluate(tmp_path, root, *options)[0].exit_code == 0
        assert len(separator.separated) == count
        for path in (run / song).iterdir():
            path.unlink()
        (run / song).rmdir()


@pytest.mark.parametrize("system", ["leaderboard_b", "leaderboard_c", "leaderboard_a"])
def test_contamination_is_said_in_the_tables(
    tmp_path: Path, rng: np.random.Generator, system: str
) -> None:
    write_hq_song(tmp_path / "hq" / "test" / "a", rng)
    words = (tmp_path / "hq", "-n", system, "-o", tmp_path / "out", "--metrics", "global")
    result = invoke("evaluate", *words)
    run = tmp_path / "out" / system
    with (run / "scores.csv").open(newline="") as file:
        warnings = {row["warning"] for row in csv.DictReader(file)}
    lines = [line for line in (run / "scores.md").read_text().splitlines() if "| **" in line]
    if system == "leaderboard_a":
        assert warnings == {""}
        assert "test songs" not in "".join(lines)
        return
    (warning,) = warnings
    assert warning.startswith(f"{system} ")
    assert read(run / "run.json")["warning"] == warning
    assert sum(warning in line for line in lines) == 2  # of the data set, and of its songs
    assert f"note: {warning}" in result.stderr
    assert warning in result.stdout


def test_of_validation_songs_the_tables_say_something_else() -> None:
    of_train, of_valid = (
        contamination("leaderboard_a", "a", "train", split) for split in (None, "valid")
    )
    assert of_train is not None
    assert of_valid is not None
    assert of_train.startswith("MUSDB18's train songs are what leaderboard_a's networks were")
    assert of_valid.startswith("MUSDB18's validation songs are what networks are chosen by")
    assert contamination("starter", "a", "train", "valid") is None


def test_some_songs_several_at_a_time(
    tmp_path: Path, data: Path, separator: type[FakeSeparator]
) -> None:
    options = ("--songs", "c, a", "-j", "2", "--metrics", "global")
    result, run = evaluate(tmp_path, data, *options)
    assert result.exit_code == 0
    assert sorted(separator.separated) == ["a", "c"]
    assert list(read(run / "scores.json")["songs"]) == ["a", "c"]


def test_a_song_that_cannot_be_scored_takes_no_other_down(tmp_path: Path, data: Path) -> None:
    write_wav(data / "b" / "drums.wav", np.zeros((999, 2)))
    (data / "c" / "bass.wav").write_bytes((data / "c" / "bass.wav").read_bytes()[:-9])
    result, run = evaluate(tmp_path, data, "--metrics", "global")
    assert result.exit_code == 1
    assert "error: b: " in result.stderr
    assert "drums.wav has 999 samples" in result.stderr
    assert "failed: b, c\n" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(read(run / "scores.json")["songs"]) == ["a"]
    assert "scores" not in read(run / "b" / "scores.json")
