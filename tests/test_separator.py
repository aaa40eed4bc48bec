"""`Separator`: from a file, an array, to memory and to files, always as long as the song."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from my_submission import DemixError, Separator
from my_submission.audio import Signal
from my_submission.audio.output import OutputFormat
from my_submission.networks.demucs_v2 import DemucsV2
from my_submission.parts import Parts
from my_submission.stems import SAMPLE_RATE, STEMS, Audio
from my_submission.streams import named_output
from tests.conftest import GAINS, write_mixer, write_scaling_network
from tests.golden_data import golden


@pytest.fixture(scope="module")
def separator(models: Path) -> Separator:
    return Separator("starter", models=models, device="cpu")


def test_a_file_is_separated_into_memory(separator: Separator, song: Path, noise: Audio) -> None:
    stems = separator.separate_file(song)
    assert list(stems) == list(STEMS)
    assert all(stem.shape == noise.shape and stem.dtype == np.float32 for stem in stems.values())
    # The drums network scales all bins that it is given; only the Nyquist frequency's is lost.
    np.testing.assert_allclose(stems["drums"], GAINS["drums"] * noise, atol=0.01 * GAINS["drums"])


def test_an_array_gives_what_its_file_gives(separator: Separator, song: Path, noise: Audio) -> None:
    from_file, from_array = separator.separate_file(song), separator.separate_array(noise)
    for stem in STEMS:
        np.testing.assert_array_equal(from_file[stem], from_array[stem])


def test_files_hold_what_memory_gives(separator: Separator, song: Path, tmp_path: Path) -> None:
    paths = {name: tmp_path / "out" / f"{name}.wav" for name in ("vocals", "no_vocals", "bass")}
    separator.separate_to_files(song, paths)
    stems = separator.separate_file(song)
    mixture, _ = soundfile.read(song, dtype="float32")
    expected = {
        "vocals": stems["vocals"],
        "bass": stems["bass"],
        "no_vocals": mixture.T - stems["vocals"],
    }
    for name, path in paths.items():
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == SAMPLE_RATE
        np.testing.assert_array_equal(samples.T, expected[name])


def test_progress_ends_with_the_whole_song(separator: Separator, noise: Audio) -> None:
    seen: list[tuple[int, int]] = []
    separator.separate_array(noise, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (noise.shape[1], noise.shape[1])
    assert seen == sorted(seen)


@pytest.mark.parametrize("length", [1, 2, 255 * 1024 - 16384, 255 * 1024 - 16384 + 1])
def test_stems_are_as_long_as_the_song(separator: Separator, length: int) -> None:
    stems = separator.separate_array(np.full((2, length), 0.25, np.float32))
    assert {stem.shape for stem in stems.values()} == {(2, length)}


def test_silence_stays_silent(separator: Separator) -> None:
    for stem in separator.separate_array(np.zeros((2, 1000))).values():
        np.testing.assert_array_equal(stem, 0)


@pytest.mark.parametrize("length", [1, 4000])
def test_silence_stays_finite_through_demucs(length: int) -> None:
    separator = Separator("leaderboard_a", models=golden("models"), device="cpu")
    for stem in separator.separate_array(np.zeros((2, length))).values():
        assert stem.shape == (2, length)
        assert np.isfinite(stem).all()


@pytest.mark.parametrize("rate", [8000, 48_000, 192_000])
def test_another_rate_is_given_back_at_that_rate_and_length(
    separator: Separator, tmp_path: Path, rng: np.random.Generator, rate: int
) -> None:
    length = 12_345
    path = tmp_path / "song.wav"
    soundfile.write(path, rng.uniform(-0.3, 0.3, (length, 1)), rate, subtype="FLOAT")
    said: list[str] = []
    paths = {"drums": tmp_path / "drums.wav"}
    separator.separate_to_files(path, paths, source_rate=True, say=said.append)
    found = soundfile.info(paths["drums"])
    assert (found.samplerate, found.frames, found.channels) == (rate, length, 2)
    assert len(said) == 2
    separator.separate_to_files(path, paths)
    found = soundfile.info(paths["drums"])
    assert (found.samplerate, found.frames) == (SAMPLE_RATE, round(length * SAMPLE_RATE / rate))


def test_an_array_of_another_rate_is_resampled(separator: Separator) -> None:
    stems = separator.separate_array(np.zeros((2, 48_000)), sample_rate=48_000)
    assert stems["bass"].shape == (2, SAMPLE_RATE)


@pytest.mark.parametrize(
    "mixture", [np.zeros(10), np.zeros((1, 10)), np.zeros((10, 2)), np.zeros((2, 0))]
)
def test_an_array_of_another_shape_is_refused(separator: Separator, mixture: Audio) -> None:
    with pytest.raises(DemixError, match="expected"):
        separator.separate_array(mixture)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_array_with_nan_or_infinity_is_refused(separator: Separator, bad: float) -> None:
    with pytest.raises(DemixError, match="finite"):
        separator.separate_array(np.full((2, 10), bad))


def test_an_array_gives_what_its_file_gives_at_another_rate(
    separator: Separator, tmp_path: Path, noise: Audio
) -> None:
    soundfile.write(tmp_path / "song.wav", noise.T, 48_000, subtype="FLOAT")
    from_file = separator.separate_file(tmp_path / "song.wav")
    from_array = separator.separate_array(noise, 48_000)
    for stem in STEMS:
        np.testing.assert_array_equal(from_file[stem], from_array[stem])
    assert separator.separate_array(noise[:, :1], 192_000)["bass"].shape == (2, 1)
    with pytest.raises(DemixError, match="sample rate 0 Hz"):
        separator.separate_array(noise, 0)


def test_integers_are_refused(separator: Separator) -> None:
    with pytest.raises(DemixError, match="expected floats"):
        separator.separate_array(np.ones((2, 9), np.int16))


def test_a_network_that_gives_nan_leaves_nothing(models: Path, song: Path, tmp_path: Path) -> None:
    separator = Separator("starter", models=models, device="cpu")

    class Broken:
        parts = Parts()

        def separate(self, mixture: Signal) -> Iterator[Audio]:
            yield np.full((4, 2, mixture.num_samples), np.nan, np.float32)

    separator._system = Broken()
    with pytest.raises(DemixError, match="NaN"):
        separator.separate_to_files(song, {"bass": tmp_path / "out" / "bass.wav"})
    assert not (tmp_path / "out").exists()
    with pytest.raises(DemixError, match="NaN"):
        separator.separate_file(song)


def test_an_unknown_stem_is_named(noise: Audio) -> None:
    for name in ("guitar", "no_guitar"):
        with pytest.raises(DemixError, match="stem 'guitar' is unknown: there are bass, drums"):
            named_output(name, dict.fromkeys(STEMS, noise), noise)


def test_an_unknown_system_precision_or_format_is_an_error(models: Path) -> None:
    with pytest.raises(DemixError, match="there are starter, leaderboard_a, leaderboard_b"):
        Separator("leaderboard_z", models=models)
    with pytest.raises(DemixError, match="exact or fast"):
        Separator("starter", models=models, precision="quick")  # type: ignore[arg-type]
    with pytest.raises(DemixError, match="use auto, onnxruntime, openvino, numba or torch"):
        Separator("starter", models=models, backend="tvm")  # type: ignore[arg-type]
    with pytest.raises(DemixError):
        OutputFormat(container="flac", subtype="float32")


def test_fast_stays_close_to_exact(models: Path, noise: Audio) -> None:
    exact = Separator("starter", models=models, device="cpu", precision="exact")
    fast = Separator("starter", models=models, device="cpu", precision="fast")
    assert (exact.compute.precision, fast.compute.precision) == ("exact", "fast")
    expected, found = exact.separate_array(noise), fast.separate_array(noise)
    for stem in STEMS:
        error = np.sum((found[stem] - expected[stem]) ** 2)
        assert error <= 10**-4.5 * np.sum(expected[stem] ** 2)


def test_what_runs_which_files_is_said_and_kept(models: Path) -> None:
    said: list[str] = []
    separator = Separator(
        "starter", models=models, device="cpu", backend="onnxruntime", say=said.append
    )
    assert said == [f"starter runs on cpu: {separator.compute.summary()}"]
    expected = {f"{stem}.onnx": "onnxruntime, float32" for stem in STEMS}
    assert separator.compute.runners == expected
    assert separator.device == "cpu"


def test_missing_weights_name_the_command_that_fetches_them(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match=r"demix weights fetch leaderboard_b"):
        Separator("leaderboard_b", models=tmp_path)


def test_networks_of_another_system_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "leaderboard_a"
    folder.mkdir()
    for stem in STEMS:  # the frames of Leaderboard B
        write_scaling_network(folder / f"{stem}.onnx", 1.0, num_frames=256)
    write_mixer(folder / "mixer.ckpt")
    torch.save(DemucsV2(channels=1).state_dict(), folder / "demucs-e07c671f.th")
    with pytest.raises(DemixError, match=r"bass\.onnx.*another system's"):
        Separator("leaderboard_a", models=tmp_path)
