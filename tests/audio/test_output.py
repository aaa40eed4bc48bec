"""What stems' files hold when they are written."""

import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from my_submission.audio import open_song
from my_submission.audio.encoding import soundfile_format
from my_submission.audio.output import FLOAT_WAV, ClipMode, OutputFormat, StemWriter
from my_submission.errors import DemixError
from my_submission.stems import STEMS, Audio
from tests.audio.sound_files import BLOCK_SIZES, int16_noise, read_sound, write_sound

FORMATS = [
    OutputFormat("wav", "int16"),
    OutputFormat("wav", "int24", "clamp"),
    OutputFormat("wav", "float32"),
    OutputFormat("flac", "int16", "none"),
    OutputFormat("flac", "int24"),
    OutputFormat("mp3"),
]
NAMES: tuple[str, ...] = STEMS
INT16_STEP = 1 / 32768


def format_id(fmt: OutputFormat) -> str:
    return f"{fmt.container}-{fmt.subtype}-{fmt.clip_mode}"


def write_stems(
    folder: Path,
    stems: dict[str, Audio],
    fmt: OutputFormat,
    *,
    block_size: int = 8192,
    sample_rate: int = 44_100,
    out_samples: int | None = None,
) -> list[str]:
    """Write stems block by block; give what was said."""
    said: list[str] = []
    num_samples = next(iter(stems.values())).shape[1]
    paths = {name: folder / f"{name}{fmt.suffix}" for name in stems}
    with StemWriter(
        paths, num_samples, fmt, sample_rate=sample_rate, out_samples=out_samples, say=said.append
    ) as writer:
        for start in range(0, num_samples, block_size):
            writer.write({name: x[:, start : start + block_size] for name, x in stems.items()})
    assert {path.name for path in folder.iterdir()} == {path.name for path in paths.values()}
    return said


@pytest.fixture
def stems(rng: np.random.Generator) -> dict[str, Audio]:
    return {name: int16_noise(rng, 9_000) for name in NAMES}


@pytest.fixture
def loud(rng: np.random.Generator) -> dict[str, Audio]:
    """Stems of which only vocals exceed full scale, up to 1.6."""
    stems = {name: int16_noise(rng, 9_000) * np.float32(0.5) for name in NAMES}
    stems["vocals"][1, 4_000] = -1.6
    stems["vocals"][0, 5_000:5_003] = 1.25
    return stems


@pytest.mark.parametrize("fmt", FORMATS, ids=format_id)
def test_files_hold_the_stems(tmp_path: Path, stems: dict[str, Audio], fmt: OutputFormat) -> None:
    folder = tmp_path / "separated" / "starter" / "a song ♥"
    assert write_stems(folder, stems, fmt) == []
    for name, sound in stems.items():
        path = folder / f"{name}{fmt.suffix}"
        info = soundfile.info(path)
        assert (info.format, info.samplerate, info.channels, info.frames) == (
            fmt.container.upper(),
            44_100,
            2,
            9_000,
        )
        if fmt.container != "mp3":
            np.testing.assert_array_equal(read_sound(path), sound)


@pytest.mark.parametrize(
    ("fmt", "subtype"),
    [
        *zip(
            FORMATS,
            ["PCM_16", "PCM_24", "FLOAT", "PCM_16", "PCM_24", "MPEG_LAYER_III"],
            strict=True,
        )
    ],
)
def test_files_have_the_subtype(
    tmp_path: Path, stems: dict[str, Audio], fmt: OutputFormat, subtype: str
) -> None:
    write_stems(tmp_path, stems, fmt)
    assert soundfile.info(tmp_path / f"bass{fmt.suffix}").subtype == subtype


@pytest.mark.parametrize("sample_rate", [44_100, 48_000])
@pytest.mark.parametrize("fmt", FORMATS, ids=format_id)
def test_block_sizes_do_not_matter(
    tmp_path: Path, rng: np.random.Generator, fmt: OutputFormat, sample_rate: int
) -> None:
    stems = {"drums": int16_noise(rng, 8_200) * np.float32(0.3)}
    whole = tmp_path / "whole"
    write_stems(whole, stems, fmt, block_size=8_200, sample_rate=sample_rate)
    for block_size in BLOCK_SIZES[1:] if fmt.container == "mp3" else BLOCK_SIZES:
        folder = tmp_path / str(block_size)
        write_stems(folder, stems, fmt, block_size=block_size, sample_rate=sample_rate)
        name = f"drums{fmt.suffix}"
        np.testing.assert_array_equal(read_sound(folder / name), read_sound(whole / name))


