"""Demucs v2: its lengths, its standardisation and its checkpoint; golden data tests its sound."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from my_submission.audio import ArraySignal
from my_submission.compute import Compute
from my_submission.errors import DemixError
from my_submission.networks import demucs_v2_frames
from my_submission.networks.demucs_v2 import DemucsV2, center_trim, load_demucs_v2
from my_submission.networks.demucs_v2_frames import FramewiseDemucsV2, open_demucs_v2
from my_submission.networks.lstm import PackedLstm, SequencesLstm
from my_submission.separators.demucs import (
    STATISTICS_BLOCK,
    DemucsSeparator,
    Statistics,
    mono,
    statistics,
)
from my_submission.stems import SAMPLE_RATE, Audio
from tests.golden_data import golden


def test_the_full_size_network_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        network = DemucsV2(channels=64)
    assert sum(parameter.numel() for parameter in network.parameters()) // 1_000_000 == 265


@pytest.mark.parametrize("length", [1, 1000, 8000, 44_100])
def test_a_valid_length_gives_enough_and_one_layers_less_does_not(length: int) -> None:
    network = DemucsV2(channels=1).eval()
    valid_length = DemucsV2.valid_length(length)
    with torch.inference_mode():
        assert network(torch.zeros(1, 2, valid_length)).shape[-1] >= length
    # The deepest layer has one value per 4^6 / 2 samples: with one less, the length is missed.
    if length > 1000:
        with torch.inference_mode():
            assert network(torch.zeros(1, 2, valid_length - 2048)).shape[-1] < length


def test_center_trim_drops_the_smaller_half_in_front() -> None:
    assert center_trim(torch.arange(7), 4).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("length", [2, 1000, STATISTICS_BLOCK + 17])
def test_statistics_equal_those_of_the_whole_song(rng: np.random.Generator, length: int) -> None:
    song = (rng.standard_normal((2, length)) * [[0.1], [0.3]] + [[0.2], [0.7]]).astype(np.float32)
    both = statistics(ArraySignal(song))
    assert math.isclose(both.mean, song.astype(np.float64).mean(), rel_tol=1e-9)
    assert math.isclose(both.std, song.astype(np.float64).std(ddof=1), rel_tol=1e-6)
    downmixed = statistics(ArraySignal(song), downmix=mono)
    assert math.isclose(downmixed.std, song.mean(axis=0).std(ddof=1), rel_tol=1e-4)


@pytest.mark.parametrize("song", [np.zeros((2, 1)), np.zeros((2, 99)), np.full((2, 99), 0.3)])
@pytest.mark.parametrize("downmix", [mono, lambda block: block])
def test_a_song_without_deviation_is_not_divided_by_zero(song: Audio, downmix: type[Audio]) -> None:
    stats = statistics(ArraySignal(song.astype(np.float32)), downmix)
    assert stats.std == 1


def test_standardising_is_undone_and_leaves_the_surroundings_zero(
    rng: np.random.Generator,
) -> None:
    song = rng.standard_normal((2, 10)).astype(np.float32)
    stats = Statistics(mean=0.5, std=2.0)
    signal = stats.standardise(ArraySignal(song))
    assert signal.num_samples == 10
    around = signal.read(-3, 14)
    np.testing.assert_array_equal(around[:, :3], 0)
    np.testing.assert_array_equal(around[:, 13:], 0)
    np.testing.assert_array_equal(signal.read(20, 25), 0)
    (restored,) = stats.restore(iter([around[:, 3:13]]))
    np.testing.assert_allclose(restored, song, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_long_songs_equal_the_plain_inference(rng: np.random.Generator, batch_size: int) -> None:
    # Short segments, so that a short song has several; the plain way holds everything at once.
    segment, stride, length = 8000, 4000, 18_500
    path = golden("models/leaderboard_a/demucs-e07c671f.th")
    network, framewise = load_demucs_v2(path), open_demucs_v2(path)
    framewise.batch_size = batch_size
    separator = DemucsSeparator(framewise, segment=segment / SAMPLE_RATE, overlap=0.5)
    song = rng.standard_normal((2, length)).astype(np.float32)
    total, weights = np.zeros((4, 2, length)), np.zeros(length)
    for start in range(0, length, stride):
        size = min(segment, length - start)
        valid = network.valid_length(size)
        before = (valid - size) // 2
        padded = np.zeros((2, valid), np.float32)
        for k in range(valid):
            if 0 <= start - before + k < length:
                padded[:, k] = song[:, start - before + k]
        with torch.inference_mode():
            out = network(torch.from_numpy(padded)[None])[0].numpy()
        middle = (out.shape[-1] - size) // 2
        drums, bass, other, vocals = out[..., middle : middle + size]
        ramp = np.minimum(np.arange(1, size + 1), np.arange(segment, segment - size, -1))
        total[..., start : start + size] += ramp * np.stack([bass, drums, other, vocals])
        weights[start : start + size] += ramp
    ours = np.concatenate(list(separator.stream(ArraySignal(song))), axis=-1)
    np.testing.assert_allclose(ours, total / weights, atol=1e-5 * np.abs(total / weights).max())


@pytest.mark.parametrize("count", [1, 3])
def test_segments_of_any_lengths_are_separated_together(
    rng: np.random.Generator, count: int
) -> None:
    network = DemucsV2(channels=4).eval()
    lengths = [network.valid_length(length) for length in (9_000, 17, 30_000)[:count]]
    segments = [torch.from_numpy(rng.standard_normal((2, n)).astype(np.float32)) for n in lengths]
    with torch.inference_mode():
        alone = [network(segment[None])[0] for segment in segments]
        together = list(FramewiseDemucsV2(network, Compute()).estimates(segments))
    for found, expected in zip(together, alone, strict=True):
        assert found.shape == expected.shape
        assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize("tile", [1, 7, 100])
def test_tiles_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch, tile: int) -> None:
    monkeypatch.setattr(demucs_v2_frames, "TILE", tile)
    network = DemucsV2(channels=2).eval()
    segment = torch.randn(2, network.valid_length(300))
    with torch.inference_mode():
        expected = network(segment[None])[0]
        (found,) = FramewiseDemucsV2(network, Compute()).estimates([segment])
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


def test_bfloat16_keeps_45_db_and_halves_the_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = DemucsV2(channels=16).eval()
    torch.save(network.state_dict(), tmp_path / "a.th")
    compute = Compute(precision="fast", dtype=torch.bfloat16)
    low = open_demucs_v2(tmp_path / "a.th", compute)
    segments = [torch.randn(2, network.valid_length(length)) for length in (9_000, 20_000)]
    with torch.inference_mode():
        for found, segment in zip(low.estimates(segments), segments, strict=True):
            expected = network(segment[None])[0]
            assert found.dtype == torch.float32
            energy, noise = (x.square().sum((1, 2)) for x in (expected, found - expected))
            assert 45 <= 10 * torch.log10(energy / noise).min() < 90
    assert compute.runners == {"a.th": "torch, bfloat16"}
    assert low.num_bytes < 0.51 * open_demucs_v2(tmp_path / "a.th").num_bytes


def test_weights_are_in_memory_once() -> None:
    network = DemucsV2(channels=4).eval()
    size = sum(4 * p.numel() for name, p in network.named_parameters() if "weight" in name)
    framewise = FramewiseDemucsV2(network, Compute())
    assert framewise.num_bytes == size
    assert not sum(p.numel() for name, p in network.named_parameters() if "weight" in name)


@pytest.mark.parametrize("kind", [SequencesLstm, PackedLstm])
@pytest.mark.parametrize("lengths", [[1], [130], [64, 1, 129, 5]])
def test_the_lstm_of_sequences_is_torch_s(
    lengths: list[int], kind: type[SequencesLstm | PackedLstm]
) -> None:
    lstm = torch.nn.LSTM(6, 5, num_layers=2, bidirectional=True)
    sequences = [torch.randn(length, 6) for length in lengths]
    with torch.no_grad():
        expected = [lstm(sequence)[0] for sequence in sequences]
        found = kind(lstm)(sequences)
    for index, alone in enumerate(expected):
        assert (found[: len(alone), index] - alone).abs().max() < 1e-6


def test_other_checkpoints_are_refused(tmp_path: Path) -> None:
    torch.save({"linear.weight": torch.eye(8, 10)}, tmp_path / "mixer.th")
    with pytest.raises(DemixError, match="not a Demucs v2 checkpoint"):
        open_demucs_v2(tmp_path / "mixer.th")
    for shape in ((), (0, 2, 8), (4, 2)):
        torch.save({"encoder.0.0.weight": torch.zeros(shape)}, tmp_path / "odd.th")
        with pytest.raises(DemixError, match=r"odd\.th: not a Demucs v2 checkpoint"):
            load_demucs_v2(tmp_path / "odd.th")
    state = DemucsV2(channels=1).state_dict()
    state.pop("decoder.5.2.weight")
    torch.save(state, tmp_path / "partial.th")
    with pytest.raises(DemixError, match=r"not the weights of Demucs v2: .*decoder\.5\.2\.weight"):
        load_demucs_v2(tmp_path / "partial.th")
