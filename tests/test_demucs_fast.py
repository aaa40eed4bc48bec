"""The faster layers of packaged networks give what the package's own give."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from demucs.demucs import DConv, Demucs, LocalState
from demucs.hdemucs import HDecLayer, HDemucs, HEncLayer
from demucs.htdemucs import HTDemucs
from torch import Tensor, nn
from torch.nn import functional

from my_submission.compute import Compute
from my_submission.networks import (
    demucs_attention,
    demucs_frequency,
    demucs_local_attention,
    demucs_residual,
)
from my_submission.networks.demucs_attention import ATTENDING_STEPS, attend_in_low_precision
from my_submission.networks.demucs_fast import accelerate
from my_submission.networks.demucs_frequency import FrequencyDecoder, FrequencyEncoder
from my_submission.networks.demucs_hybrid import runs_faster
from my_submission.networks.demucs_local_attention import QUERIES, attend_in_blocks
from my_submission.networks.demucs_package import load_demucs_package
from my_submission.networks.demucs_residual import Residual, ResidualBranch
from my_submission.networks.demucs_time import TimeDecoder, TimeEncoder
from tests.demucs_files import SOURCES, TINY, packages_network, write_package

NETWORKS: list[tuple[type, dict[str, Any]]] = [
    (Demucs, {}),
    (Demucs, {"dconv_mode": 3, "lstm_layers": 1}),
    (HDemucs, {}),
    (HDemucs, {"hybrid_old": True, "dconv_mode": 3}),
    (HDemucs, {"multi_freqs": [0.25, 0.5], "hybrid": False}),
    (HTDemucs, {"dconv_mode": 3}),
    (HTDemucs, {"use_train_segment": False, "freq_emb": 0, "t_norm_out": False}),
    (HTDemucs, {"cac": False}),
    (HTDemucs, {"bottom_channels": 0, "t_layers": 3, "t_norm_first": False, "t_gelu": False}),
]
HYBRIDS: list[dict[str, Any]] = [
    {},
    {"hybrid_old": True},
    {"cac": False},
    {"hybrid_old": True, "cac": False},
    {"cac": False, "freq_emb": 0, "dconv_mode": 3, "wiener_residual": True},
]
DCONV: dict[str, Any] = {"depth": 2, "compress": 4, "init": 0.5}


@pytest.fixture(autouse=True)
def _randomness() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=[1 << 18, 5000], ids=["large tiles", "small tiles"])
def _tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(demucs_residual, "TILE", request.param)
    monkeypatch.setattr(demucs_frequency, "TILE", request.param)
    monkeypatch.setattr(demucs_local_attention, "QUERIES", 7 if request.param == 5000 else 256)
    monkeypatch.setattr(demucs_attention, "FEED_FORWARD_STEPS", 7 if request.param == 5000 else 256)
    yield


def make(kind: Any, *args: Any, **kwargs: Any) -> nn.Module:
    """Make a layer of the package, which has no types."""
    layer: nn.Module = kind(*args, **kwargs)
    return layer


def randomised(layer: Any) -> Any:
    """Move all parameters away from where they start: scales from 1 and biases from 0."""
    for parameter in layer.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return layer.eval().requires_grad_(False)


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Give the largest difference over the peak."""
    assert found.shape == expected.shape
    assert found.dtype == torch.float32
    return float((found - expected).abs().max() / expected.abs().max())


def decibels(found: Tensor, expected: Tensor) -> float:
    """Give the least of all stems: the energy expected over that of the difference."""
    energy, difference = (x.square().sum((-2, -1)) for x in (expected, found - expected))
    return float(10 * torch.log10(energy / difference).min())


@pytest.mark.usefixtures("_tiles")
@pytest.mark.parametrize(("network_class", "arguments"), NETWORKS)
def test_networks_give_what_the_package_gives(
    tmp_path: Path, network_class: type, arguments: dict[str, Any]
) -> None:
    torch.save(randomised_package(network_class, arguments), tmp_path / "a.th")
    ours, theirs = load_demucs_package(tmp_path / "a.th"), packages_network(tmp_path / "a.th")
    for length in (20_000, 44_101):
        sound = torch.randn(2, ours.valid_length(length))
        with torch.inference_mode():
            (found,) = ours.estimates([sound])
            assert relative_error(found, theirs(sound[None])[0]) < 1e-5


