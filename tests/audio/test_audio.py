"""What a song gives once it is open, and what is refused."""

import tempfile
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from my_submission.audio import ArraySignal, Signal, open_song
from my_submission.errors import DemixError
from my_submission.stems import Audio
from tests.audio.sound_files import (
    BLOCK_SIZES,
    int16_noise,
    open_descriptors,
    read_sound,
    write_sound,
)


def read_whole(path: Path) -> tuple[Audio, list[str]]:
    said: list[str] = []
    with open_song(path, say=said.append) as song:
        return song.signal.read(0, song.signal.num_samples), said


def read_by_blocks(signal: Signal, block_size: int) -> Audio:
    starts = range(0, signal.num_samples, block_size)
    blocks = [signal.read(a, min(a + block_size, signal.num_samples)) for a in starts]
    return np.concatenate(blocks, axis=1)


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        (".wav", "PCM_16"),
        (".wav", "PCM_24"),
        (".wav", "FLOAT"),
        (".wav", "DOUBLE"),
        (".flac", "PCM_16"),
        (".flac", "PCM_24"),
        (".aiff", "PCM_16"),
        (".w64", "PCM_16"),
        (".rf64", "PCM_16"),
        (".caf", "FLOAT"),
    ],
)
def test_stereo_44100_is_read_unchanged(
    tmp_path: Path, rng: np.random.Generator, suffix: str, subtype: str
) -> None:
    sound = int16_noise(rng, 10_007)
    path = write_sound(tmp_path / f"song{suffix}", sound, subtype=subtype)
    with open_song(path, say=pytest.fail) as song:
        assert (song.path, song.source_rate, song.source_channels) == (path, 44_100, 2)
        assert song.source_samples == song.signal.num_samples == 10_007
        np.testing.assert_array_equal(song.signal.read(0, 10_007), sound)


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_blocks_of_any_size_are_the_whole(
    tmp_path: Path, rng: np.random.Generator, suffix: str, rate: int
) -> None:
    path = write_sound(tmp_path / f"song{suffix}", int16_noise(rng, 9_000), rate, "PCM_16")
    with open_song(path, say=lambda line: None) as song:
        whole = song.signal.read(0, song.signal.num_samples)
        for block_size in BLOCK_SIZES:
            np.testing.assert_array_equal(read_by_blocks(song.signal, block_size), whole)


@pytest.mark.parametrize("kind", ["array", "in place", "scratch"])
def test_outside_the_song_there_are_zeros(
    tmp_path: Path, rng: np.random.Generator, kind: str
) -> None:
    sound = int16_noise(rng, 100)

    def check(signal: Signal) -> None:
        n = signal.num_samples
        whole = signal.read(0, n)
        padded = np.pad(whole, ((0, 0), (7, 5)))
        np.testing.assert_array_equal(signal.read(-7, n + 5), padded)
        np.testing.assert_array_equal(signal.read(-7, 3), padded[:, :10])
        np.testing.assert_array_equal(signal.read(n - 2, n + 5), padded[:, -7:])
        np.testing.assert_array_equal(signal.read(-20, -10), np.zeros((2, 10)))
        np.testing.assert_array_equal(signal.read(n + 3, n + 4), np.zeros((2, 1)))
        assert signal.read(50, 50).shape == (2, 0)
        assert signal.read(0, 10).dtype == np.float32

    if kind == "array":
        check(ArraySignal(sound))
        return
    path = write_sound(tmp_path / "song.wav", sound, 44_100 if kind == "in place" else 48_000)
    with open_song(path, say=lambda line: None) as song:
        check(song.signal)


def test_a_block_is_the_callers_own(rng: np.random.Generator) -> None:
    sound = int16_noise(rng, 10)
    block = ArraySignal(sound).read(0, 10)
    block += 1
    assert not np.array_equal(sound, block)


def test_an_array_signal_wants_two_channels() -> None:
    with pytest.raises(ValueError, match="not \\[1, 5\\]"):
        ArraySignal(np.zeros((1, 5), np.float32))


@pytest.mark.parametrize("num_samples", [1, 2, 1_000])
@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 192_000])
def test_silence_and_single_samples_are_sound(tmp_path: Path, num_samples: int, rate: int) -> None:
    path = write_sound(tmp_path / "song.wav", np.zeros((2, num_samples), np.float32), rate)
    sound, _ = read_whole(path)
    assert sound.shape == (2, max(1, round(num_samples * 44_100 / rate)))
    assert not sound.any()


def test_mono_goes_to_both_channels(tmp_path: Path, rng: np.random.Generator) -> None:
    mono = int16_noise(rng, 5_000, channels=1)
    sound, said = read_whole(write_sound(tmp_path / "song.wav", mono))
    np.testing.assert_array_equal(sound, np.repeat(mono, 2, axis=0))
    assert len(said) == 1
    assert "mono" in said[0]


