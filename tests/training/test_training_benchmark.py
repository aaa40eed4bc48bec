"""`make bench-train`: what it counts and writes; its figures are no tests."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import training as program
from benchmarks.machine import this_environment
from benchmarks.training_step import Case, make_module, step_flops

TINY = (
    *("model.num_blocks=3", "model.growth=4", "model.bottleneck_factor=4", "model.band=64"),
    *("model.dim_f=96", "model.num_frames=16"),
)
CASE = Case("starter_vocals", 2, "float32", overrides=TINY)


def naive_products(network: nn.Module, example: Tensor) -> int:
    """Count multiplications and additions of every layer from the shapes that pass through it."""
    counted = []

    def count(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        if isinstance(layer, nn.Conv2d):
            high, wide = layer.kernel_size
            counted.append(2 * output.numel() * layer.in_channels * high * wide)
        elif isinstance(layer, nn.ConvTranspose2d):
            high, wide = layer.kernel_size
            counted.append(2 * inputs[0].numel() * layer.out_channels * high * wide)
        elif isinstance(layer, nn.Linear):
            counted.append(2 * output.numel() * layer.in_features)

    for layer in network.modules():
        layer.register_forward_hook(count)
    with torch.no_grad():
        network.eval()(example)
    return sum(counted)


def test_a_step_counts_three_times_the_products_of_a_forward_pass() -> None:
    module = make_module(CASE)
    flops = step_flops(module, 2)
    spec = torch.randn(2, 4, 96, 16)
    assert flops == 3 * naive_products(module.network, spec)
    # The first layer needs no gradient for its input; all else is what a real step computes.
    with FlopCounterMode(display=False) as counter:
        module.network.train()(spec).square().sum().backward()
    assert 0.95 * flops < counter.get_total_flops() < flops


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep measurements short."""
    monkeypatch.setattr(program, "LOADING_S", 0.01)
    monkeypatch.setattr(program, "peak_flops", lambda dtype, device: 1e12)


@pytest.mark.usefixtures("quick")
def test_a_run_writes_this_machines_section_and_keeps_others(tmp_path: Path, songs: Path) -> None:
    page = tmp_path / "training-benchmarks.md"
    title = this_environment().title
    page.write_text(f"# Old\n\n## {title}\n\nold figures\n\n## Another machine\n\nits figures\n")
    words = ["--docs", str(tmp_path), "--songs", str(songs), "--models", "starter_vocals"]
    words += ["--precisions", "float32", "bfloat16", "--steps", "1", "--batch-size", "2"]
    assert program.main([*words, "--options", *TINY]) == 0
    text = page.read_text()
    assert text.startswith(program.HEAD)
    assert "old figures" not in text and text.endswith("## Another machine\n\nits figures\n")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `starter")]
    assert [row[1:4] for row in rows] == [["float32", "2", "16"], ["bfloat16", "2", "16"]]
    for row in rows:
        seconds, per_second, gigaflops = map(float, row[4:7])
        assert seconds * per_second == pytest.approx(2, rel=0.02)
        assert gigaflops == pytest.approx(step_flops(make_module(CASE), 1) / 1e9, rel=0.01)
    made = [line.split(" | ") for line in text.splitlines() if line.startswith("| 16 | ")]
    assert {(row[2], row[3]) for row in made} >= {("FLAC", "the one that trains")}
    assert all(float(row[4].rstrip(" |")) > 0 for row in made) and len(made) == 4
    assert str(tmp_path) not in text


def test_a_model_or_option_that_is_none_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--docs", str(tmp_path)]
    assert program.main([*words, "--models", "no_model"]) == 1
    assert program.main([*words, "--options", "model.growth=0"]) == 1
    assert program.main([*words, "--options", "model.no_option=1"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 3
    assert not list(tmp_path.iterdir())
