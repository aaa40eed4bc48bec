"""What is left when writing goes wrong: nothing, and one line."""

import contextlib
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from my_submission.audio.atomic import OutputFiles
from my_submission.audio.output import OutputFormat, StemWriter
from my_submission.errors import DemixError
from my_submission.stems import Audio
from tests.audio.sound_files import int16_noise, open_descriptors, read_sound
from tests.audio.test_output import FORMATS, NAMES, format_id

NUM_SAMPLES = 30_000


@pytest.fixture
def sound(rng: np.random.Generator) -> Audio:
    return int16_noise(rng, NUM_SAMPLES)


def write_all(folder: Path, sound: Audio, fmt: OutputFormat) -> None:
    paths = {name: folder / f"{name}{fmt.suffix}" for name in NAMES}
    with StemWriter(paths, sound.shape[1], fmt, say=lambda line: None) as writer:
        for start in range(0, sound.shape[1], 8192):
            writer.write(dict.fromkeys(NAMES, sound[:, start : start + 8192]))


def refusal(folder: Path, sound: Audio, fmt: OutputFormat | None = None) -> str:
    """Write stems that cannot be written; give the line."""
    with pytest.raises(DemixError) as caught:
        write_all(folder, sound, fmt or OutputFormat())
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("problem", [KeyboardInterrupt, TimeoutError, DemixError, SystemExit])
@pytest.mark.parametrize("fmt", FORMATS, ids=format_id)
def test_an_exception_leaves_nothing(
    tmp_path: Path, sound: Audio, fmt: OutputFormat, problem: type[BaseException]
) -> None:
    before = open_descriptors()
    paths = {name: tmp_path / "a" / "b" / f"{name}{fmt.suffix}" for name in NAMES}
    with (
        pytest.raises(problem),
        StemWriter(paths, NUM_SAMPLES, fmt, say=pytest.fail) as writer,
    ):
        writer.write(dict.fromkeys(NAMES, sound[:, :20_000]))
        raise problem
    assert list(tmp_path.iterdir()) == []
    assert open_descriptors() <= before


def test_an_exception_leaves_what_was_there(tmp_path: Path, sound: Audio) -> None:
    (tmp_path / "bass.wav").write_text("old")
    sound[0, 25_000] = np.nan
    assert "NaN or infinity" in refusal(tmp_path, sound)
    assert [path.name for path in tmp_path.iterdir()] == ["bass.wav"]
    assert (tmp_path / "bass.wav").read_text() == "old"


@pytest.mark.parametrize("fmt", FORMATS, ids=format_id)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(
    tmp_path: Path, sound: Audio, fmt: OutputFormat, bad: float
) -> None:
    sound[1, 29_000] = bad
    assert "bass" in refusal(tmp_path / "out", sound, fmt)
    assert list(tmp_path.iterdir()) == []


def test_clipping_is_refused_where_it_is_to_be(tmp_path: Path, sound: Audio) -> None:
    sound[1, 29_000] = 1.001
    line = refusal(tmp_path / "out", sound, OutputFormat("wav", "int16", "none"))
    assert "bass: would clip" in line
    assert list(tmp_path.iterdir()) == []


def test_a_rename_that_fails_leaves_no_stem(tmp_path: Path, sound: Audio) -> None:
    paths = {name: tmp_path / f"{name}.wav" for name in NAMES}
    with (
        pytest.raises(DemixError, match=r"vocals\.wav"),
        StemWriter(paths, NUM_SAMPLES, OutputFormat(), say=pytest.fail) as writer,
    ):
        writer.write(dict.fromkeys(NAMES, sound))
        paths["vocals"].mkdir()
    assert [path.name for path in tmp_path.iterdir()] == ["vocals.wav"]


