"""The demucs package's models by name: what the package itself computes, as a stream."""

import importlib.resources
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from demucs.apply import BagOfModels, apply_model
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs

from my_submission.audio import ArraySignal
from my_submission.compute import Compute
from my_submission.errors import DemixError
from my_submission.networks import demucs_package
from my_submission.networks.demucs_package import PackagedNetwork, load_demucs_package
from my_submission.separators.demucs import DemucsSeparator
from my_submission.stems import STEMS, Audio
from my_submission.systems import SYSTEMS
from my_submission.systems.demucs_bags import BAGS, DemucsBag
from tests.demucs_files import SOURCES, packages_network, write_package

REMOTE = importlib.resources.files("demucs") / "remote"
QUANTISED = {"mdx_q", "mdx_extra_q"}


def packages_bag(name: str) -> dict[str, object]:
    bag: dict[str, object] = yaml.safe_load((REMOTE / f"{name}.yaml").read_text())
    return bag


def signatures(bag: DemucsBag) -> list[str]:
    return [member.partition("-")[0] for member in bag.members]


def test_every_bag_of_the_package_is_a_system() -> None:
    names = {Path(str(file)).stem for file in REMOTE.iterdir() if str(file).endswith(".yaml")}
    assert {bag.name for bag in BAGS} == names - QUANTISED
    assert all(SYSTEMS[bag.name] is bag for bag in BAGS)


@pytest.mark.parametrize("bag", BAGS, ids=lambda bag: bag.name)
def test_a_bag_is_the_package_s(bag: DemucsBag) -> None:
    theirs = packages_bag(bag.name)
    members = theirs["models"]
    assert isinstance(members, list)
    unique = list(dict.fromkeys(members))
    assert signatures(bag) == unique
    assert {members.count(name) for name in unique} == {len(members) / len(unique)}
    assert bag.segment == theirs.get("segment")
    weights = theirs.get("weights")
    assert (bag.weights and [list(row) for row in bag.weights]) == weights
    listed = (REMOTE / "files.txt").read_text().split()
    assert set(bag.members) <= set(listed)


def song(rng: np.random.Generator, seconds: float) -> Audio:
    rough = rng.standard_normal((2, int(44_100 * seconds))) * [[0.1], [0.3]] + 0.05
    return rough.astype(np.float32)


def packages_stems(bag: DemucsBag, folder: Path, mixture: Audio) -> torch.Tensor:
    """Separate as the package's command does without shifts; sources in the package's order."""
    models = [packages_network(folder / member) for member in bag.members]
    weights = None if bag.weights is None else [list(row) for row in bag.weights]
    bagged = BagOfModels(models, weights, bag.segment)
    sound = torch.from_numpy(mixture)
    reference = sound.mean(0)
    mean, std = reference.mean(), reference.std()
    with torch.no_grad():
        stems = apply_model(bagged, ((sound - mean) / std)[None], shifts=0, split=True)[0]
    return stems * std + mean


CLASSES: dict[str, Sequence[type]] = {
    "htdemucs": [HTDemucs],
    "htdemucs_ft": [HTDemucs] * 4,
    "hdemucs_mmi": [HDemucs],
    "mdx": [Demucs, Demucs, HDemucs, HDemucs],
    "mdx_extra": [HDemucs, Demucs, HDemucs, Demucs],
}


@pytest.mark.parametrize("seconds", [0.2, 4.3])
@pytest.mark.parametrize("name", CLASSES)
def test_stems_equal_the_package_s(
    tmp_path: Path, rng: np.random.Generator, name: str, seconds: float
) -> None:
    bag = SYSTEMS[name]
    assert isinstance(bag, DemucsBag)
    for seed, (member, network_class) in enumerate(zip(bag.members, CLASSES[name], strict=True)):
        write_package(tmp_path / member, network_class, seed)
    short = DemucsBag(bag.name, bag.members, bag.weights, bag.segment and 2)
    mixture = song(rng, seconds)
    ours = np.concatenate(list(short(tmp_path, Compute()).separate(ArraySignal(mixture))), axis=-1)
    expected = packages_stems(short, tmp_path, mixture).numpy()
    in_our_order = expected[[SOURCES.index(stem) for stem in STEMS]]
    assert np.abs(ours - in_our_order).max() < 1e-5 * np.abs(expected).max()


def test_members_with_other_sources_are_refused(tmp_path: Path) -> None:
    bag = DemucsBag("pair", ("a.th", "b.th"))
    for second in ([*SOURCES[::-1]], [*SOURCES, "flute"]):
        write_package(tmp_path / "a.th", HDemucs, sources=SOURCES if len(second) == 4 else second)
        write_package(tmp_path / "b.th", HDemucs, sources=second)
        with pytest.raises(DemixError, match=r"\.th: gives .* which is not what pair is made of"):
            bag(tmp_path, Compute())


def test_guitar_and_piano_are_part_of_other(tmp_path: Path, rng: np.random.Generator) -> None:
    bag = SYSTEMS["htdemucs_6s"]
    assert isinstance(bag, DemucsBag)
    six = [*SOURCES, "guitar", "piano"]
    write_package(tmp_path / bag.members[0], HTDemucs, sources=six)
    mixture = song(rng, 2)
    ours = np.concatenate(list(bag(tmp_path, Compute()).separate(ArraySignal(mixture))), axis=-1)
    drums, bass, other, vocals, guitar, piano = packages_stems(bag, tmp_path, mixture).numpy()
    # De-standardising adds the mean to each source, and a sum of three is one source here.
    mean = mixture.mean()
    expected = np.stack([bass, drums, other + guitar + piano - 2 * mean, vocals])
    assert np.abs(ours - expected).max() < 1e-5 * np.abs(expected).max()


class Repeat:
    """A network that gives its input for every source."""

    sources = SOURCES
    segment = 2

    def __call__(self, segments: torch.Tensor) -> torch.Tensor:
        return segments[:, None].expand(-1, len(SOURCES), -1, -1)


class Noting(PackagedNetwork):
    """A network that notes the sizes of its batches."""

    def __init__(self) -> None:
        super().__init__(Path("repeat.th"), Repeat(), None, Compute())
        self.batches: list[int] = []

    def estimates(self, segments: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        self.batches.append(len(segments))
        return super().estimates(segments)


def test_a_gpu_gets_segments_in_batches(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(demucs_package.BATCH_SECONDS, "cpu", 8)  # as if this were a GPU
    network = Noting()
    separator = DemucsSeparator(network, segment=2, overlap=0.5)
    mixture = song(rng, 6.5)
    stems = np.concatenate(list(separator.stream(ArraySignal(mixture))), axis=-1)
    # Five whole segments of 2 s, and the two that the song cuts off.
    assert network.batches == [4, 1, 1, 1]
    np.testing.assert_allclose(stems[2], mixture, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("network_class", [Demucs, HDemucs, HTDemucs])
def test_batches_of_segments_change_nothing(
    tmp_path: Path, rng: np.random.Generator, network_class: type
) -> None:
    write_package(tmp_path / "a.th", network_class)
    network = load_demucs_package(tmp_path / "a.th")
    mixture = ArraySignal(song(rng, 5.1))
    separator = DemucsSeparator(network, segment=network.segment, overlap=0.85)

    def separated(batch_size: int) -> Audio:
        network.batch_size = batch_size
        return np.concatenate(list(separator.stream(mixture, ["vocals", "bass"])), axis=-1)

    alone, batched = separated(1), separated(5)
    assert alone.shape == (2, 2, mixture.num_samples)
    assert np.abs(alone - batched).max() < 1e-5 * np.abs(alone).max()
