"""Checkpoints export to ONNX files that compute the same, or are refused."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from my_submission.audio import ArraySignal
from my_submission.compute import Compute
from my_submission.networks.onnx_runtime import OnnxNetwork
from my_submission.networks.tfc_tdf import TfcTdf, TfcTdfSize
from my_submission.networks.torch_tfc_tdf import TorchNetwork
from my_submission.separators.tfc_tdf import TfcTdfConfig, TfcTdfSeparator
from my_submission.stems import Audio
from my_submission.systems.leaderboard_c import TFC_TDF
from tests.golden_data import golden
from training.__main__ import main
from training.converting import export_checkpoint
from training.export import ExactGroupNorm
from training.phase1.conv_tdf_net import ConvTDFNet

CONFIG = TfcTdfConfig(n_fft=2048, dim_f=64, num_frames=16, trim=1024, norm_groups=2)
SIZE = TfcTdfSize(
    dim_f=64, num_blocks=5, num_layers=2, growth=4, bottleneck_factor=4, norm_groups=2
)


def checkpoint_of(size: TfcTdfSize, path: Path) -> Path:
    """Write a checkpoint of random weights, none of them where training begins."""
    torch.manual_seed(0)
    network = TfcTdf(size)
    for module in network.modules():
        if isinstance(module, nn.GroupNorm | nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0, 0.2)
    torch.save(network.state_dict() | {"window": torch.ones(8)}, path)
    return path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Give a checkpoint of a network with GroupNorm."""
    return checkpoint_of(SIZE, tmp_path / "drums.pt")


def arguments(checkpoint: Path, out: Path, **changes: int) -> list[str]:
    """Give the command's arguments that export `checkpoint`, with `changes`."""
    values = {"norm_groups": 2, "num_frames": 16, "n_fft": 2048} | changes
    options = [(f"--{name.replace('_', '-')}", str(value)) for name, value in values.items()]
    return ["export", str(checkpoint), str(out), *(word for option in options for word in option)]


