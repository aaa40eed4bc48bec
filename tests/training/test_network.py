"""The starter's network before it is trained, and its loss."""

import pytest
import torch

from my_submission.networks.tfc_tdf import TfcTdf, TfcTdfSize
from training.loss import relative_error
from training.network import SILENCE, ScaledTfcTdf, bin_levels, start_as_mask

SIZE = TfcTdfSize(dim_f=64, num_blocks=3, num_layers=1, growth=8, bottleneck_factor=8)


def test_the_loss_is_error_over_power() -> None:
    target = torch.full((2, 4, 8, 4), 10.0)
    mixture = 2 * target
    assert relative_error(target, target, mixture, 0.1).item() == 0
    assert relative_error(0 * target, target, mixture, 0.0).item() == pytest.approx(1, abs=1e-3)
    # A silent target costs what leaks, a finite amount.
    leak = relative_error(0.1 * mixture, 0 * target, mixture, 0.1).item()
    assert leak == pytest.approx(0.1, abs=1e-3)


def test_the_network_scales_with_its_input() -> None:
    torch.manual_seed(0)
    network = ScaledTfcTdf(SIZE, torch.rand(64) + 0.5).eval()
    spec = 100 * torch.randn(2, 4, 64, 8)
    with torch.no_grad():
        assert torch.allclose(network(3 * spec), 3 * network(spec), rtol=1e-3, atol=1e-2)
        assert network(torch.zeros(1, 4, 64, 8)).abs().max() < 10 * SILENCE


def test_bin_levels_follow_the_spectrum() -> None:
    spec = torch.randn(8, 4, 64, 50) * torch.linspace(100, 1, 64)[:, None]
    levels = bin_levels(spec, power=1.0)
    assert torch.all(levels[10:20] > levels[40:50]) and torch.all(levels > 0)
    flat = bin_levels(spec, power=0.0)
    assert torch.allclose(flat, flat[:1])


def test_the_network_starts_as_a_mask() -> None:
    torch.manual_seed(0)
    network = TfcTdf(SIZE).train()
    spec = torch.randn(2, 4, 64, 32)

    def likeness() -> float:
        with torch.no_grad():
            both = torch.stack([spec.flatten(), network(spec).flatten()])
        return float(torch.corrcoef(both)[0, 1])

    assert abs(likeness()) < 0.4
    start_as_mask(network)
    assert likeness() > 0.6


def test_too_few_channels_start_as_they_are() -> None:
    network = TfcTdf(TfcTdfSize(64, 3, 1, 4, 8))
    before = network.first_conv.state_dict()["0.weight"].clone()
    start_as_mask(network)
    assert torch.equal(network.first_conv.state_dict()["0.weight"], before)
