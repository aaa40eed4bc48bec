"""Fixtures that every test may use."""

import signal
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch

from my_submission.stems import SAMPLE_RATE, STEMS, Audio

GAINS = {"bass": 0.4, "drums": 0.3, "other": 0.2, "vocals": 0.1}
"""What the networks of `models` give of their input; the sum is 1."""


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Let programs that tests start take Ctrl-C, which background jobs are started to ignore."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng() -> np.random.Generator:
    """Give a generator with a fixed seed: random numbers, the same in every run."""
    return np.random.default_rng(0)


def write_scaling_network(
    path: Path, gain: float, dim_f: int = 2048, num_frames: int = 256, channels: int = 4
) -> None:
    """Write a network in the published format that only scales its input."""
    shape: list[str | int | None] = ["batch_size", channels, dim_f, num_frames]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Mul", ["input", "gain"], ["output"])],
        "scaling",
        [value("input", onnx.TensorProto.FLOAT, shape)],
        [value("output", onnx.TensorProto.FLOAT, shape)],
        [onnx.numpy_helper.from_array(np.array(gain, np.float32), "gain")],
    )
    opset = [onnx.helper.make_opsetid("", 13)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))


def write_mixer(path: Path) -> None:
    """Write a Mixer that changes nothing."""
    torch.save({"linear.weight": torch.eye(8, 10)}, path)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a models folder whose starter splits the mixture by `GAINS`, up to each stem's cutoff.

    Drums, with a cutoff at the Nyquist frequency, are the mixture times their gain.
    """
    folder = tmp_path_factory.mktemp("models")
    (folder / "starter").mkdir()
    for stem in STEMS:
        write_scaling_network(folder / "starter" / f"{stem}.onnx", GAINS[stem])
    write_mixer(folder / "starter" / "mixer.ckpt")
    return folder


@pytest.fixture
def noise(rng: np.random.Generator) -> Audio:
    """Give half a second of stereo noise."""
    return rng.uniform(-0.5, 0.5, (2, SAMPLE_RATE // 2)).astype(np.float32)


@pytest.fixture
def song(tmp_path: Path, noise: Audio) -> Path:
    """Give a float32 WAV file of `noise`."""
    path = tmp_path / "song.wav"
    soundfile.write(path, noise.T, SAMPLE_RATE, subtype="FLOAT")
    return path
