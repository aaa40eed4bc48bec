"""How much arithmetic a system is, and how much of it a machine could do."""

import time
from collections import Counter
from functools import cache
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.full_size import TFC_TDF, DemucsPart, demucs_parts, tfc_tdf_size
from my_submission.networks.tfc_tdf import TfcTdf
from my_submission.stems import SAMPLE_RATE, Stem

PRODUCT_SIZE = 4096
"""Rows and columns of the matrices whose product is timed."""


def peak_flops(dtype: torch.dtype = torch.float32, device: str = "cpu", repeats: int = 5) -> float:
    """Measure the operations per second of a large matrix product, the best of a few."""
    a, b = torch.randn(2, PRODUCT_SIZE, PRODUCT_SIZE, device=device).to(dtype).unbind()
    seconds = []
    for _ in range(1 + repeats):  # the first one may prepare something
        started = time.perf_counter()
        product = a @ b
        if product.is_cuda:
            torch.cuda.synchronize(product.device)
        seconds.append(time.perf_counter() - started)
    return float(2 * PRODUCT_SIZE**3 / min(seconds))


def count_flops(network: nn.Module, *shape: int) -> float:
    """Count what a network on the meta device does with an input; an addition counts as well.

    Products of matrices and convolutions count, as they are defined: an algorithm that does them
    with fewer operations does not change the count.
    """
    with (
        # It looks at the values of what it padded, and there are none.
        patch("demucs.hdemucs.pad1d", pad_unchecked),
        patch("demucs.htdemucs.pad1d", pad_unchecked),
        patch.object(nn.LSTM, "forward", lstm_products),
        FlopCounterMode(display=False) as counter,
        torch.inference_mode(),
    ):
        network(torch.empty(shape, device="meta"))
    return float(counter.get_total_flops())


def pad_unchecked(x: Tensor, paddings: tuple[int, int], **_how: object) -> Tensor:
    """Give the shape that the demucs package's `pad1d` gives."""
    return x.new_empty((*x.shape[:-1], x.shape[-1] + sum(paddings)))


def lstm_products(lstm: nn.LSTM, x: Tensor, *_state: object) -> tuple[Tensor, None]:
    """Do the products of an `nn.LSTM`, but of all steps at once: to count one by one takes long."""
    hidden, directions = lstm.hidden_size, 1 + lstm.bidirectional
    steps, width = x.numel() // x.shape[-1], lstm.input_size
    for _ in range(lstm.num_layers):
        for _ in range(directions):
            torch.mm(x.new_empty(steps, width + hidden), x.new_empty(width + hidden, 4 * hidden))
        width = directions * hidden
    return x.new_empty((*x.shape[:-1], width)), None


@cache
def song_flops(system: str, seconds: int) -> float:
    """Count the operations of a full-size system on a song: every pass once."""
    num_samples = seconds * SAMPLE_RATE
    total = 0.0
    for stem, passes in tfc_tdf_passes(system, num_samples).items():
        total += passes * tfc_tdf_flops(system, stem)
    counted: dict[tuple[str, int], float] = {}  # networks of one kind cost the same
    for part in demucs_parts(system):
        network = meta_network(part)
        kind = f"{part.network_class} {part.arguments}"
        for length, passes in demucs_passes(part, network, num_samples).items():
            if (kind, length) not in counted:
                counted[kind, length] = count_flops(network, 1, 2, length)
            total += passes * counted[kind, length]
    return total


def tfc_tdf_passes(system: str, num_samples: int) -> dict[Stem, int]:
    """Count how often each TFC-TDF network runs on a song."""
    return {
        stem: -(-num_samples // (config.chunk - 2 * config.trim))
        for stem, config in TFC_TDF[system].items()
    }


def tfc_tdf_flops(system: str, stem: Stem) -> float:
    """Count the operations of one pass of a TFC-TDF network."""
    config = TFC_TDF[system][stem]
    with torch.device("meta"):
        network = TfcTdf(tfc_tdf_size(system, stem)).eval()
    return count_flops(network, 1, 4, config.dim_f, config.num_frames)


def meta_network(part: DemucsPart) -> Any:
    """Make a network of the Demucs family without its weights."""
    with torch.device("meta"):
        network: Any = part.network_class(**part.arguments)
    network.segment = part.segment  # to which `HTDemucs` fills up what it gets
    return network.eval()


def demucs_passes(part: DemucsPart, network: Any, num_samples: int) -> Counter[int]:
    """Count how often a network of the Demucs family runs on a song, by the samples it sees."""
    segment = int(SAMPLE_RATE * part.segment)
    valid_length = getattr(network, "valid_length", int)
    starts = range(0, num_samples, int((1 - part.overlap) * segment))
    return Counter(valid_length(min(segment, num_samples - start)) for start in starts)
