"""The compiled loops of Demucs's layers compute what torch does."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from my_submission.networks.demucs_frames import add_frames, deinterleave, frames_of, interleave
from my_submission.networks.demucs_pointwise import add_bias_gelu, add_gated, gate

ANY = torch.linspace(-30, 30, 100_001)
NO_OFFSET = np.zeros((0, 0), np.float32)


def test_gelu_is_as_near_as_torch_s() -> None:
    found = (ANY - 0.5)[None, None].clone()
    add_bias_gelu(found.numpy(), np.array([0.5], np.float32))
    assert float((found[0, 0] - functional.gelu(ANY.double())).abs().max()) < 3e-6  # at 30


def test_gates_are_as_near_as_torch_s() -> None:
    x = torch.stack([torch.full_like(ANY, 2), ANY - 1])[None]
    out = torch.ones(1, 1, len(ANY) + 3)
    add_gated(x.numpy(), np.array([[1, 1]], np.float32), out.numpy(), 2)
    expected = 3 * ANY.double().sigmoid()
    assert float((out[0, 0, 2:-1] - 1 - expected).abs().max()) < 1e-6
    assert out[0, 0, :2].tolist() == [1, 1] and out[0, 0, -1] == 1
    gate(x.numpy(), np.array([1, 1], np.float32), np.array([[4]], np.float32), out.numpy(), 0, 1)
    assert float((out[0, 0, 1:-2] - 4 - expected).abs().max()) < 1e-6


@pytest.mark.parametrize("value", [np.nan, 1e38, -1e38])
def test_extreme_values_are_what_torch_makes_of_them(value: float) -> None:
    x = torch.full((1, 1, 40), value)
    curved, opened = x.clone(), torch.zeros(1, 1, 40)
    add_bias_gelu(curved.numpy(), np.zeros(1, np.float32))
    torch.testing.assert_close(curved, functional.gelu(x), equal_nan=True)
    pair = torch.cat([torch.ones_like(x), x], dim=1)
    gate(pair.numpy(), np.zeros(2, np.float32), NO_OFFSET, opened.numpy(), 0, 0)
    torch.testing.assert_close(opened, x.sigmoid(), equal_nan=True)


@pytest.mark.parametrize("first", [-9, -5, -4, -1, 0, 3, 17, 40])
@pytest.mark.parametrize("frames", [1, 2, 7, 30])
def test_interleaving(first: int, frames: int) -> None:
    samples = torch.arange(2 * 37.0).view(2, 37)
    padded = functional.pad(samples, (20, 200))
    expected = padded[:, 20 + first : 20 + first + 4 * frames]
    phases = torch.full((4, 2, frames), torch.nan)
    deinterleave(samples.numpy(), first, phases.numpy())
    assert torch.equal(phases.permute(1, 2, 0).flatten(1), expected)
    back = torch.full_like(samples, -1)
    interleave(phases.numpy(), back.numpy(), first)
    inside = range(max(0, first), min(37, max(0, first + 4 * frames)))
    assert torch.equal(back[:, inside], samples[:, inside])
    assert int((back == -1).sum()) == 2 * (37 - len(inside))


def test_frames_are_scaled_and_added() -> None:
    rows, spectra = torch.randn(37, 6, 5), torch.zeros(5, 38, 2)
    frames_of(rows.numpy(), 2, 3.0, 0.5, spectra.numpy())
    assert torch.allclose(spectra[:, :37], 3 * rows[:, 2:4].permute(2, 0, 1) + 0.5)
    assert not spectra[:, 37].any()
    frames, window, sound = torch.randn(5, 8), torch.rand(8), torch.ones(11)
    expected = torch.zeros(30)
    for index, frame in enumerate(frames):
        expected[10 - 3 + 2 * index : 10 - 3 + 2 * index + 8] += frame * window
    add_frames(frames.numpy(), window.numpy(), 2, -3, sound.numpy())
    assert torch.allclose(sound, 1 + expected[10:21])