def randomised_package(network_class: type, arguments: dict[str, Any]) -> dict[str, Any]:
    """Make a file's content, with branches that count."""
    kwargs = {"sources": SOURCES, **TINY[network_class], **arguments}
    state = randomised(network_class(**kwargs)).state_dict()
    return {"klass": network_class, "args": (), "kwargs": kwargs, "state": state}


@pytest.mark.parametrize("arguments", HYBRIDS)
@pytest.mark.parametrize("length", [1000, 20_480, 20_481, 30_719])
def test_the_course_of_merging_branches(arguments: dict[str, Any], length: int) -> None:
    theirs = randomised(HDemucs(SOURCES, **TINY[HDemucs], **arguments))
    ours = accelerate(deepcopy(theirs))
    assert runs_faster(ours)
    sound = torch.randn(1, 2, length)
    sound[..., length // 3 :] = 0  # digital silence, which has no phase
    given = sound.clone()
    with torch.inference_mode():
        assert relative_error(ours(sound), theirs(given)) < 1e-5
    assert torch.equal(sound, given)


@pytest.mark.parametrize(
    "arguments",
    [{"cac": False, "wiener_iters": 1, "end_iters": 1}, {"hybrid": False}, {"norm_starts": 0}],
)
def test_other_networks_keep_the_package_s_course(arguments: dict[str, Any]) -> None:
    with torch.device("meta"):
        network = HDemucs(SOURCES, **TINY[HDemucs], **arguments).eval().requires_grad_(False)
    assert not runs_faster(accelerate(network))


@pytest.mark.usefixtures("_tiles")
@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("injected", [True, False])
def test_frequency_encoders(pad: bool, injected: bool) -> None:
    layer = randomised(make(HEncLayer, 4, 16, norm=False, pad=pad, dconv_kw=DCONV))
    x, inject = torch.randn(1, 4, 64, 50), torch.randn(1, 16, 50) if injected else None
    with torch.inference_mode():
        assert relative_error(FrequencyEncoder(layer)(x, inject), layer(x, inject)) < 1e-5


@pytest.mark.usefixtures("_tiles")
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("context_freq", [True, False])
def test_frequency_decoders(last: bool, context_freq: bool) -> None:
    layer = randomised(
        make(HDecLayer, 16, 4, last, norm=False, context_freq=context_freq, dconv_kw=DCONV)
    )
    x, skip = torch.randn(2, 1, 16, 20, 50)
    with torch.inference_mode():
        found, expected = FrequencyDecoder(layer)(x, skip, 50)[0], layer(x, skip, 50)[0]
    assert relative_error(found, expected) < 1e-5


@pytest.mark.usefixtures("_tiles")
@pytest.mark.parametrize("length", [1, 399, 400, 401])
def test_layers_on_time(length: int) -> None:
    encode = randomised(make(HEncLayer, 4, 16, norm=False, freq=False, dconv_kw=DCONV))
    decode = randomised(make(HDecLayer, 16, 4, norm=False, freq=False, dconv_kw=DCONV))
    x = torch.randn(1, 4, length)
    with torch.inference_mode():
        y = encode(x)
        assert relative_error(TimeEncoder(encode)(x), y) < 1e-5
        found, expected = TimeDecoder(decode)(y, -2 * y, length)[0], decode(y, -2 * y, length)[0]
    assert relative_error(found, expected) < 1e-5


@pytest.mark.parametrize("time", [1, 2, 3, 100])
def test_branches_of_any_length(time: int) -> None:
    dconv = randomised(DConv(16, **DCONV))
    x = torch.randn(3, 16, time)
    with torch.inference_mode():
        expected = dconv(x)
        assert relative_error(Residual(dconv)(x.clone()), expected) < 1e-5


@pytest.mark.parametrize("time", [1, 2, QUERIES, QUERIES + 1, 3 * QUERIES])
def test_attention_in_blocks(time: int) -> None:
    theirs = randomised(make(LocalState, 16))
    ours = deepcopy(theirs)
    attend_in_blocks(ours)
    x = torch.randn(2, 16, time)
    with torch.inference_mode():
        assert relative_error(ours(x), theirs(x)) < 1e-5


@pytest.mark.parametrize(("to", "source"), [(1, 3), (ATTENDING_STEPS, 7), (600, ATTENDING_STEPS)])
def test_attention_in_low_precision_is_torch_s(to: int, source: int) -> None:
    queries = torch.randn(2, to, 3, 8).transpose(1, 2)
    keys, values = torch.randn(2, 2, source, 3, 8).transpose(2, 3)
    expected = functional.scaled_dot_product_attention(queries, keys, values)
    found = attend_in_low_precision(queries, keys, values)
    assert found.shape == expected.shape
    assert relative_error(found, expected) < 1e-5
    rounded = attend_in_low_precision(*(x.bfloat16() for x in (queries, keys, values)))
    assert 30 < decibels(rounded.float(), expected) < 100


def test_the_norm_of_a_branch_keeps_its_digits_far_from_zero() -> None:
    # A bias a thousand times what varies: the squares' sum alone would have no digits left.
    dconv = randomised(DConv(16, **DCONV))
    for layers in dconv.layers:
        layers[3].bias += 1000
    x = torch.randn(2, 16, 500)
    with torch.inference_mode():
        expected = dconv.double()(x.double()).float()
        found = Residual(dconv.float())(x.clone())
    assert relative_error(found, expected) < 1e-4


def test_full_size_layers_are_all_replaced() -> None:
    with torch.device("meta"):
        network = accelerate(HTDemucs(SOURCES, bottom_channels=512).eval().requires_grad_(False))
    kinds = {type(module) for module in network.modules()}
    assert {FrequencyEncoder, FrequencyDecoder, TimeEncoder, TimeDecoder, ResidualBranch} <= kinds
    assert not {DConv, HEncLayer, HDecLayer, nn.MultiheadAttention} & kinds


@pytest.mark.parametrize(("network_class", "arguments"), NETWORKS)
def test_bfloat16_keeps_about_40_db(
    tmp_path: Path, network_class: type, arguments: dict[str, Any]
) -> None:
    torch.save(randomised_package(network_class, arguments), tmp_path / "a.th")
    low = Compute(precision="fast", dtype=torch.bfloat16)
    ours, theirs = load_demucs_package(tmp_path / "a.th", low), packages_network(tmp_path / "a.th")
    sound = torch.randn(2, ours.valid_length(20_000))
    with torch.inference_mode():
        (found,), expected = ours.estimates([sound]), theirs(sound[None])[0]
    assert found.dtype == torch.float32
    # Branches at their usual beginning, where they add next to nothing, would hide the rounding.
    assert 38 <= decibels(found, expected) < 100
    assert low.runners == {"a.th": "torch, bfloat16"}


@pytest.mark.parametrize("network_class", [Demucs, HDemucs, HTDemucs])
def test_two_threads_give_what_one_gives(tmp_path: Path, network_class: type) -> None:
    write_package(tmp_path / "a.th", network_class)
    network = load_demucs_package(tmp_path / "a.th")
    sounds = list(torch.randn(4, 2, network.valid_length(20_000)))
    alone = [next(network.estimates([sound])) for sound in sounds]
    with ThreadPoolExecutor(2) as pool:
        together = pool.map(lambda sound: next(network.estimates([sound])), sounds)
    for found, expected in zip(together, alone, strict=True):
        assert relative_error(found, expected) < 1e-6


def test_segments_side_by_side_leave_torch_s_threads_as_they_were(tmp_path: Path) -> None:
    write_package(tmp_path / "a.th", HTDemucs)
    network = load_demucs_package(tmp_path / "a.th")
    sounds = list(torch.randn(3, 2, network.valid_length(20_000)))
    alone = [next(network.estimates([sound])) for sound in sounds]
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        together = list(network.estimates(sounds))
        with ThreadPoolExecutor(1) as pool:
            assert torch.get_num_threads() == pool.submit(torch.get_num_threads).result() == 2
    finally:
        torch.set_num_threads(threads)
    for found, expected in zip(together, alone, strict=True):
        assert relative_error(found, expected) < 1e-6
