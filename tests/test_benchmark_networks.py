"""The benchmarks' random networks, and what a pass of them costs."""

from pathlib import Path

import pytest
import soundfile
import torch
from demucs.htdemucs import HTDemucs
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.full_size import demucs_parts, tfc_tdf_size
from benchmarks.package_run import measure_package, write_repo
from benchmarks.random_models import condition, root_mean_square
from benchmarks.songs import SAMPLE_RATE, music, write_music
from benchmarks.work import (
    count_flops,
    demucs_passes,
    lstm_products,
    meta_network,
    song_flops,
    tfc_tdf_flops,
    tfc_tdf_passes,
)
from my_submission.networks.demucs_v2 import DemucsV2
from my_submission.networks.tfc_tdf import TfcTdf, TfcTdfSize
from tests.demucs_files import write_package


def test_a_pass_of_leaderboard_a_is_known_to_be_450_gflop() -> None:
    assert tfc_tdf_flops("leaderboard_a", "vocals") == pytest.approx(450e9, rel=0.01)


def test_a_song_of_one_segment_is_four_networks_and_demucs() -> None:
    # Up to 11 s each of the four networks makes one pass, and Demucs has one segment.
    five, ten = song_flops("leaderboard_a", 5), song_flops("leaderboard_a", 10)
    passes = 4 * 450e9
    assert passes < five < ten
    # A second of Demucs v2 is about 25 GFLOP, on the song and the context that it needs.
    assert 5 * 20e9 < ten - five < 5 * 32e9


def test_passes_of_leaderboard_c_are_counted_network_by_network() -> None:
    num_samples = 30 * SAMPLE_RATE
    # 1024 * 255 samples less twice the trim are kept: 258420 of bass, 257612 of drums.
    assert tfc_tdf_passes("leaderboard_c", num_samples) == {
        "bass": 6,
        "drums": 6,
        "other": 6,
        "vocals": 6,
    }
    parts = demucs_parts("leaderboard_c")
    drums, mmi = parts[0], parts[4]
    # A segment of 7.8 s every 1.17 s; HTDemucs fills up those at the end.
    seen = demucs_passes(drums, meta_network(drums), num_samples)
    assert seen == {int(7.8 * SAMPLE_RATE): 26}
    # A segment of 44 s every 6.6 s, as long as the song still is.
    seen = demucs_passes(mmi, meta_network(mmi), num_samples)
    assert sorted(length / SAMPLE_RATE for length in seen) == pytest.approx(
        [3.6, 10.2, 16.8, 23.4, 30], abs=1e-3
    )


def test_leaderboard_cs_networks_have_their_own_sizes() -> None:
    bass, drums = tfc_tdf_size("leaderboard_c", "bass"), tfc_tdf_size("leaderboard_c", "drums")
    assert (bass.num_blocks, bass.num_layers, bass.growth, bass.norm_groups) == (15, 4, 40, 4)
    assert (drums.num_blocks, drums.num_layers, drums.growth, drums.norm_groups) == (11, 3, 48, 2)
    assert drums.dim_f == 3072
    # Convolutions grow with the square of the channels, and with the bins: 1.5 ** 3, of half the
    # frames; norms are not counted.
    assert tfc_tdf_flops("leaderboard_c", "drums") == pytest.approx(1.5**3 * 225e9, rel=0.03)


def test_an_lstms_steps_are_counted_at_once() -> None:
    with torch.device("meta"):
        lstm = torch.nn.LSTM(6, 5, num_layers=2, bidirectional=True)
        x = torch.empty(7, 3, 6)
    with FlopCounterMode(display=False) as step_by_step, torch.inference_mode():
        expected = lstm(x)[0]
    with FlopCounterMode(display=False) as at_once, torch.inference_mode():
        found, _ = lstm_products(lstm, x)
    assert found.shape == expected.shape
    assert at_once.get_total_flops() == step_by_step.get_total_flops() > 0


def test_the_packages_networks_are_counted_without_values() -> None:
    arguments = {
        "sources": ["a"],
        "channels": 8,
        "bottom_channels": 16,
        "t_layers": 1,
        "segment": 1,
    }
    with torch.device("meta"):
        network = HTDemucs(**arguments).eval()
    assert count_flops(network, 1, 2, SAMPLE_RATE) > 1e8


def test_random_networks_listen() -> None:
    torch.manual_seed(0)
    size = TfcTdfSize(dim_f=64, num_blocks=5, num_layers=2, growth=8, bottleneck_factor=4)
    network, example = TfcTdf(size).eval(), 10 * torch.randn(1, 4, 64, 32)
    condition(network, example)
    with torch.inference_mode():
        output = network(example)
        assert root_mean_square(output) == pytest.approx(5, rel=0.01)
        assert not network(0 * example).any()
        changed = network(example * (1 + 1e-3 * torch.randn_like(example)))
        lost = root_mean_square(changed - output) / root_mean_square(output)
    assert 3e-4 < lost < 1e-2


def test_a_random_demucs_v2_listens() -> None:
    torch.manual_seed(0)
    network = DemucsV2(4).eval()
    example = torch.from_numpy(music(network.valid_length(2000)))[None]
    condition(network, example)
    with torch.inference_mode():
        assert root_mean_square(network(example)) / root_mean_square(example) == pytest.approx(
            0.5, rel=0.05
        )
        assert not network(0 * example).any()


def test_songs_repeat_the_demo_songs(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    write_music(path, 25)
    sound, rate = soundfile.read(path)
    assert (len(sound), rate) == (25 * SAMPLE_RATE, SAMPLE_RATE)
    period = int(23.5 * SAMPLE_RATE)
    assert sound[: SAMPLE_RATE // 2] == pytest.approx(sound[period:][: SAMPLE_RATE // 2])


def test_the_demucs_package_takes_our_weights_by_its_own_name(tmp_path: Path) -> None:
    package, song = tmp_path / "955717e8-8726e21a.th", tmp_path / "song.wav"
    write_package(package, HTDemucs)
    write_music(song, 2)
    write_repo(package, tmp_path / "repo")
    run = measure_package(tmp_path / "repo", song)
    assert run.setup_s > 0 < run.separation_s
    assert run.peak_mb > 100
