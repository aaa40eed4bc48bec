"""How much arithmetic a system is, and how much of it a machine could do."""

import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.random_models import CONFIGS, DEMUCS_CHANNELS, leaderboard_a_or_b_size
from my_submission.networks.demucs_v2 import DemucsV2
from my_submission.networks.tfc_tdf import TfcTdf
from my_submission.stems import SAMPLE_RATE, STEMS

PRODUCT_SIZE = 4096
"""Rows and columns of the matrices whose product is timed."""

DEMUCS_SEGMENT, DEMUCS_STRIDE = 40 * SAMPLE_RATE, 20 * SAMPLE_RATE


def peak_flops(repeats: int = 5) -> float:
    """Measure the float32 operations per second of a large matrix product, the best of a few."""
    a, b = torch.randn(2, PRODUCT_SIZE, PRODUCT_SIZE).unbind()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - started)
    return float(2 * PRODUCT_SIZE**3 / min(seconds))


def count_flops(network: torch.nn.Module, *shape: int) -> float:
    """Count what a network on the meta device does with an input; an addition counts as well."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.empty(shape, device="meta"))
    return float(counter.get_total_flops())


def song_flops(system: str, seconds: int) -> float:
    """Count the operations of Leaderboard A or B on a song: every pass once."""
    num_samples = seconds * SAMPLE_RATE
    total = 0.0
    for stem in STEMS:
        config = CONFIGS[system][stem]
        with torch.device("meta"):
            network = TfcTdf(leaderboard_a_or_b_size(system, stem)).eval()
        passes = -(-num_samples // (config.chunk - 2 * config.trim))
        total += passes * count_flops(network, 1, 4, config.dim_f, config.num_frames)
    with torch.device("meta"):
        demucs = DemucsV2(DEMUCS_CHANNELS).eval()
    for start in range(0, num_samples, DEMUCS_STRIDE):
        length = demucs.valid_length(min(DEMUCS_SEGMENT, num_samples - start))
        total += count_flops(demucs, 1, 2, length)
    return total