def test_an_interrupt_between_renames_leaves_all(
    tmp_path: Path, sound: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace
    calls: list[Path] = []

    def interrupted(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_all(tmp_path / "out", sound, OutputFormat("wav", "float32"))
    assert {path.stem for path in (tmp_path / "out").iterdir()} == set(NAMES)
    np.testing.assert_array_equal(read_sound(tmp_path / "out" / "vocals.wav"), sound)


def test_an_interrupt_while_cleaning_up_does_not_stop_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = OutputFiles({"a": tmp_path / "x" / "a", "b": tmp_path / "x" / "b"})
    files.create()
    unlink = Path.unlink
    calls: list[Path] = []

    def interrupted(self: Path, missing_ok: bool = False) -> None:
        calls.append(self)
        if len(calls) == 1:
            raise KeyboardInterrupt
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_another_song_removes_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch = Path.touch
    calls: list[Path] = []

    def vanishing(self: Path, mode: int = 0o666, exist_ok: bool = True) -> None:
        calls.append(self)
        if len(calls) == 1:
            self.parent.rmdir()
        touch(self, mode, exist_ok)

    monkeypatch.setattr(Path, "touch", vanishing)
    with StemWriter({"a": tmp_path / "x" / "a.wav"}, 0, OutputFormat(), say=pytest.fail):
        pass
    assert (tmp_path / "x" / "a.wav").exists()


def test_a_folder_that_keeps_vanishing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanished(self: Path, mode: int = 0o666, exist_ok: bool = True) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(self), mode, exist_ok)

    monkeypatch.setattr(Path, "touch", vanished)
    writer = StemWriter({"a": tmp_path / "x" / "a.wav"}, 0, OutputFormat(), say=pytest.fail)
    with pytest.raises(DemixError, match=r"a\.wav: cannot be written"), writer:
        pass
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_else_in_it_stays(tmp_path: Path) -> None:
    paths = {"a": tmp_path / "x" / "a.wav"}
    with (
        pytest.raises(KeyboardInterrupt),
        StemWriter(paths, 1, OutputFormat(), say=pytest.fail),
    ):
        (tmp_path / "x" / "notes.txt").write_text("mine")
        raise KeyboardInterrupt
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["notes.txt"]


def test_callers_mistakes_are_not_the_users(tmp_path: Path) -> None:
    silence: Audio = np.zeros((2, 10), np.float32)
    path = tmp_path / "x.wav"
    with pytest.raises(ValueError, match="one path"):
        StemWriter({"a": path, "b": path}, 1, OutputFormat(), say=pytest.fail)

    def write(num_samples: int, *blocks: dict[str, Audio]) -> None:
        paths = {"a": path, "b": tmp_path / "y.wav"}
        with StemWriter(paths, num_samples, OutputFormat(), say=pytest.fail) as writer:
            for block in blocks:
                writer.write(block)

    both = {"a": silence, "b": silence}
    with pytest.raises(ValueError, match="20 samples for files of 15"):
        write(15, both, both)
    with pytest.raises(ValueError, match="20 samples for files of 25"):
        write(25, both, both)
    with pytest.raises(ValueError, match=r"\[2, n\] with one n"):
        write(10, {"a": silence, "b": silence[:, :5]})
    with pytest.raises(ValueError, match=r"\[2, n\] with one n"):
        write(10, {"a": silence.T, "b": silence.T})
    assert list(tmp_path.iterdir()) == []


def test_formats_that_cannot_be_are_refused() -> None:
    with pytest.raises(DemixError, match="FLAC cannot hold float32"):
        OutputFormat("flac", "float32")
    with pytest.raises(DemixError, match="FLAC cannot hold 705600 Hz"):
        StemWriter({}, 1, OutputFormat("flac"), sample_rate=705_600, say=pytest.fail)
    with pytest.raises(DemixError, match="sample rate 100 Hz"):
        StemWriter({}, 1, OutputFormat(), sample_rate=100, say=pytest.fail)


ENDLESS = """
import sys
from pathlib import Path
import numpy as np
from my_submission.audio.output import OutputFormat, StemWriter
paths = {name: Path(sys.argv[1]) / "out" / f"{name}.flac" for name in ("bass", "drums")}
block = np.zeros((2, 4096), np.float32)
with StemWriter(paths, 1 << 40, OutputFormat("flac", "int16", "clamp"), say=print) as writer:
    while True:
        writer.write(dict.fromkeys(paths, block))
        print(flush=True)
"""


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENDLESS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert len(list((tmp_path / "out").iterdir())) == 2
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in complaint
    assert list(tmp_path.iterdir()) == []


class TimeIsUpError(Exception):
    """What a time limit raises, wherever the program is."""


def test_alarms_at_any_moment_leave_all_or_nothing(
    tmp_path: Path, rng: np.random.Generator, sound: Audio
) -> None:
    def ring(*_: object) -> None:
        raise TimeIsUpError

    formats = [OutputFormat("wav", "float32"), OutputFormat("flac", "int16"), OutputFormat("mp3")]
    before = signal.signal(signal.SIGALRM, ring)
    try:
        for attempt in range(60):
            out = tmp_path / secrets.token_hex(4)
            with contextlib.suppress(TimeIsUpError):
                try:
                    signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-4, 0.05))
                    write_all(out, sound[:, :5_000], formats[attempt % 3])
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            assert not out.exists() or {path.stem for path in out.iterdir()} == set(NAMES)
    finally:
        signal.signal(signal.SIGALRM, before)
