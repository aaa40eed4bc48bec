"""A device that was asked for and is not there is an error, never another device."""

import onnxruntime
import pytest
import torch

from my_submission import devices
from my_submission.devices import (
    cuda_mismatch,
    load_shared_cuda,
    resolve_device,
    session_runs_on_cuda,
)
from my_submission.errors import DemixError


def set_machine(
    monkeypatch: pytest.MonkeyPatch,
    gpus: int,
    providers: tuple[str, ...] = (),
    *,
    starts: bool = True,
    cuda: tuple[str | None, str] = ("13.0", "13.0"),
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.version, "cuda", cuda[0])
    monkeypatch.setattr(onnxruntime, "cuda_version", cuda[1])
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


def test_versions_of_cuda_that_cannot_be_shared_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    set_machine(monkeypatch, gpus=1, providers=("CUDAExecutionProvider",), cuda=("12.8", "13.0"))
    assert resolve_device("auto") == "cpu"
    with pytest.raises(DemixError, match=r"torch is built for CUDA 12\.8, onnxruntime for CUDA 13"):
        resolve_device("cuda")


@pytest.mark.parametrize(
    ("of_torch", "of_onnxruntime", "is_sound"),
    [
        ("13.0", "13.0", True),
        ("13.2", "13.0", True),
        ("12.8", "13.0", False),
        ("13.0", "12.8", False),
        ("1.3", "13.0", False),
        (None, "13.0", False),  # torch for AMD's GPUs, which it calls cuda as well
        ("13.0", "", False),
        (None, "", False),
    ],
)
def test_one_major_version_of_cuda_is_shared(
    of_torch: str | None, of_onnxruntime: str, is_sound: bool
) -> None:
    assert (cuda_mismatch(of_torch, of_onnxruntime) is None) is is_sound


def test_a_library_of_cuda_that_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_machine(monkeypatch, gpus=1, providers=("CUDAExecutionProvider",), starts=False)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: print("no libcublas.so.13\nmore"))
    load_shared_cuda.cache_clear()
    try:
        with pytest.raises(DemixError, match=r"cannot start on it \(no libcublas\.so\.13\)"):
            resolve_device("cuda")
    finally:
        load_shared_cuda.cache_clear()
    assert capsys.readouterr().out == ""


def test_the_probe_tells_whether_there_is_a_gpu() -> None:
    assert session_runs_on_cuda(0) is torch.cuda.is_available()


def test_a_gpu_that_auto_passes_over_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.unused_gpu() is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(devices, "cuda_obstacle", lambda _index: "too old")
    assert devices.unused_gpu() == "too old"


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU"])
def test_an_unknown_device_is_an_error(device: str) -> None:
    with pytest.raises(DemixError, match="use cpu, cuda, cuda:N or auto"):
        resolve_device(device)
