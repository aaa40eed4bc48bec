"""What passes above a network's band."""

from pathlib import Path

import torch
from torch import nn

from training.export import export_onnx
from training.treble import WithTreble, mean_share


def test_the_band_goes_through_the_network_and_the_rest_by_its_share() -> None:
    spec = torch.randn(2, 4, 10, 6)
    share = torch.linspace(0, 1, 4)
    with torch.no_grad():
        found = WithTreble(nn.Hardtanh(-0.1, 0.1), share)(spec)
    assert torch.equal(found[:, :, :6], spec[:, :, :6].clamp(-0.1, 0.1))
    assert torch.equal(found[:, :, 6:], spec[:, :, 6:] * share[:, None])


def test_the_share_has_the_least_error() -> None:
    torch.manual_seed(0)
    target = torch.randn(3, 4, 5, 20)
    mixture = target + torch.randn(3, 4, 5, 20) * torch.linspace(0, 3, 5)[:, None]
    share = mean_share(target, mixture)
    assert share.shape == (5,) and torch.isclose(share[0], torch.tensor(1.0))
    assert torch.all(share[:-1] > share[1:])

    def error(candidate: torch.Tensor) -> float:
        return float((mixture * candidate[:, None] - target).square().sum())

    for change in (-0.05, 0.05):
        assert error(share) < error(share + change)


def test_silent_bins_pass_nothing() -> None:
    silent = torch.zeros(1, 4, 3, 5)
    assert not mean_share(silent, silent).any()


def test_a_network_with_treble_can_be_exported(tmp_path: Path) -> None:
    network = WithTreble(nn.Conv2d(4, 4, 1), torch.full((12,), 0.25))
    path = tmp_path / "vocals.onnx"
    assert export_onnx(network, path, dim_f=32, num_frames=8, metadata={}) < 1e-5
