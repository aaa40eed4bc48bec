"""Resampling inside a network: julius's, whatever the length."""

import pytest
import torch
from julius.resample import resample_frac

from my_submission.networks import matrix
from my_submission.networks.resampling import Resampling

CPU = torch.device("cpu")


@pytest.mark.parametrize(("old_rate", "new_rate"), [(1, 2), (2, 1)])
@pytest.mark.parametrize("length", [2, 31, 32, 33, 64, 1000, 4097])
def test_it_is_julius_s(old_rate: int, new_rate: int, length: int) -> None:
    x = torch.randn(3, length) + 1  # an offset, so that other edges than julius's would show
    expected = resample_frac(x, old_rate, new_rate)
    found = Resampling(old_rate, new_rate, CPU)(x)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-6 * expected.abs().max()


@pytest.mark.parametrize("tile", [1, 3])
def test_tiles_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch, tile: int) -> None:
    x = torch.randn(2, 500)
    expected = Resampling(2, 1, CPU)(x)
    monkeypatch.setattr(matrix, "TILE", tile)
    torch.testing.assert_close(Resampling(2, 1, CPU)(x), expected)


def test_it_takes_sound_with_channels_together() -> None:
    x = torch.randn(500, 8)
    torch.testing.assert_close(Resampling(2, 1, CPU)(x.T), resample_frac(x.T, 2, 1))
