"""Encoders that fail late, and closing that cannot be broken."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from my_submission.audio.closing import close_sound_file
from my_submission.audio.encoding import Encoder, OutputFormat, Subtype, quantised
from my_submission.audio.output import StemWriter
from my_submission.errors import DemixError
from my_submission.stems import Audio
from tests.audio.sound_files import int16_noise


def test_integers_are_as_libsndfile_reads_them(rng: np.random.Generator) -> None:
    sound = int16_noise(rng, 100)
    np.testing.assert_array_equal(quantised(sound, 16) / np.float32(1 << 15), sound)
    np.testing.assert_array_equal(quantised(sound, 24) / np.float32(1 << 31), sound)
    edges = np.array([1, 2, -1, -2, 0.4 / 32768, 0.6 / 32768], np.float32)
    assert quantised(edges, 16).tolist() == [32767, 32767, -32768, -32768, 0, 1]
    assert quantised(edges[:4], 24).tolist() == [0x7FFFFF00] * 2 + [-0x80000000] * 2


def test_a_temporary_file_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match=r"stem\.wav: cannot be written \(No such file"):
        Encoder(
            tmp_path / "x.part",
            tmp_path / "stem.wav",
            OutputFormat(),
            sample_rate=44_100,
            num_samples=1,
        )
    paths = {"a": tmp_path / "a.wav"}
    fmt = OutputFormat("wav", "float32")
    with (
        pytest.raises(DemixError, match=r"a\.wav: cannot be written \(No such file"),
        StemWriter(paths, 1, fmt, say=pytest.fail) as writer,
    ):
        writer.write({"a": np.zeros((2, 1), np.float32)})
        for entry in tmp_path.iterdir():
            entry.unlink()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_whole_is_said(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = soundfile.SoundFile.write

    def lossy(self: soundfile.SoundFile, frames: Audio) -> None:
        write(self, frames[:-1])

    monkeypatch.setattr(soundfile.SoundFile, "write", lossy)
    paths = {"a": tmp_path / "a.wav"}
    with (
        pytest.raises(DemixError, match=r"a\.wav: cannot be written \(it is not whole\)"),
        StemWriter(paths, 100, OutputFormat("wav", "float32"), say=pytest.fail) as writer,
    ):
        writer.write({"a": int16_noise(rng, 100)})
    assert list(tmp_path.iterdir()) == []


def test_a_rate_that_libsndfile_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.part").touch()
    with pytest.raises(DemixError, match=r"a\.mp3: cannot be written"):
        Encoder(
            tmp_path / "x.part",
            tmp_path / "a.mp3",
            OutputFormat("mp3"),
            sample_rate=96_000,
            num_samples=1,
        )


class StubFile:
    """A file that notes which threads close it, and may fail to."""

    def __init__(self, error: soundfile.LibsndfileError | None = None) -> None:
        self.threads: list[int] = []
        self._error = error

    def close(self) -> None:
        self.threads.append(threading.get_ident())
        if self._error is not None:
            raise self._error


def test_files_are_closed_where_no_signal_interrupts() -> None:
    stub = StubFile()
    close_sound_file(stub)
    assert len(stub.threads) == 1
    assert stub.threads[0] != threading.get_ident()


def test_what_closing_raises_arrives() -> None:
    with pytest.raises(soundfile.LibsndfileError):
        close_sound_file(StubFile(soundfile.LibsndfileError(2)))


@pytest.mark.parametrize("subtype", ["int16", "float32"])
def test_equal_sound_makes_equal_files_at_any_time(
    tmp_path: Path, rng: np.random.Generator, subtype: Subtype
) -> None:
    sound = int16_noise(rng, 1_000)
    contents = set()
    for index in range(2):
        path = tmp_path / f"{index}.wav"
        with StemWriter({"a": path}, 1_000, OutputFormat("wav", subtype), say=pytest.fail) as out:
            out.write({"a": sound})
        contents.add(path.read_bytes())
        np.testing.assert_array_equal(soundfile.read(path, dtype="float32")[0].T, sound)
        time.sleep(1.01)  # the time in a file is in whole seconds
    assert len(contents) == 1
