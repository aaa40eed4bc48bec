"""Files of the demucs package give the package's networks, and run nothing."""

import math
import os
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs

from my_submission.errors import DemixError
from my_submission.networks.demucs_package import load_demucs_package
from tests.demucs_files import package, packages_network, write_package


@pytest.mark.parametrize("network_class", [Demucs, HDemucs, HTDemucs])
def test_a_file_gives_the_network_that_the_package_gives(
    tmp_path: Path, network_class: type
) -> None:
    write_package(tmp_path / "a-1.th", network_class)
    ours, theirs = load_demucs_package(tmp_path / "a-1.th"), packages_network(tmp_path / "a-1.th")
    sound = torch.randn(1, 2, 20_000)
    length = ours.valid_length(20_000)
    padded = torch.nn.functional.pad(sound, (0, length - 20_000))
    with torch.no_grad():
        found, expected = next(ours.estimates([padded[0]])), theirs(padded)[0]
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    assert list(ours.sources) == theirs.sources
    assert ours.segment == theirs.segment
    assert {value.dtype for value in ours.network.state_dict().values()} == {torch.float32}
    assert not ours.network.training


def test_arguments_that_the_class_no_longer_has_are_dropped(tmp_path: Path) -> None:
    content = package(HDemucs)
    content["kwargs"]["of_an_older_version"] = 1
    torch.save(content, tmp_path / "a.th")
    assert isinstance(load_demucs_package(tmp_path / "a.th").network, HDemucs)


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    content = package(HDemucs) | {"training_args": Malicious(tmp_path / "made")}
    torch.save(content, tmp_path / "a.th")
    with pytest.raises(DemixError, match=r"a\.th: cannot be read as a checkpoint") as caught:
        load_demucs_package(tmp_path / "a.th")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "made").exists()


class Call:
    """Calls something with arguments when it is unpickled."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize(
    "call",
    [
        Call(HDemucs, ["a"] * 4, 2, 512),
        Call(HTDemucs),
        Call(Fraction, "1e10000000"),
        Call(Fraction, 10**40, 3),
    ],
    ids=["network", "no arguments", "long fraction", "large fraction"],
)
def test_nothing_large_is_made_of_what_a_file_says(tmp_path: Path, call: Call) -> None:
    torch.save(package(HDemucs) | {"klass": call}, tmp_path / "a.th")
    started = time.monotonic()
    with pytest.raises(DemixError, match=r"a\.th: (cannot be read|its network is)"):
        load_demucs_package(tmp_path / "a.th")
    assert time.monotonic() - started < 2


def without(key: str) -> dict[str, Any]:
    content = package(HDemucs)
    del content[key]
    return content


def with_arguments(**arguments: object) -> dict[str, Any]:
    content = package(HDemucs)
    content["kwargs"] |= arguments
    return content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"linear.weight": torch.eye(3)}, "not a package of Demucs"),
        ([1, 2], "not a package of Demucs"),
        (without("state"), "not a package of Demucs"),
        (package(HDemucs) | {"klass": "HDemucs"}, "its network is 'HDemucs', not one of Demucs"),
        (package(HDemucs) | {"klass": ["HDemucs"]}, "not one of Demucs"),
        (package(HDemucs) | {"state": {"__quantized": True}}, "quantised"),
        (package(HDemucs) | {"state": {"__quantized": torch.zeros(3)}}, "quantised"),
        (with_arguments(segment=0), "no Demucs network has segments of 0 s"),
        (with_arguments(segment=-1), "no Demucs network has segments of -1 s"),
        (with_arguments(segment="10"), "no Demucs network has segments of 10 s"),
        (with_arguments(segment=math.nan), "no Demucs network has segments of nan s"),
        (with_arguments(segment=1e12), "no Demucs network has segments of 1000000000000.0 s"),
        (with_arguments(channels=200_000), "not the weights of HDemucs"),
        (package(HDemucs, sources=["a", "b"]), "it gives .*a.*b.*, not bass, drums, other, vocals"),
        (package(HDemucs) | {"state": {"a": 1}}, "expected named tensors"),
        (package(HDemucs) | {"kwargs": None}, "no Demucs network has its arguments"),
        (package(HDemucs) | {"args": 3}, "no Demucs network has its arguments"),
        (with_arguments(channels=-3), "no Demucs network has its arguments"),
        (with_arguments(channels=8), "not the weights of HDemucs"),
        (with_arguments(depth=10**9, growth=1), r"has its arguments \(depth is 1000000000\)"),
        (with_arguments(nfft=1 << 40), r"has its arguments \(nfft is "),
        (with_arguments(growth=math.nan), r"has its arguments \(growth is nan\)"),
        (with_arguments(sources=[["a"]]), r"has its arguments \(sources are "),
        (with_arguments(sources=None), r"has its arguments \(sources are None\)"),
        (with_arguments(dconv_comp=0), r"has its arguments \("),
        (with_arguments(channels=torch.ones(2)), r"has its arguments \(channels is "),
        (package(HDemucs, samplerate=48_000), "made for 48000 Hz and 2 channels"),
        (package(HDemucs, audio_channels=1), "made for 44100 Hz and 1 channels"),
    ],
    ids=range(28),
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: object, reason: str) -> None:
    torch.save(content, tmp_path / "a.th")
    with pytest.raises(DemixError, match=reason) as caught:
        load_demucs_package(tmp_path / "a.th")
    assert str(caught.value).startswith(str(tmp_path / "a.th"))
    assert "\n" not in str(caught.value)


def test_arguments_that_do_not_go_together_are_one_line(tmp_path: Path) -> None:
    # It changes no weight, so that only a pass shows it.
    write_package(tmp_path / "a.th", HTDemucs, t_emb="none such")
    network = load_demucs_package(tmp_path / "a.th")
    with pytest.raises(DemixError, match=r"a\.th: torch could not run it \(") as caught:
        list(network.estimates([torch.zeros(2, 20_000)]))
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    write_package(tmp_path / "a.th", HTDemucs)
    whole = (tmp_path / "a.th").read_bytes()
    (tmp_path / "a.th").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DemixError, match="cannot be read as a checkpoint"):
        load_demucs_package(tmp_path / "a.th")