@pytest.mark.parametrize("num_samples", [1, 2, 1_152, 70_000])
@pytest.mark.parametrize("fmt", FORMATS, ids=format_id)
def test_every_length_is_kept(tmp_path: Path, fmt: OutputFormat, num_samples: int) -> None:
    silence: Audio = np.zeros((2, num_samples), np.float32)
    write_stems(tmp_path, {"bass": silence}, fmt)
    np.testing.assert_allclose(read_sound(tmp_path / f"bass{fmt.suffix}"), silence, atol=1e-4)


@pytest.mark.parametrize("fmt", FORMATS, ids=format_id)
@pytest.mark.parametrize("rate", [8_000, 48_000, 192_000])
@pytest.mark.parametrize("num_samples", [1, 4_801, 48_000])
def test_a_song_comes_back_at_its_own_rate_and_length(
    tmp_path: Path, rng: np.random.Generator, fmt: OutputFormat, rate: int, num_samples: int
) -> None:
    if fmt.container == "mp3" and rate == 192_000:
        with pytest.raises(DemixError, match="MP3 cannot hold 192000 Hz"):
            write_stems(tmp_path, {"a": np.zeros((2, 1), np.float32)}, fmt, sample_rate=rate)
        return
    path = write_sound(tmp_path / "song.wav", int16_noise(rng, num_samples), rate)
    with open_song(path, say=lambda line: None) as song:
        inside = song.signal.read(0, song.signal.num_samples) * np.float32(0.5)
        write_stems(
            tmp_path / "out",
            {"bass": inside},
            fmt,
            sample_rate=song.source_rate,
            out_samples=song.source_samples,
        )
    result = tmp_path / "out" / f"bass{fmt.suffix}"
    assert soundfile.info(result).samplerate == rate
    assert read_sound(result).shape == (2, num_samples)


def test_an_impulse_stays_in_its_place_there_and_back(tmp_path: Path) -> None:
    sound: Audio = np.zeros((2, 48_000), np.float32)
    sound[:, 24_000] = 0.5
    path = write_sound(tmp_path / "song.wav", sound, 48_000)
    with open_song(path, say=lambda line: None) as song:
        inside = song.signal.read(0, song.signal.num_samples)
        fmt = OutputFormat("wav", "float32")
        write_stems(tmp_path / "out", {"a": inside}, fmt, sample_rate=48_000, out_samples=48_000)
    assert np.argmax(read_sound(tmp_path / "out" / "a.wav")[0]) == 24_000


def test_mp3_keeps_time_and_quality(tmp_path: Path) -> None:
    seconds = np.arange(88_200) / 44_100
    sweep = 0.4 * np.sin(2 * np.pi * (200 + 400 * seconds) * seconds)
    sound = np.stack([sweep, -sweep]).astype(np.float32)
    write_stems(tmp_path, {"a": sound}, OutputFormat("mp3"))
    result = read_sound(tmp_path / "a.mp3")
    assert result.shape == sound.shape
    assert np.sum((result - sound) ** 2) < 1e-5 * np.sum(sound**2)
    assert (tmp_path / "a.mp3").stat().st_size == pytest.approx(2 * 320_000 / 8, rel=0.05)


@pytest.mark.parametrize("container", ["wav", "flac"])
def test_rescaling_is_one_gain_for_all(
    tmp_path: Path, loud: dict[str, Audio], container: str
) -> None:
    fmt = OutputFormat("flac" if container == "flac" else "wav", "int16", "rescale")
    (line,) = write_stems(tmp_path, loud, fmt)
    assert "4.08 dB" in line
    assert "vocals" in line
    for name, sound in loud.items():
        result = read_sound(tmp_path / f"{name}{fmt.suffix}")
        np.testing.assert_allclose(result, sound / 1.6, atol=0.51 * INT16_STEP)


@pytest.mark.parametrize("clip_mode", ["rescale", "clamp", "none"])
def test_full_scale_itself_is_not_clipping(tmp_path: Path, clip_mode: ClipMode) -> None:
    sound = np.array([[1, -1, 0.5], [0, 0, 0]], np.float32)
    assert write_stems(tmp_path, {"a": sound}, OutputFormat("wav", "int16", clip_mode)) == []
    expected = [[1 - INT16_STEP, -1, 0.5], [0, 0, 0]]
    np.testing.assert_array_equal(read_sound(tmp_path / "a.wav"), expected)


