"""What is chosen to run networks: by what is asked for, what is installed and what is measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from my_submission import compute, measuring
from my_submission.compute import (
    Backend,
    BackendChoice,
    Compute,
    Precision,
    PrecisionChoice,
    resolve_compute,
)
from my_submission.errors import DemixError
from my_submission.measuring import WORTH_IT, Speed, measured_speed
from my_submission.separators import tfc_tdf
from my_submission.separators.tfc_tdf import TfcTdfConfig, TfcTdfSeparator, open_network
from tests.conftest import write_scaling_network
from tests.tfc_tdf_files import (
    GROUP_NORM_SIZE,
    N_FFT,
    NUM_FRAMES,
    SIZE,
    write_network,
    write_one_operation,
)

CONFIG = TfcTdfConfig(n_fft=N_FFT, dim_f=SIZE.dim_f, num_frames=NUM_FRAMES, trim=1024)
ALL: tuple[Backend, ...] = ("numba", "openvino", "onnxruntime", "torch")
LOW = {"cpu": torch.bfloat16, "cuda:0": torch.float16}
FLOAT32, BFLOAT16, FLOAT16 = torch.float32, torch.bfloat16, torch.float16


def set_machine(
    monkeypatch: pytest.MonkeyPatch,
    ratio: float = 1.0,
    installed: tuple[Backend, ...] = ALL,
    *,
    amx: bool = False,
) -> None:
    """Let low precision be `ratio` times as fast as float32, and only these backends be there."""
    monkeypatch.setattr(compute, "has_amx", lambda: amx)
    monkeypatch.setattr(compute, "resolve_device", lambda device: device)
    monkeypatch.setattr(
        compute, "measured_speed", lambda device: Speed(1e12, ratio * 1e12, LOW[device])
    )
    monkeypatch.setattr(compute, "is_installed", lambda backend: backend in installed)


@pytest.mark.parametrize(
    ("device", "precision", "ratio", "expected"),
    [
        ("cpu", "auto", 0.5, ("exact", FLOAT32)),
        ("cpu", "auto", WORTH_IT, ("fast", BFLOAT16)),
        ("cpu", "fast", 8.0, ("fast", BFLOAT16)),
        ("cpu", "fast", 1.4, ("fast", FLOAT32)),
        ("cpu", "exact", 8.0, ("exact", FLOAT32)),
        ("cuda:0", "auto", 10.0, ("fast", FLOAT16)),
        ("cuda:0", "auto", 0.02, ("exact", FLOAT32)),
        ("cuda:0", "fast", 0.02, ("fast", FLOAT32)),
        ("cuda:0", "exact", 10.0, ("exact", FLOAT32)),
    ],
)
def test_fast_is_the_default_where_low_precision_is(
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    precision: PrecisionChoice,
    ratio: float,
    expected: tuple[str, torch.dtype],
) -> None:
    set_machine(monkeypatch, ratio)
    found = resolve_compute(device, precision)
    assert (found.precision, found.dtype) == expected
    assert (found.device, found.backend, found.runners) == (device, None, {})


def test_exact_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "measured_speed", None)
    assert resolve_compute("cpu", "exact") == Compute()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cpu", "quick"), "precision 'quick' is unknown: use auto, exact or fast"),
        (("cpu", "auto", "tvm"), "backend 'tvm' is unknown: use auto, onnxruntime, openvino, num"),
        (("tpu",), "device 'tpu' is unknown"),
    ],
)
def test_an_unknown_name_is_an_error_that_lists_the_choices(
    arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DemixError, match=message):
        resolve_compute(*arguments)  # type: ignore[arg-type]


def test_a_backend_that_was_asked_for_and_is_not_there_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_machine(monkeypatch, installed=("onnxruntime", "torch"))
    missing: tuple[BackendChoice, ...] = ("openvino", "numba")
    for backend in missing:
        with pytest.raises(DemixError, match=f"{backend} is not installed: pip install {backend}"):
            resolve_compute("cpu", backend=backend)
    set_machine(monkeypatch)
    for backend in missing:
        with pytest.raises(DemixError, match=f"{backend} is for CPUs, not cuda:0: use -d cpu"):
            resolve_compute("cuda:0", backend=backend)
    for backend in ALL:
        assert resolve_compute("cpu", backend=backend).backend == backend


@pytest.mark.parametrize(
    ("device", "dtype", "installed", "expected"),
    [
        ("cpu", FLOAT32, ALL, ["numba", "openvino", "onnxruntime"]),
        ("cpu", FLOAT32, ("numba", "onnxruntime"), ["numba", "onnxruntime"]),
        ("cpu", FLOAT32, ("openvino", "onnxruntime"), ["openvino", "onnxruntime"]),
        ("cpu", FLOAT32, ("onnxruntime",), ["onnxruntime"]),
        ("cpu", BFLOAT16, ALL, ["openvino bfloat16", "numba", "onnxruntime"]),
        ("cpu", BFLOAT16, ("openvino", "onnxruntime"), ["openvino bfloat16", "onnxruntime"]),
        ("cpu", BFLOAT16, ("onnxruntime",), ["onnxruntime"]),
        ("cuda:0", FLOAT32, ALL, ["onnxruntime"]),
        ("cuda:0", FLOAT16, ALL, ["onnxruntime"]),
    ],
)
def test_the_fastest_backend_that_is_installed_comes_first(
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    dtype: torch.dtype,
    installed: tuple[Backend, ...],
    expected: list[Backend],
) -> None:
    set_machine(monkeypatch, installed=installed)
    precision: Precision = "exact" if dtype is FLOAT32 else "fast"
    assert runs_of(Compute(device, precision, dtype)) == expected
    for backend in ALL:
        forced = Compute(device, precision, dtype, backend)
        assert {run for run, _ in forced.onnx_runs()} == {backend}


def runs_of(found: Compute) -> list[str]:
    """Name what may run an ONNX file, with what in where that is not float32."""
    return [
        backend if dtype is FLOAT32 else f"{backend} {str(dtype).removeprefix('torch.')}"
        for backend, dtype in found.onnx_runs()
    ]


def test_with_amx_numba_comes_first_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    set_machine(monkeypatch, amx=True)
    assert runs_of(Compute("cpu", "fast", BFLOAT16)) == [
        "numba bfloat16",
        "openvino bfloat16",
        "numba",
        "onnxruntime",
    ]
    forced = Compute("cpu", "fast", BFLOAT16, "numba")
    assert runs_of(forced) == ["numba bfloat16", "numba"]
    assert runs_of(Compute("cpu", "exact", FLOAT32))[0] == "numba"


@pytest.mark.parametrize(
    ("dtype", "installed", "expected"),
    [
        (FLOAT32, ALL, "numba, float32"),
        (FLOAT32, ("openvino", "onnxruntime"), "openvino, float32"),
        (FLOAT32, ("onnxruntime",), "onnxruntime, float32"),
        (BFLOAT16, ALL, "openvino, bfloat16"),
        (BFLOAT16, ("onnxruntime",), "onnxruntime, float32"),
    ],
)
def test_a_network_is_run_by_what_was_chosen_and_noted(
    tmp_path: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    dtype: torch.dtype,
    installed: tuple[Backend, ...],
    expected: str,
) -> None:
    set_machine(monkeypatch, installed=installed)
    path = write_network(tmp_path / "bass.onnx")
    chosen = Compute("cpu", "exact" if dtype is FLOAT32 else "fast", dtype)
    network = open_network(path, CONFIG, chosen)
    assert chosen.runners == {"bass.onnx": expected}
    backend = expected.partition(",")[0]
    assert type(network).__name__ == f"{backend.removesuffix('runtime').capitalize()}Network"
    x = rng.standard_normal((1, 4, SIZE.dim_f, NUM_FRAMES)).astype(np.float32)
    reference = open_network(path, CONFIG, Compute(backend="onnxruntime"))(x)
    tolerance = 1e-5 if expected.endswith("float32") else 0.05
    assert np.abs(network(x) - reference).max() < tolerance * np.abs(reference).max()


def test_what_a_backend_cannot_run_is_left_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_machine(monkeypatch)
    write_scaling_network(tmp_path / "bass.onnx", 1.0, SIZE.dim_f, NUM_FRAMES)
    chosen = Compute()
    open_network(tmp_path / "bass.onnx", CONFIG, chosen)
    assert chosen.summary() == "bass.onnx: openvino, float32"
    write_one_operation(tmp_path / "drums.onnx", "Bernoulli", dim_f=64, num_frames=16)
    open_network(tmp_path / "drums.onnx", CONFIG, chosen)
    assert chosen.summary() == "bass.onnx: openvino, float32; drums.onnx: onnxruntime, float32"
    for file, backend in (("bass.onnx", "numba"), ("drums.onnx", "openvino")):
        forced = Compute(backend=backend)  # type: ignore[arg-type]
        with pytest.raises(DemixError, match=file):
            open_network(tmp_path / file, CONFIG, forced)
        assert forced.runners == {}


def test_group_norm_is_left_in_float32_and_that_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_machine(monkeypatch)
    path = write_network(tmp_path / "drums.onnx", GROUP_NORM_SIZE)
    chosen = Compute("cpu", "fast", BFLOAT16)
    open_network(path, CONFIG, chosen)
    assert chosen.summary() == "drums.onnx: openvino, float32"


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "numba"])
def test_checkpoints_are_run_by_torch_whatever_was_asked_for(
    tmp_path: Path, backend: Backend
) -> None:
    path = write_network(tmp_path / "drums.pt")
    chosen = Compute(backend=backend)
    open_network(path, CONFIG, chosen)
    assert chosen.summary() == "drums.pt: torch, float32"


def test_torch_refuses_onnx_files(tmp_path: Path) -> None:
    write_network(tmp_path / "bass.onnx")
    with pytest.raises(DemixError, match=r"bass\.onnx: backend torch runs checkpoints"):
        open_network(tmp_path / "bass.onnx", CONFIG, Compute(backend="torch"))


def test_a_checkpoint_is_run_by_torch_unless_it_was_exported(tmp_path: Path) -> None:
    path = write_network(tmp_path / "drums.pt")

    def runner(backend: Backend | None) -> str:
        chosen = Compute(backend=backend)
        open_network(path, CONFIG, chosen)
        return chosen.summary()

    assert runner(None) == runner("torch") == "drums.pt: torch, float32"
    write_network(tmp_path / "drums.onnx")
    assert runner("torch") == "drums.pt: torch, float32"
    for backend in ALL[:-1]:
        assert runner(backend) == f"drums.onnx: {backend}, float32"
    assert runner(None).startswith("drums.onnx: ")


def test_bfloat16_is_not_for_checkpoints(tmp_path: Path) -> None:
    path = write_network(tmp_path / "drums.pt", GROUP_NORM_SIZE)
    chosen = Compute("cpu", "fast", BFLOAT16)
    open_network(path, replace(CONFIG, norm_groups=2), chosen)
    assert chosen.summary() == "drums.pt: torch, float32"


@pytest.mark.parametrize("precision", ["exact", "fast"])
def test_a_gpu_gets_onnxruntime_and_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    made: list[tuple[object, ...]] = []

    class Network:
        dtype = FLOAT16

        def __init__(self, path: Path, device: str, **options: object) -> None:
            made.append((path.name, device, options))

    monkeypatch.setattr(tfc_tdf, "OnnxNetwork", Network)
    monkeypatch.setattr(tfc_tdf, "TorchNetwork", Network)
    dtype = FLOAT32 if precision == "exact" else FLOAT16
    chosen = Compute("cuda:1", precision, dtype)  # type: ignore[arg-type]
    open_network(tmp_path / "bass.onnx", CONFIG, chosen)
    open_network(tmp_path / "drums.pt", CONFIG, chosen)
    allow = {"allow_tf32": precision == "fast"}
    of_torch = {"num_frames": NUM_FRAMES, "norm_groups": None, "dtype": dtype, **allow}
    assert made == [("bass.onnx", "cuda:1", allow), ("drums.pt", "cuda:1", of_torch)]
    of_onnx = "tf32" if precision == "fast" else "float32"
    assert chosen.summary() == f"bass.onnx: onnxruntime, {of_onnx}; drums.pt: torch, float16"


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "numba"])
def test_a_separator_gives_the_same_by_every_backend(
    tmp_path: Path, rng: np.random.Generator, backend: Backend
) -> None:
    path = write_network(tmp_path / "bass.onnx")
    chunks = rng.uniform(-0.5, 0.5, (2, 2, CONFIG.chunk)).astype(np.float32)
    names: tuple[Backend, ...] = ("onnxruntime", backend)
    expected, found = (
        TfcTdfSeparator(path, CONFIG, Compute(backend=name)).estimate(chunks) for name in names
    )
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_the_summary_names_files_by_what_runs_them() -> None:
    found = Compute("cpu", "fast", BFLOAT16)
    found.note("bass.onnx", "openvino")
    found.note("d.th", "torch", FLOAT32)
    found.note("drums.onnx", "openvino")
    assert found.summary() == "bass.onnx, drums.onnx: openvino, bfloat16; d.th: torch, float32"


def test_the_processor_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = torch.get_num_threads()
    speed = measured_speed("cpu")
    assert speed.dtype == BFLOAT16
    assert 1e8 < speed.float32 < 1e15
    assert 1e6 < speed.low_precision < 1e16
    assert torch.get_num_threads() == threads
    monkeypatch.setattr(measuring, "seconds_of_products", None)
    assert measured_speed("cpu") is speed


@pytest.mark.parametrize(("exact", "low", "sizes"), [(1e-6, 1e-7, 5), (1.0, 0.1, 1), (1e-5, 1, 1)])
def test_matrices_grow_until_they_tell(
    monkeypatch: pytest.MonkeyPatch, exact: float, low: float, sizes: int
) -> None:
    measured: list[int] = []

    def seconds(size: int, _dtypes: object, _device: str) -> list[float]:
        measured.append(size)
        return [exact, low]

    monkeypatch.setattr(measuring, "seconds_of_products", seconds)
    speed = measured_speed.__wrapped__("cpu")
    assert measured == list(measuring.SIZES[:sizes])
    assert speed.low_precision / speed.float32 == pytest.approx(exact / low)
    assert speed.fast_dtype == (BFLOAT16 if low < exact else FLOAT32)
