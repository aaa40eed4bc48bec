"""What lets networks use a GPU well, as far as it can be told without one; see `test_on_gpu`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from my_submission.audio import ArraySignal
from my_submission.errors import DemixError
from my_submission.networks import gpu as gpu_module
from my_submission.networks.gpu import Gpu, batch_that_fits, float32_products, run_on
from my_submission.separators.tfc_tdf import TfcTdfConfig, TfcTdfSeparator
from my_submission.stems import Audio
from tests.conftest import write_scaling_network

CPU = torch.device("cpu")
CONFIG = TfcTdfConfig(n_fft=2048, dim_f=32, num_frames=8, trim=1024)


class Stream:
    """A stand-in for a CUDA stream that logs what it waits for."""

    log: ClassVar[list[str]] = []
    current: ClassVar[list[str]] = []

    def __init__(self, _device: torch.device) -> None:
        self.name = ("compute", "uploads", "downloads")[len(self.log)]
        self.log.append(f"new {self.name}")

    def wait_stream(self, other: "Stream") -> None:
        self.log.append(f"{self.name} waits for {other.name}")

    def record_event(self) -> Any:
        self.log.append(f"event of {self.name}")
        return self

    def synchronize(self) -> None:
        self.log.append("waited")


@contextmanager
def on_stream(stream: Stream) -> Iterator[None]:
    Stream.current.append(stream.name)
    yield
    Stream.current.pop()


@pytest.fixture
def seeming_gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """Give a GPU whose streams log what they do, and whose memory is the CPU's."""
    log: list[str] = []
    monkeypatch.setattr(Stream, "log", log)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", on_stream)
    monkeypatch.setattr(Tensor, "pin_memory", lambda self: self.clone())
    monkeypatch.setattr(
        Tensor, "record_stream", lambda self, stream: log.append(f"kept for {stream.name}")
    )
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *words, pin_memory, **more: empty(*words, **more))
    copy = Tensor.copy_

    def logged_copy(self: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
        assert non_blocking
        log.append(f"copied by {Stream.current[-1]}")
        return copy(self, source)

    monkeypatch.setattr(Tensor, "copy_", logged_copy)
    return Gpu(CPU)


def test_work_waits_for_what_it_needs_and_nobody_for_it(seeming_gpu: Gpu) -> None:
    def estimate(batch: Tensor) -> Tensor:
        Stream.log.append(f"computed by {Stream.current[-1]}")
        return batch.flip(-1)

    batch = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    Stream.log.clear()
    finish = seeming_gpu.start(batch, estimate)
    assert Stream.log == [
        "compute waits for uploads",
        "kept for compute",
        "computed by compute",
        "downloads waits for compute",
        "kept for downloads",
        "copied by downloads",
        "event of downloads",
    ]
    np.testing.assert_array_equal(finish(), batch[..., ::-1])
    assert Stream.log[-1] == "waited"


def test_a_gpu_with_too_little_memory_is_one_line(seeming_gpu: Gpu) -> None:
    def estimate(_batch: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")

    with pytest.raises(DemixError, match=r"too little memory for 3 chunk\(s\)"):
        seeming_gpu.start(np.zeros((3, 2, 4), np.float32), estimate)


def test_work_that_fails_is_one_line(seeming_gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_stream: Stream) -> None:
        raise RuntimeError("CUDA error: an illegal memory access\nCompile with")

    finish = seeming_gpu.start(np.zeros((1, 2, 4), np.float32), lambda batch: batch)
    monkeypatch.setattr(Stream, "synchronize", fail)
    with pytest.raises(DemixError, match=r"failed \(CUDA error: an illegal memory access\)"):
        finish()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA GPU")
def test_a_gpu_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DemixError, match="cuda:3 is not there: torch finds no CUDA GPU"):
        Gpu(torch.device("cuda:3"))


def test_on_the_cpu_nothing_is_copied() -> None:
    batch = np.ones((2, 2, 3), np.float32)
    found = run_on(CPU, batch, lambda tensor: tensor)
    assert np.shares_memory(found, batch)


def test_a_batch_fits_the_memory_and_is_never_empty() -> None:
    spectrogram = 4 * 4 * 2048 * 512
    sizes = [batch_that_fits(gigabytes << 30, spectrogram) for gigabytes in (0, 1, 16, 40, 80, 999)]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[1], sizes[-1]) == (1, 1, gpu_module.MAX_BATCH)
    assert sizes[3] > 1
    for gigabytes, size in zip((16, 40, 80), sizes[2:], strict=False):
        # Four networks leave half of the memory.
        assert size == 1 or 4 * size * gpu_module.ACTIVATIONS * spectrogram <= gigabytes << 29


@pytest.mark.parametrize("batch_size", [2, 3, 8])
def test_batches_give_what_single_chunks_give(
    batch_size: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    write_scaling_network(tmp_path / "net.onnx", 0.5, dim_f=32, num_frames=8)
    separator = TfcTdfSeparator(tmp_path / "net.onnx", CONFIG)
    assert separator.batch_size == 1  # the CPU's
    mixture = ArraySignal(rng.uniform(-0.5, 0.5, (2, 50_000)).astype(np.float32))
    singles = np.concatenate(list(separator.stream(mixture)), axis=-1)
    separator.batch_size = batch_size
    batches = np.concatenate(list(separator.stream(mixture)), axis=-1)
    np.testing.assert_allclose(batches, singles, atol=1e-6)


def test_a_network_of_arrays_runs_on_the_cpu(tmp_path: Path, rng: np.random.Generator) -> None:
    class Halving:
        """A backend that knows no tensors."""

        def __call__(self, spectrogram: Audio) -> Audio:
            assert isinstance(spectrogram, np.ndarray)
            return spectrogram * np.float32(0.5)

    write_scaling_network(tmp_path / "net.onnx", 0.5, dim_f=32, num_frames=8)
    separator = TfcTdfSeparator(tmp_path / "net.onnx", CONFIG)
    chunks = rng.uniform(-0.5, 0.5, (2, 2, CONFIG.chunk)).astype(np.float32)
    expected = separator.estimate(chunks)
    separator.network = Halving()  # type: ignore[assignment]
    np.testing.assert_allclose(separator.estimate(chunks), expected, atol=1e-6)


def settings() -> list[object]:
    backends: Any = torch.backends
    return [
        backends.cudnn.conv.fp32_precision,
        backends.cudnn.rnn.fp32_precision,
        backends.cuda.matmul.fp32_precision,
        backends.cuda.matmul.allow_fp16_reduced_precision_reduction,
    ]


@pytest.mark.parametrize(("allow_tf32", "name"), [(False, "ieee"), (True, "tf32")])
def test_products_are_set_inside_and_put_back(allow_tf32: bool, name: str) -> None:
    before = settings()
    with float32_products(allow_tf32=allow_tf32):
        assert settings() == [name, name, name, False]
        with float32_products(allow_tf32=not allow_tf32):
            assert settings()[0] != name
        assert settings() == [name, name, name, False]
    assert settings() == before
    with pytest.raises(OSError, match="lost"), float32_products(allow_tf32=allow_tf32):
        raise OSError("lost")
    assert settings() == before


def test_threads_do_not_set_each_other_s_products() -> None:
    entered, seen = threading.Event(), []

    def other() -> None:
        entered.set()
        with float32_products(allow_tf32=True):
            seen.append(settings()[0])

    with float32_products(allow_tf32=False):
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait()
        thread.join(0.05)
        assert (settings()[0], seen) == ("ieee", [])
    thread.join()
    assert seen == ["tf32"]