def test_clamping_counts_what_it_cuts(tmp_path: Path, loud: dict[str, Audio]) -> None:
    (line,) = write_stems(tmp_path, loud, OutputFormat("wav", "int16", "clamp"))
    assert "clamped 4 samples" in line
    for name, sound in loud.items():
        expected = np.clip(sound, -1, 1 - INT16_STEP)
        result = read_sound(tmp_path / f"{name}.wav")
        np.testing.assert_allclose(result, expected, atol=0.51 * INT16_STEP)


@pytest.mark.parametrize("clip_mode", ["rescale", "clamp", "none"])
def test_float_samples_are_never_touched(
    tmp_path: Path, loud: dict[str, Audio], clip_mode: ClipMode
) -> None:
    assert write_stems(tmp_path, loud, OutputFormat("wav", "float32", clip_mode)) == []
    for name, sound in loud.items():
        np.testing.assert_array_equal(read_sound(tmp_path / f"{name}.wav"), sound)


def test_mp3_is_turned_down_too(tmp_path: Path, loud: dict[str, Audio]) -> None:
    (line,) = write_stems(tmp_path, loud, OutputFormat("mp3", "float32"))
    assert "turned down" in line


def test_clipping_made_by_resampling_counts(tmp_path: Path) -> None:
    square = np.sign(np.sin(np.arange(9_000) / 20)).astype(np.float32)
    stems = {"a": np.stack([square, square])}
    (line,) = write_stems(tmp_path, stems, OutputFormat(), sample_rate=48_000)
    assert "turned down" in line
    assert np.abs(read_sound(tmp_path / "a.wav")).max() <= 1


def test_old_stems_are_replaced(tmp_path: Path, stems: dict[str, Audio]) -> None:
    for name in stems:
        (tmp_path / f"{name}.wav").write_text("old")
    write_stems(tmp_path, stems, OutputFormat())
    np.testing.assert_array_equal(read_sound(tmp_path / "bass.wav"), stems["bass"])


def test_long_sound_goes_to_rf64() -> None:
    wav = OutputFormat("wav", "float32")
    assert soundfile_format(wav, 3600 * 44_100) == "WAV"
    assert soundfile_format(wav, 4 * 3600 * 44_100) == "RF64"
    assert soundfile_format(OutputFormat("flac"), 40 * 3600 * 44_100) == "FLAC"


@pytest.mark.parametrize("fmt", FORMATS, ids=format_id)
def test_memory_does_not_grow_with_the_song(tmp_path: Path, fmt: OutputFormat) -> None:
    def peak_bytes(num_blocks: int) -> int:
        block = np.full((2, 1 << 16), 0.5, np.float32)
        paths = {name: tmp_path / f"{name}{fmt.suffix}" for name in ("bass", "drums")}
        tracemalloc.start()
        try:
            with StemWriter(paths, num_blocks << 16, fmt, say=pytest.fail) as writer:
                for _ in range(num_blocks):
                    writer.write(dict.fromkeys(paths, block))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak_bytes(12) <= 1.1 * peak_bytes(3)


def test_scratch_files_go_where_they_should(
    tmp_path: Path, stems: dict[str, Audio], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    write_stems(tmp_path / "a", stems, OutputFormat("wav", "float32"))
    with pytest.raises(DemixError, match="scratch"):
        write_stems(tmp_path / "b", stems, OutputFormat())
    assert {path.name for path in tmp_path.iterdir()} == {"a"}


@pytest.mark.parametrize("fmt", [FLOAT_WAV, OutputFormat("flac", "int16"), OutputFormat()])
def test_copies_are_the_same_file_and_need_no_blocks(tmp_path: Path, fmt: OutputFormat) -> None:
    paths = {name: tmp_path / f"{name}{fmt.suffix}" for name in ("bass", "drums", "no_bass")}
    block = np.random.default_rng(0).uniform(-1.2, 1.2, (2, 30_000)).astype(np.float32)
    with StemWriter(paths, 30_000, fmt, copies={"drums": "bass"}, say=lambda line: None) as writer:
        writer.write({"bass": block, "no_bass": -block})
    assert paths["drums"].read_bytes() == paths["bass"].read_bytes()
    assert paths["no_bass"].read_bytes() != paths["bass"].read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths.values()}
