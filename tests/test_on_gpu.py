"""On a CUDA GPU everything gives what it gives on the CPU. Skipped, and said so, without one."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from my_submission.audio import ArraySignal
from my_submission.compute import Compute
from my_submission.devices import cuda_obstacle, resolve_device
from my_submission.errors import DemixError
from my_submission.networks.gpu import MAX_BATCH, gpu, run_on
from my_submission.networks.onnx_runtime import OnnxNetwork, provider
from my_submission.networks.tfc_tdf import TfcTdf, TfcTdfSize
from my_submission.networks.torch_tfc_tdf import TorchNetwork
from my_submission.separators.tfc_tdf import TfcTdfConfig, TfcTdfSeparator
from my_submission.stems import Audio
from my_submission.stft import Stft
from my_submission.systems.leaderboard_b import TFC_TDF
from tests.golden_data import golden

OBSTACLE = cuda_obstacle(0)
pytestmark = pytest.mark.skipif(OBSTACLE is not None, reason=f"needs a CUDA GPU: {OBSTACLE}")

CUDA = torch.device("cuda:0")
CONFIG = TfcTdfConfig(n_fft=2048, dim_f=256, num_frames=32, trim=1024, norm_groups=2)
SIZE = TfcTdfSize(
    dim_f=256, num_blocks=7, num_layers=3, growth=16, bottleneck_factor=8, norm_groups=2
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a GroupNorm network with random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("networks") / "net.pt"
    torch.save(TfcTdf(SIZE).state_dict(), path)
    return path


@pytest.fixture
def drums() -> Path:
    """Give an ONNX file of the published format."""
    return golden("models/leaderboard_b/drums.onnx")


@pytest.fixture
def mixture(rng: np.random.Generator) -> ArraySignal:
    """Give twenty seconds of noise."""
    return ArraySignal(rng.uniform(-0.5, 0.5, (2, 20 * 44_100)).astype(np.float32))


def spectrograms(batch: int, dim_f: int, frames: int, rng: np.random.Generator) -> Audio:
    return (100 * rng.standard_normal((batch, 4, dim_f, frames))).astype(np.float32)


def error(found: Audio, expected: Audio) -> float:
    """Give the largest difference over the peak."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def decibels(found: Audio, expected: Audio) -> float:
    """Give the energy of `expected` over that of the difference."""
    difference = found.astype(np.float64) - expected
    return float(10 * np.log10((expected.astype(np.float64) ** 2).sum() / (difference**2).sum()))


def stemmed(separator: TfcTdfSeparator, mixture: ArraySignal) -> Audio:
    return np.concatenate(list(separator.stream(mixture)), axis=-1)


def test_the_gpu_is_found() -> None:
    assert resolve_device("auto") == "cuda:0"
    assert resolve_device("cuda") == "cuda:0"
    with pytest.raises(DemixError, match="torch finds"):
        resolve_device(f"cuda:{torch.cuda.device_count()}")


@pytest.mark.parametrize("n_fft", [4096, 16384])
def test_transforms_are_the_cpu_s(n_fft: int, rng: np.random.Generator) -> None:
    stft = Stft(n_fft, 2048)
    wave = rng.uniform(-1, 1, (3, 2, 1024 * 31)).astype(np.float32)
    expected = run_on(torch.device("cpu"), wave, stft.spectrogram)
    assert error(run_on(CUDA, wave, stft.spectrogram), expected) < 1e-5
    back = run_on(CUDA, expected, stft.waveform)
    assert error(back, run_on(torch.device("cpu"), expected, stft.waveform)) < 1e-5


@pytest.mark.parametrize("batch", [1, 3])
def test_onnx_is_exact(drums: Path, batch: int, rng: np.random.Generator) -> None:
    on_cpu, on_gpu = OnnxNetwork(drums), OnnxNetwork(drums, "cuda:0")
    for _ in range(2):  # the second runs where the first left its memory
        spectrogram = spectrograms(batch, on_cpu.dim_f, on_cpu.num_frames, rng)
        # TF32 would be off by 1e-3, so this says that it is off.
        assert error(on_gpu(spectrogram), on_cpu(spectrogram)) < 1e-5


def test_onnx_in_tf32_keeps_45_db(drums: Path, rng: np.random.Generator) -> None:
    exact = OnnxNetwork(drums, "cuda:0")
    spectrogram = spectrograms(2, exact.dim_f, exact.num_frames, rng)
    expected, found = exact(spectrogram), OnnxNetwork(drums, "cuda:0", allow_tf32=True)(spectrogram)
    assert decibels(found, expected) > 45


