"""What the benchmarks count is what the networks are known to cost."""

import pytest
import torch

from benchmarks.random_models import leaderboard_a_or_b_size
from benchmarks.work import count_flops, song_flops
from my_submission.networks.tfc_tdf import TfcTdf


def test_a_pass_of_leaderboard_a_is_known_to_be_450_gflop() -> None:
    with torch.device("meta"):
        network = TfcTdf(leaderboard_a_or_b_size("leaderboard_a", "vocals")).eval()
    assert count_flops(network, 1, 4, 2048, 512) == pytest.approx(450e9, rel=0.01)


def test_a_song_of_one_segment_is_four_networks_and_demucs() -> None:
    # Up to 11 s each of the four networks makes one pass, and Demucs has one segment.
    five, ten = song_flops("leaderboard_a", 5), song_flops("leaderboard_a", 10)
    passes = 4 * 450e9
    assert passes < five < ten
    # A second of Demucs v2 is about 25 GFLOP, on the song and the context that it needs.
    assert 5 * 20e9 < ten - five < 5 * 32e9
