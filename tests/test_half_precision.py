"""Ten bits behind the point, float16's and TF32's, keep 45 dB of a network; bfloat16's 7 do not."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile
import torch
from onnx import TensorProto, helper

from my_submission.networks.tfc_tdf import TfcTdf, TfcTdfSize
from my_submission.networks.torch_tfc_tdf import TorchNetwork, halved
from my_submission.stems import STEMS, Audio, Stem
from my_submission.stft import HOP_LENGTH, Stft
from my_submission.systems import leaderboard_c, starter
from tests.golden_data import golden

ROOT = Path(__file__).parents[1]
SIZE = TfcTdfSize(
    dim_f=256, num_blocks=7, num_layers=3, growth=16, bottleneck_factor=8, norm_groups=2
)


def checkpoint_of(size: TfcTdfSize, path: Path) -> Path:
    """Save a network with random weights."""
    torch.manual_seed(0)
    torch.save(TfcTdf(size).state_dict(), path)
    return path


def decibels(found: Audio, expected: Audio) -> float:
    """Give the energy of `expected` over that of the difference."""
    difference = found.astype(np.float64) - expected
    return float(10 * np.log10((expected.astype(np.float64) ** 2).sum() / (difference**2).sum()))


def spectrogram_of(kind: str, rng: np.random.Generator) -> Audio:
    """Give a song's values, or a tone's, which are what a norm makes most of."""
    if kind == "tone":
        spectrogram = np.zeros((1, 4, SIZE.dim_f, 32), np.float32)
        spectrogram[:, :, 17] = 8192
        return spectrogram
    gain = {"song": 100, "loud": 3000, "quiet": 0.01}[kind]
    return (gain * rng.standard_normal((1, 4, SIZE.dim_f, 32))).astype(np.float32)


@pytest.mark.parametrize("kind", ["song", "loud", "quiet", "tone"])
def test_float16_keeps_45_db(kind: str, tmp_path: Path, rng: np.random.Generator) -> None:
    path = checkpoint_of(SIZE, tmp_path / "net.pt")
    spectrogram = spectrogram_of(kind, rng)
    expected = TorchNetwork(path, num_frames=32, norm_groups=2)(spectrogram)
    network = TorchNetwork(path, num_frames=32, norm_groups=2, dtype=torch.float16)
    found = network(spectrogram)
    assert network.dtype == torch.float16
    assert found.dtype == np.float32
    assert decibels(found, expected) > 45


def test_bfloat16_does_not(tmp_path: Path, rng: np.random.Generator) -> None:
    path = checkpoint_of(SIZE, tmp_path / "net.pt")
    spectrogram = spectrogram_of("song", rng)
    expected = TorchNetwork(path, num_frames=32, norm_groups=2)(spectrogram)
    network = TorchNetwork(path, num_frames=32, norm_groups=2, dtype=torch.bfloat16)
    assert decibels(network(spectrogram), expected) < 45


@pytest.mark.parametrize("stem", ["bass", "drums", "other"])
def test_float16_keeps_45_db_of_published_files(stem: str, rng: np.random.Generator) -> None:
    path = golden(f"models/leaderboard_c/{stem}.pt")
    config = next(config for known, config in leaderboard_c.TFC_TDF.items() if known == stem)
    groups = config.norm_groups
    shape = (1, 4, config.dim_f, 32)
    spectrogram = (100 * rng.standard_normal(shape)).astype(np.float32)
    expected = TorchNetwork(path, num_frames=32, norm_groups=groups)(spectrogram)
    network = TorchNetwork(path, num_frames=32, norm_groups=groups, dtype=torch.float16)
    assert decibels(network(spectrogram), expected) > 45


def test_scaled_products_change_nothing_but_the_range() -> None:
    torch.manual_seed(0)
    network = TfcTdf(SIZE).eval().requires_grad_(False)
    spectrogram = 100 * torch.randn(1, 4, SIZE.dim_f, 32)
    products: list[float] = []
    network.decoding_blocks[-1].register_forward_pre_hook(
        lambda _block, inputs: products.append(inputs[0].abs().max().item())
    )
    expected = network(spectrogram)
    halved(network, torch.float32)
    found = network(spectrogram)
    assert products[1] == pytest.approx(products[0] / 256, rel=1e-4)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


def test_a_network_with_batch_norm_stays_in_float32(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    size = TfcTdfSize(dim_f=32, num_blocks=3, num_layers=1, growth=4, bottleneck_factor=4)
    path = checkpoint_of(size, tmp_path / "net.pt")
    network = TorchNetwork(path, num_frames=8, norm_groups=None, dtype=torch.float16)
    assert network.dtype == torch.float32
    spectrogram = rng.standard_normal((2, 4, 32, 8)).astype(np.float32)
    expected = TorchNetwork(path, num_frames=8, norm_groups=None)(spectrogram)
    np.testing.assert_array_equal(network(spectrogram), expected)


def rounded(path: Path, to: int) -> onnxruntime.InferenceSession:
    """Load a network whose products are of numbers that were rounded to another type."""
    model = onnx.load(path)
    nodes = []
    for node in model.graph.node:
        if node.op_type in ("Conv", "ConvTranspose", "MatMul"):
            for index, name in enumerate(list(node.input)[:2]):
                short, back = f"{node.output[0]}_{index}_short", f"{node.output[0]}_{index}_back"
                nodes.append(helper.make_node("Cast", [name], [short], to=to))
                nodes.append(helper.make_node("Cast", [short], [back], to=TensorProto.FLOAT))
                node.input[index] = back
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    options = onnxruntime.SessionOptions()
    # Else the casts are taken for nothing.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


@pytest.mark.parametrize("stem", STEMS)
def test_trained_networks_keep_far_more(stem: Stem) -> None:
    # The starter's are the only ones here. float16 has TF32's bits, and their values fit its range.
    path, config = ROOT / f"models/starter/{stem}.onnx", starter.TFC_TDF[stem]
    num_samples = HOP_LENGTH * (config.num_frames - 1)
    song = np.zeros((num_samples, 2), np.float32)
    for file in (ROOT / "data/songs/rock_baritone").glob("*.flac"):
        samples, _ = soundfile.read(file, num_samples, start=44_100, dtype="float32")
        song[: len(samples)] += samples
    stft = Stft(config.n_fft, config.dim_f)
    feed = {"input": stft.spectrogram(torch.from_numpy(song.T.copy())[None]).numpy()}
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = session.run(None, feed)[0]
    assert decibels(rounded(path, TensorProto.FLOAT16).run(None, feed)[0], expected) > 55
