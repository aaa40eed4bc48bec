"""The Mixer is a matrix per sample, in a documented order, from a checkpoint of that alone."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from my_submission.audio import ArraySignal
from my_submission.errors import DemixError
from my_submission.networks.checkpoints import load_state_dict
from my_submission.separators.mixer import Mixer
from tests.conftest import write_mixer


def test_each_stem_is_a_weighted_sum_of_all_estimates_and_the_mixture(
    rng: np.random.Generator,
) -> None:
    weight = rng.standard_normal((8, 10)).astype(np.float32)
    estimates = rng.standard_normal((4, 2, 5)).astype(np.float32)
    mixture = rng.standard_normal((2, 5)).astype(np.float32)
    mixed = Mixer(weight)(estimates, mixture)
    for stem in range(4):
        for channel in range(2):
            row = weight[2 * stem + channel]
            expected = row[8] * mixture[0] + row[9] * mixture[1]
            for k in range(4):
                expected = (
                    expected + row[2 * k] * estimates[k, 0] + row[2 * k + 1] * estimates[k, 1]
                )
            np.testing.assert_allclose(mixed[stem, channel], expected, rtol=1e-4, atol=1e-5)


def test_a_stream_is_mixed_with_the_mixture_of_the_same_time(rng: np.random.Generator) -> None:
    mixer = Mixer(rng.standard_normal((8, 10)).astype(np.float32))
    estimates = rng.standard_normal((4, 2, 50)).astype(np.float32)
    mixture = rng.standard_normal((2, 50)).astype(np.float32)
    blocks = mixer.stream(iter(np.split(estimates, [1, 20, 33], axis=-1)), ArraySignal(mixture))
    np.testing.assert_allclose(
        np.concatenate(list(blocks), axis=-1), mixer(estimates, mixture), rtol=1e-5, atol=1e-6
    )


def test_a_mixer_is_loaded(tmp_path: Path) -> None:
    write_mixer(tmp_path / "mixer.ckpt")
    np.testing.assert_array_equal(Mixer.load(tmp_path / "mixer.ckpt").weight, np.eye(8, 10))


@pytest.mark.parametrize(
    "state",
    [
        {"linear.weight": torch.eye(8)},
        {"weight": torch.eye(8, 10)},
        {"linear.weight": torch.eye(8, 10), "linear.bias": torch.zeros(8)},
    ],
)
def test_other_weights_are_refused(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    torch.save(state, tmp_path / "mixer.ckpt")
    with pytest.raises(DemixError, match="not a Mixer"):
        Mixer.load(tmp_path / "mixer.ckpt")


class Payload:
    """Touches a file when it is unpickled by a loader that runs what it reads."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_payload_does_not_run(tmp_path: Path, legacy: bool) -> None:
    state = {"linear.weight": torch.eye(8, 10), "payload": Payload(tmp_path / "executed")}
    torch.save(state, tmp_path / "mixer.ckpt", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(DemixError, match=r"mixer\.ckpt"):
        Mixer.load(tmp_path / "mixer.ckpt")
    (tmp_path / "plain.ckpt").write_bytes(pickle.dumps(Payload(tmp_path / "executed")))
    with pytest.raises(DemixError, match=r"plain\.ckpt"):
        load_state_dict(tmp_path / "plain.ckpt")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 not really a zip"])
def test_a_corrupt_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mixer.ckpt").write_bytes(content)
    with pytest.raises(DemixError, match=r"mixer\.ckpt"):
        Mixer.load(tmp_path / "mixer.ckpt")


@pytest.mark.parametrize("legacy", [False, True])
def test_any_damage_is_one_line(tmp_path: Path, rng: np.random.Generator, legacy: bool) -> None:
    path = tmp_path / "mixer.ckpt"
    state = {"linear.weight": torch.eye(8, 10)}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    whole = path.read_bytes()
    refused = 0
    for length in range(0, len(whole), 7):
        damaged = bytearray(whole[:length] if length % 2 else whole)
        if damaged:
            damaged[int(rng.integers(len(damaged)))] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            Mixer.load(path)
        except DemixError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    "weight",
    [
        torch.eye(8, 10).to_sparse(),
        torch.eye(8, 10, dtype=torch.int64),
        torch.full((8, 10), torch.nan),
        torch.empty(8, 10, device="meta"),
        torch.eye(8, 10).to(torch.float8_e4m3fn),
        torch.ones(1).expand(1 << 40),  # of four bytes
    ],
)
def test_other_numbers_are_refused(tmp_path: Path, weight: torch.Tensor) -> None:
    torch.save({"linear.weight": weight}, tmp_path / "mixer.ckpt")
    with pytest.raises(DemixError, match="is not a dense tensor of finite numbers"):
        Mixer.load(tmp_path / "mixer.ckpt")


def test_anything_but_named_tensors_is_refused(tmp_path: Path) -> None:
    torch.save([torch.eye(8, 10)], tmp_path / "list.ckpt")
    torch.save({"epoch": 3}, tmp_path / "numbers.ckpt")
    for name in ("list.ckpt", "numbers.ckpt"):
        with pytest.raises(DemixError, match="named tensors only"):
            load_state_dict(tmp_path / name)


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match=r"missing\.ckpt"):
        load_state_dict(tmp_path / "missing.ckpt")