def test_every_conversion_is_said(tmp_path: Path, rng: np.random.Generator) -> None:
    _, said = read_whole(write_sound(tmp_path / "phone.wav", int16_noise(rng, 800, 1), 8_000))
    assert [line.startswith(str(tmp_path / "phone.wav")) for line in said] == [True, True]
    assert "mono" in said[0]
    assert "8000 Hz -> 44100 Hz" in said[1]
    _, said = read_whole(write_sound(tmp_path / "film.wav", int16_noise(rng, 800, 6), 192_000))
    assert "6 channels (FL FR FC LFE BL BR) -> stereo by ITU-R BS.775" in said[0]
    assert "192000 Hz -> 44100 Hz" in said[1]


def test_surround_is_mixed_by_bs775(tmp_path: Path) -> None:
    frames = np.zeros((6, 6), np.float32)
    np.fill_diagonal(frames, 0.5)  # in frame k only channel k sounds
    sound, _ = read_whole(write_sound(tmp_path / "film.wav", frames))
    half_power = 0.5 * np.sqrt(0.5)
    expected = [[0.5, 0, half_power, 0, half_power, 0], [0, 0.5, half_power, 0, 0, half_power]]
    np.testing.assert_allclose(sound, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["a song.wav", "Ünï ♥ 🎵.wav", "-.wav", "two\nlines.wav", "a:b.wav"]
)
def test_any_name_will_do(tmp_path: Path, rng: np.random.Generator, name: str) -> None:
    sound = int16_noise(rng, 100)
    path = write_sound(tmp_path / name, sound, 48_000)
    whole, said = read_whole(path)
    assert whole.shape == (2, 92)
    assert "\n" not in said[0]
    path.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(DemixError) as caught:
        read_whole(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("problem", [None, KeyboardInterrupt, TimeoutError])
def test_nothing_stays_open_or_on_disk(
    tmp_path: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    problem: type[BaseException] | None,
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    path = write_sound(tmp_path / "song.wav", int16_noise(rng, 100_000), 48_000)
    before = open_descriptors()

    def use() -> None:
        with open_song(path, say=lambda line: None) as song:
            assert song.signal.read(0, 10).any()
            if problem is not None:
                raise problem

    if problem is None:
        use()
    else:
        with pytest.raises(problem):
            use()
    assert list(scratch.iterdir()) == []
    assert open_descriptors() <= before


def test_an_interrupt_while_decoding_leaves_nothing(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    path = write_sound(tmp_path / "song.wav", int16_noise(rng, 1_000), 48_000)
    before = open_descriptors()

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt), open_song(path, say=interrupt):
        pass
    assert list(scratch.iterdir()) == []
    assert open_descriptors() <= before


def test_threads_may_read_at_once(tmp_path: Path, rng: np.random.Generator) -> None:
    sound = int16_noise(rng, 20_000)
    path = write_sound(tmp_path / "song.flac", sound, subtype="PCM_16")
    wrong: list[int] = []
    with open_song(path, say=pytest.fail) as song:

        def read(seed: int) -> None:
            for start in np.random.default_rng(seed).integers(0, 19_000, 50):
                block = song.signal.read(start, start + 1_000)
                if not np.array_equal(block, sound[:, start : start + 1_000]):
                    wrong.append(int(start))

        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_file_that_shrinks_is_an_error(tmp_path: Path, rng: np.random.Generator) -> None:
    path = write_sound(tmp_path / "song.wav", int16_noise(rng, 50_000))
    with open_song(path, say=pytest.fail) as song:
        path.write_bytes(path.read_bytes()[:1_000])
        with pytest.raises(DemixError, match="shorter"):
            song.signal.read(40_000, 50_000)


def peak_bytes(action: Callable[[], None]) -> int:
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_memory_does_not_grow_with_the_song(tmp_path: Path, rate: int) -> None:
    def read(seconds: int) -> Callable[[], None]:
        path = tmp_path / f"{seconds}.wav"
        write_sound(path, np.full((2, seconds * rate), 0.1, np.float32), rate, "PCM_16")

        def action() -> None:
            with open_song(path, say=lambda line: None) as song:
                for start in range(0, song.signal.num_samples, 1 << 16):
                    song.signal.read(start, start + (1 << 16))

        return action

    assert peak_bytes(read(60)) <= 1.1 * peak_bytes(read(10))


def test_what_is_written_here_is_what_is_read(tmp_path: Path, rng: np.random.Generator) -> None:
    sound = int16_noise(rng, 10)
    np.testing.assert_array_equal(read_sound(write_sound(tmp_path / "a.wav", sound)), sound)
