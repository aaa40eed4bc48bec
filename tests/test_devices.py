"""A device that was asked for and is not there is an error, never another device."""

import onnxruntime
import pytest
import torch

from my_submission import devices
from my_submission.devices import resolve_device, session_runs_on_cuda
from my_submission.errors import DemixError


def set_machine(
    monkeypatch: pytest.MonkeyPatch,
    gpus: int,
    providers: tuple[str, ...] = (),
    *,
    starts: bool = True,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(devices, "session_runs_on_cuda", lambda _index: starts)
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: [*providers, "CPUExecutionProvider"]
    )


def test_without_a_gpu_auto_is_the_cpu_and_cuda_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    set_machine(monkeypatch, gpus=0)
    assert resolve_device("auto") == "cpu"
    assert resolve_device("cpu") == "cpu"
    with pytest.raises(DemixError, match="torch finds no CUDA GPU"):
        resolve_device("cuda")


def test_with_a_gpu_auto_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    set_machine(monkeypatch, gpus=2, providers=("CUDAExecutionProvider",))
    assert resolve_device("auto") == "cuda:0"
    assert resolve_device("cuda") == "cuda:0"
    assert resolve_device("cuda:1") == "cuda:1"
    with pytest.raises(DemixError, match=r"cuda:2 is not there: torch finds 2"):
        resolve_device("cuda:2")


def test_a_gpu_that_onnxruntime_cannot_use_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    set_machine(monkeypatch, gpus=1)
    assert resolve_device("auto") == "cpu"
    with pytest.raises(DemixError, match="onnxruntime-gpu"):
        resolve_device("cuda")


def test_a_gpu_on_which_onnxruntime_does_not_start_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_machine(monkeypatch, gpus=1, providers=("CUDAExecutionProvider",), starts=False)
    assert resolve_device("auto") == "cpu"
    with pytest.raises(DemixError, match="cannot start on it"):
        resolve_device("cuda")


def test_the_probe_tells_whether_there_is_a_gpu() -> None:
    assert session_runs_on_cuda(0) is torch.cuda.is_available()


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU"])
def test_an_unknown_device_is_an_error(device: str) -> None:
    with pytest.raises(DemixError, match="use cpu, cuda, cuda:N or auto"):
        resolve_device(device)
