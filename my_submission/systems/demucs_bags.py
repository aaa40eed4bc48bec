"""The demucs package's pretrained models, by its names: one network, or a bag that votes.

1. The mixture is standardised by its mono downmix.
2. Each network of the bag estimates all stems, in segments that overlap by a quarter.
3. Every stem is the networks' weighted mean.

This is what ``demucs -n NAME --shifts 0`` computes. Of six sources (`htdemucs_6s`) guitar and piano
are added to other. The stems need not add up to the mixture. The quantised bags `mdx_q` and
`mdx_extra_q` are left out: reading them takes a package whose license forbids commercial use.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from my_submission.audio import Signal
from my_submission.compute import Compute
from my_submission.errors import DemixError
from my_submission.networks.demucs_package import load_demucs_package
from my_submission.parts import Part, Parts
from my_submission.separators.demucs import DemucsSeparator, mono, statistics
from my_submission.stems import STEMS, Audio, Stem
from my_submission.streams import aligned

OVERLAP = 0.25
"""The package's default."""

STEM_OF: dict[str, Stem] = {"guitar": "other", "piano": "other"}
"""Where a source goes that is no stem of its own."""


@dataclass(frozen=True)
class DemucsBag:
    """A bag, and how it is loaded.

    Attributes:
        name: The package's name.
        members: File names, once each: where the package lists all of a bag's members twice, their
            mean is the same.
        weights: For each member its weight in drums, bass, other and vocals, the package's order;
            by default 1.
        segment: Seconds of a segment; None for what the networks themselves prefer.
    """

    name: str
    members: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...] | None = None
    segment: float | None = None

    def __call__(self, folder: Path, compute: Compute) -> "LoadedBag":
        """Load all networks from `folder`."""
        return LoadedBag(self, folder, compute)


BAGS = (
    DemucsBag("htdemucs", ("955717e8-8726e21a.th",)),
    DemucsBag(
        "htdemucs_ft",
        (
            "f7e0c4bc-ba3fe64a.th",
            "d12395a8-e57c48e6.th",
            "92cfc3b6-ef3bcb9c.th",
            "04573f0d-f3cf25b2.th",
        ),
        weights=((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)),
    ),
    DemucsBag("htdemucs_6s", ("5c90dfd2-34c22ccb.th",)),
    DemucsBag("hdemucs_mmi", ("75fc33f5-1941ce65.th",), segment=44),
    DemucsBag(
        "mdx",
        (
            "0d19c1c6-0f06f20e.th",
            "7ecf8ec1-70f50cc9.th",
            "c511e2ab-fe698775.th",
            "7d865c68-3d5dd56b.th",
        ),
        weights=((1, 1, 0, 0), (0, 1, 0, 0), (1, 0, 1, 1), (1, 0, 1, 1)),
        segment=44,
    ),
    DemucsBag(
        "mdx_extra",
        (
            "e51eebcc-c1b80bdd.th",
            "a1d90b5c-ae9d2452.th",
            "5d2d6c55-db83574e.th",
            "cfa93e08-61801ae1.th",
        ),
        segment=44,
    ),
    DemucsBag(
        "repro_mdx_a",
        (
            "9a6b4851-03af0aa6.th",
            "1ef250f1-592467ce.th",
            "fa0cb7f9-100d8bf4.th",
            "902315c2-b39ce9c9.th",
        ),
        segment=44,
    ),
    DemucsBag(
        "repro_mdx_a_hybrid_only",
        ("fa0cb7f9-100d8bf4.th", "902315c2-b39ce9c9.th"),
        segment=44,
    ),
    DemucsBag(
        "repro_mdx_a_time_only",
        ("9a6b4851-03af0aa6.th", "1ef250f1-592467ce.th"),
        segment=44,
    ),
)


class LoadedBag:
    """A bag, its networks loaded from `folder`."""

    def __init__(self, bag: DemucsBag, folder: Path, compute: Compute) -> None:
        networks = [
            load_demucs_package(folder / member, compute, bag.segment) for member in bag.members
        ]
        sources = list(networks[0].sources)
        for member, network in zip(bag.members, networks, strict=True):
            if list(network.sources) != sources or set(sources) - {*STEMS, *STEM_OF}:
                raise DemixError(
                    f"{folder / member}: gives {', '.join(network.sources)}, "
                    f"which is not what {bag.name} is made of"
                )
        weights = np.array(bag.weights or np.ones((len(networks), len(sources))), np.float32)
        self._shares = weights / weights.sum(axis=0)
        # [4, sources]: which stem each of the networks' sources is part of
        self._parts = np.array(
            [[stem == STEM_OF.get(name, name) for name in sources] for stem in STEMS], np.float32
        )
        self._sources = sources
        self._separators = [
            DemucsSeparator(network, segment=network.segment, overlap=OVERLAP)
            for network in networks
        ]

    @property
    def parts(self) -> Parts:
        """The only estimate, as a time budget runs it."""
        return Parts(demucs=Part(self.separate, self._separators))

    def separate(self, mixture: Signal) -> Iterator[Audio]:
        """Separate a song into consecutive blocks ``[4, 2, n]``."""
        stats = statistics(mixture, downmix=mono)
        song = stats.standardise(mixture)
        votes = [
            self._vote(separator, share, song)
            for separator, share in zip(self._separators, self._shares, strict=True)
        ]
        return stats.restore(np.sum(blocks, axis=0) for blocks in aligned(votes))

    def _vote(self, separator: DemucsSeparator, share: Audio, song: Signal) -> Iterator[Audio]:
        """Estimate what a network with these shares adds to the stems, ``[4, 2, n]``."""
        counted = np.flatnonzero(share)
        to_stems = self._parts[:, counted] * share[counted]
        for block in separator.stream(song, [self._sources[index] for index in counted]):
            yield np.tensordot(to_stems, block, axes=1)