def test_onnx_runs_its_layers_on_the_gpu(drums: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = onnxruntime.InferenceSession(
        str(drums), options, providers=[provider(CUDA, allow_tf32=False)], enable_fallback=0
    )
    assert session.get_providers()[0] == "CUDAExecutionProvider"
    layers = {"Conv", "ConvTranspose", "MatMul", "Relu", "Mul", "Add", "BatchNormalization"}
    for part in session.get_provider_graph_assignment_info():
        kinds = {node.op_type for node in part.get_nodes()}
        assert part.ep_name == "CUDAExecutionProvider" or not kinds & layers


def test_torch_is_exact(checkpoint: Path, rng: np.random.Generator) -> None:
    networks = [
        TorchNetwork(checkpoint, num_frames=32, norm_groups=2, device=device)
        for device in ("cpu", "cuda:0")
    ]
    spectrogram = spectrograms(2, SIZE.dim_f, 32, rng)
    expected, found = (network(spectrogram) for network in networks)
    # By default torch would round what goes into convolutions to TF32, which is off by 1e-3.
    assert error(found, expected) < 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_fast_torch_keeps_45_db(
    checkpoint: Path, dtype: torch.dtype, rng: np.random.Generator
) -> None:
    def network(**options: bool | torch.dtype) -> TorchNetwork:
        return TorchNetwork(
            checkpoint,
            num_frames=32,
            norm_groups=2,
            device="cuda:0",
            **options,  # type: ignore[arg-type]
        )

    spectrogram = spectrograms(2, SIZE.dim_f, 32, rng)
    found = network(dtype=dtype, allow_tf32=True)(spectrogram)
    assert decibels(found, network()(spectrogram)) > 45


@pytest.mark.parametrize("file", ["checkpoint", "drums"])
def test_a_song_is_the_cpu_s_in_any_batch(
    file: str, request: pytest.FixtureRequest, mixture: ArraySignal
) -> None:
    path, config = request.getfixturevalue(file), CONFIG
    if file == "drums":
        config = TFC_TDF["drums"]
    expected = stemmed(TfcTdfSeparator(path, config), mixture)
    separator = TfcTdfSeparator(path, config, Compute("cuda:0"))
    assert 1 <= separator.batch_size <= MAX_BATCH
    for batch_size in (1, 2, 5):
        separator.batch_size = batch_size
        found = stemmed(separator, mixture)
        assert error(found, expected) < 1e-5


def test_songs_side_by_side_do_not_mix(drums: Path, mixture: ArraySignal) -> None:
    separator = TfcTdfSeparator(drums, TFC_TDF["drums"], Compute("cuda:0"))
    songs = [mixture, ArraySignal(mixture.read(1000, 500_000))]
    expected = [stemmed(separator, song) for song in songs]
    found: dict[int, Audio] = {}

    def separate(index: int) -> None:
        found[index] = stemmed(separator, songs[index])

    threads = [threading.Thread(target=separate, args=(index,)) for index in range(len(songs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, stem in enumerate(expected):
        assert error(found[index], stem) < 1e-5


def slow(tensor: Tensor) -> Tensor:
    """Keep the GPU busy for a while, and give the input back."""
    matrix = torch.ones(4096, 4096, device=tensor.device)
    for _ in range(100):
        matrix = matrix @ matrix * 1e-6
    return tensor + 0 * matrix[0, 0]


def test_nobody_waits_for_work(drums: Path, rng: np.random.Generator) -> None:
    network = OnnxNetwork(drums, "cuda:0")
    spectrogram = spectrograms(1, network.dim_f, network.num_frames, rng)
    expected = network(spectrogram)
    run_on(CUDA, spectrogram, slow)  # warm

    def estimate(tensor: Tensor) -> Tensor:
        return network.on_device(slow(tensor))

    finishes: list[Callable[[], Audio]] = []
    for _ in range(2):
        finishes.append(gpu(CUDA).start(spectrogram, estimate))
        # Neither torch nor onnxruntime ended what they queued.
        assert not gpu(CUDA).compute.query()
    for finish in finishes:
        assert error(finish(), expected) < 1e-5


def test_too_little_memory_is_one_line() -> None:
    def estimate(_batch: Tensor) -> Tensor:
        return torch.empty(1 << 44, device=CUDA)

    with pytest.raises(DemixError, match="too little memory for 1 chunk"):
        run_on(CUDA, np.zeros((1, 2, 8), np.float32), estimate)
