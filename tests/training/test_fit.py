"""The training loop, its checkpoints and its network."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from my_submission.errors import DemixError
from my_submission.networks.tfc_tdf import TfcTdf, TfcTdfSize
from training.fit import Fit, FitOptions
from training.loss import relative_error
from training.network import SILENCE, ScaledTfcTdf, bin_levels, start_as_mask
from training.songs import SongStore

OPTIONS = FitOptions(
    stem="drums",
    n_fft=2048,
    size=TfcTdfSize(dim_f=64, num_blocks=3, num_layers=1, growth=8, bottleneck_factor=8),
    num_frames=8,
    batch_size=2,
    steps=6,
    warmup_steps=2,
    validation_songs=1,
)


def silent(_line: str) -> None:
    """Say nothing."""


def test_stopping_and_going_on_changes_nothing(store: SongStore, tmp_path: Path) -> None:
    whole = Fit(OPTIONS, store, tmp_path / "whole", silent)
    whole.run()
    for _ in range(3):
        part = Fit(OPTIONS, store, tmp_path / "parts", silent)
        part.run(max_steps=2)
    assert part.step == whole.step == 6
    for of_whole, of_parts in ((whole.network, part.network), (whole.average, part.average)):
        expected = of_whole.state_dict()
        for name, value in of_parts.state_dict().items():
            assert torch.equal(value, expected[name]), name
    assert Fit(OPTIONS, store, tmp_path / "parts", silent).progress == 1


def test_training_lowers_the_loss(store: SongStore, tmp_path: Path) -> None:
    options = replace(OPTIONS, steps=60, batch_size=4)
    fit = Fit(options, store, tmp_path / "run", silent)
    before = fit.validation_sdr(fit.finished_network(4))
    fit.run()
    assert fit.validation_sdr(fit.finished_network(4)) > before
    rows = list(csv.DictReader((tmp_path / "run" / "drums.csv").open()))
    assert rows[-1]["step"] == "60" and float(rows[-1]["loss"]) < 1


def test_the_clock_ends_a_run_that_has_minutes(store: SongStore, tmp_path: Path) -> None:
    fit = Fit(replace(OPTIONS, steps=None, minutes=0.005), store, tmp_path / "run", silent)
    fit.run()
    assert fit.progress == 1 and fit.step > 0
    more = Fit(replace(OPTIONS, steps=None, minutes=1e3), store, tmp_path / "run", silent)
    assert more.step == fit.step and more.progress < 1


def test_a_checkpoint_of_other_options_is_an_error(store: SongStore, tmp_path: Path) -> None:
    Fit(OPTIONS, store, tmp_path / "run", silent).run(max_steps=1)
    with pytest.raises(DemixError, match="other options"):
        Fit(replace(OPTIONS, seed=2), store, tmp_path / "run", silent)


def test_a_run_goes_on_in_a_narrower_band(store: SongStore, tmp_path: Path) -> None:
    wide = Fit(OPTIONS, store, tmp_path / "wide", silent)
    wide.run(max_steps=2)
    # As many hidden units in a quarter of the bins.
    size = replace(OPTIONS.size, dim_f=16, bottleneck_factor=2)
    options = replace(OPTIONS, size=size)
    narrow = Fit(options, store, tmp_path / "narrow", silent)
    narrow.narrow_from(wide.checkpoint)
    before, after = wide.network.state_dict(), narrow.network.state_dict()
    for name, value in after.items():
        assert torch.equal(value, before[name][tuple(slice(n) for n in value.shape)]), name
    assert torch.equal(after["scale"], before["scale"][:, :, :16])
    narrow.run(max_steps=1)
    begun = Fit(options, store, tmp_path / "narrow", silent)
    begun.narrow_from(wide.checkpoint)
    weight = begun.network.network.state_dict()["first_conv.0.weight"]
    assert torch.equal(weight, narrow.network.network.state_dict()["first_conv.0.weight"])


@pytest.mark.parametrize(
    "size",
    [
        replace(OPTIONS.size, dim_f=128, bottleneck_factor=16),
        replace(OPTIONS.size, dim_f=32, num_layers=2, bottleneck_factor=4),
    ],
)
def test_only_the_band_may_differ(size: TfcTdfSize, store: SongStore, tmp_path: Path) -> None:
    wide = Fit(OPTIONS, store, tmp_path / "wide", silent)
    wide.run(max_steps=1)
    other = Fit(replace(OPTIONS, size=size), store, tmp_path / "other", silent)
    with pytest.raises(DemixError, match=r"smaller than|not that of"):
        other.narrow_from(wide.checkpoint)


def test_there_must_be_songs_to_train_on(store: SongStore, tmp_path: Path) -> None:
    with pytest.raises(DemixError, match="too few"):
        Fit(replace(OPTIONS, validation_songs=5), store, tmp_path / "run", silent)


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
    network = ScaledTfcTdf(OPTIONS.size, torch.rand(64) + 0.5).eval()
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
    network = TfcTdf(OPTIONS.size).train()
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