def assert_same(found: Audio, expected: Audio) -> None:
    """Demand equality to 1e-5 of the peak."""
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("stem", ["bass", "drums", "other"])
def test_published_checkpoints_compute_the_same(
    stem: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    checkpoint = golden(f"models/leaderboard_c/{stem}.pt")
    config = next(config for known, config in TFC_TDF.items() if known == stem)
    groups, frames = config.norm_groups, config.num_frames
    out = tmp_path / f"{stem}.onnx"
    export_checkpoint(checkpoint, out, norm_groups=groups, num_frames=frames, n_fft=config.n_fft)
    expected = TorchNetwork(checkpoint, num_frames=frames, norm_groups=groups)
    found = OnnxNetwork(out)
    assert (found.dim_f, found.num_frames) == (config.dim_f, config.num_frames)
    spec = 20 * rng.standard_normal((1, 4, config.dim_f, config.num_frames), dtype=np.float32)
    assert_same(found(spec), expected(spec))


@pytest.mark.parametrize("batch", [1, 2])
def test_the_command_exports_group_norm(
    batch: int,
    checkpoint: Path,
    tmp_path: Path,
    rng: np.random.Generator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "new" / "drums.onnx"
    assert main(arguments(checkpoint, out)) == 0
    assert str(out) in capsys.readouterr().out
    assert [path.name for path in out.parent.iterdir()] == ["drums.onnx"]
    found = OnnxNetwork(out)
    assert found.metadata == {"n_fft": "2048"}
    expected = TorchNetwork(checkpoint, num_frames=16, norm_groups=2)
    spec = 20 * rng.standard_normal((batch, 4, 64, 16), dtype=np.float32)
    spec[-1] *= 3  # statistics are each example's own
    assert_same(found(spec), expected(spec))


def test_silence_gives_nearly_the_same(checkpoint: Path, tmp_path: Path) -> None:
    # Groups are nearly constant then, and every norm makes rounding up to 300 times as large.
    assert main(arguments(checkpoint, tmp_path / "drums.onnx")) == 0
    silence = np.zeros((1, 4, 64, 16), dtype=np.float32)
    found = OnnxNetwork(tmp_path / "drums.onnx")(silence)
    expected = TorchNetwork(checkpoint, num_frames=16, norm_groups=2)(silence)
    assert np.abs(found - expected).max() < 5e-5 * np.abs(expected).max()


def test_no_runtime_adds_up_a_whole_group_at_once(checkpoint: Path, tmp_path: Path) -> None:
    assert main(arguments(checkpoint, tmp_path / "drums.onnx")) == 0
    kinds = {node.op_type for node in onnx.load(tmp_path / "drums.onnx").graph.node}
    assert not [kind for kind in kinds if "Normalization" in kind]


def test_a_group_of_millions_is_normalised_exactly() -> None:
    generator = torch.Generator().manual_seed(0)
    x = 5 + torch.randn(1, 4, 256, 4096, generator=generator) ** 3
    norm = nn.GroupNorm(2, 4)
    with torch.no_grad():
        expected = norm.double()(x.double())
        found = ExactGroupNorm(norm.float())(x)
    assert (found - expected).abs().max() < 1e-6 * expected.abs().max()


def test_batch_norm_needs_no_groups(tmp_path: Path, rng: np.random.Generator) -> None:
    size = TfcTdfSize(dim_f=64, num_blocks=3, num_layers=1, growth=4, bottleneck_factor=4)
    checkpoint = checkpoint_of(size, tmp_path / "vocals.ckpt")
    out = tmp_path / "vocals.onnx"
    words = ["export", str(checkpoint), str(out), "--num-frames", "8", "--n-fft", "2048"]
    assert main(words) == 0
    spec = rng.standard_normal((2, 4, 64, 8), dtype=np.float32)
    expected = TorchNetwork(checkpoint, num_frames=8, norm_groups=None)
    assert_same(OnnxNetwork(out)(spec), expected(spec))


def test_a_separator_runs_what_was_exported_beside_its_checkpoint(
    checkpoint: Path, rng: np.random.Generator
) -> None:
    mixture = ArraySignal(rng.uniform(-0.5, 0.5, (2, 50_000)).astype(np.float32))

    def separate() -> tuple[str, Audio]:
        compute = Compute()
        separator = TfcTdfSeparator(checkpoint, CONFIG, compute)
        return compute.summary(), np.concatenate(list(separator.stream(mixture)), axis=-1)

    runner, expected = separate()
    assert runner == "drums.pt: torch, float32"
    assert main(arguments(checkpoint, checkpoint.with_suffix(".onnx"))) == 0
    runner, found = separate()
    assert runner.startswith("drums.onnx: ")
    assert_same(found, expected)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"norm_groups": 3}, "norm_groups=3"),
        ({"norm_groups": 0}, "norm_groups=0"),
        ({"num_frames": 10}, "multiples of 4 frames, not 10"),
        ({"num_frames": -4}, "multiples of 4 frames, not -4"),
        ({"n_fft": 124}, "n_fft 124 does not give"),
        ({"n_fft": 2047}, "n_fft 2047 does not give"),
    ],
)
def test_numbers_that_do_not_fit_are_one_line(
    changes: dict[str, int],
    reason: str,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(arguments(checkpoint, tmp_path / "out" / "drums.onnx", **changes)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line and str(checkpoint) in line
    assert list(tmp_path.iterdir()) == [checkpoint]


@pytest.mark.parametrize(
    ("norm_groups", "more", "reason"),
    [
        (2, ("--n-fft", "4096"), "was trained with --n-fft 2048, not 4096"),
        (2, ("--norm-groups", "4"), "has GroupNorm with --norm-groups 2, not --norm-groups 4"),
        (None, ("--norm-groups", "2"), "has BatchNorm, not --norm-groups 2"),
    ],
)
def test_what_contradicts_the_checkpoint_is_one_line(
    norm_groups: int | None,
    more: tuple[str, ...],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    size = asdict(SIZE) | {"norm_groups": norm_groups}
    module = ConvTDFNet(target_name="drums", n_fft=2048, num_frames=16, **size)
    content = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
    torch.save(content, tmp_path / "last.ckpt")
    words = ["export", str(tmp_path / "last.ckpt"), str(tmp_path / "drums.onnx")]
    assert main([*words, *more]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"{tmp_path}/last.ckpt: {reason}"
    assert main(words) == 0


def test_files_that_do_not_fit_are_one_line(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "damaged.pt").write_bytes(checkpoint.read_bytes()[:1000])
    torch.save({"weight": torch.ones(1)}, tmp_path / "another.pt")
    before = sorted(tmp_path.iterdir())
    good = tmp_path / "drums.onnx"
    without_groups = ["export", str(checkpoint), str(good), "--n-fft", "2048"]
    for words, reason in (
        (arguments(tmp_path / "nowhere.pt", good), "nowhere.pt: no such file"),
        (arguments(tmp_path / "damaged.pt", good), "damaged.pt"),
        (arguments(tmp_path / "another.pt", good), "another.pt: checkpoint is not a TFC-TDF"),
        (arguments(checkpoint, tmp_path / "drums.pt"), "ends with .onnx"),
        (arguments(checkpoint, checkpoint / "drums.onnx"), "drums.pt"),
        (without_groups, "norm groups"),
    ):
        assert main(words) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert reason in line
        assert sorted(tmp_path.iterdir()) == before
