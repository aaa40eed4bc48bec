"""Which networks the full-size systems are made of, and how they pass through a song."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from torch import nn

from my_submission.networks.demucs_v2 import SOURCES, DemucsV2
from my_submission.networks.tfc_tdf import TfcTdfSize
from my_submission.separators.tfc_tdf import TfcTdfConfig
from my_submission.stems import Stem
from my_submission.systems import leaderboard_a, leaderboard_b, leaderboard_c
from my_submission.systems.demucs_bags import OVERLAP

SYSTEMS = ("leaderboard_a", "leaderboard_b", "leaderboard_c", "htdemucs")
"""The systems that are measured on random weights of full size."""

TFC_TDF: Mapping[str, Mapping[Stem, TfcTdfConfig]] = {
    "leaderboard_a": leaderboard_a.TFC_TDF,
    "leaderboard_b": leaderboard_b.TFC_TDF,
    "leaderboard_c": leaderboard_c.TFC_TDF,
    "htdemucs": {},
}

HTDEMUCS: dict[str, Any] = {
    "sources": list(SOURCES),
    "dconv_mode": 3,
    "bottom_channels": 512,
    "segment": Fraction(39, 5),
}
"""The arguments of htdemucs, with 42 million parameters."""
MMI: dict[str, Any] = {"sources": list(SOURCES), "segment": 44}
T2: dict[str, Any] = {"sources": list(SOURCES), "hybrid_old": True, "cac": False}
DEMUCS_V2 = {"channels": 64}


def tfc_tdf_size(system: str, stem: Stem) -> TfcTdfSize:
    """Give the published size of a TFC-TDF network."""
    config = TFC_TDF[system][stem]
    blocks, layers, growth = 11, 3, 32
    if (system, stem) == ("leaderboard_b", "drums"):
        blocks = 9
    elif system == "leaderboard_c":
        blocks, layers, growth = (15, 4, 40) if stem == "bass" else (11, 3, 48)
    return TfcTdfSize(
        dim_f=config.dim_f,
        num_blocks=blocks,
        num_layers=layers,
        growth=growth,
        bottleneck_factor=8,
        norm_groups=config.norm_groups,
    )


@dataclass(frozen=True)
class DemucsPart:
    """A network of the Demucs family in a system.

    Attributes:
        network_class: `DemucsV2`, or `HDemucs` or `HTDemucs` of the package.
        arguments: What it is made of.
        file: Where the system looks for it.
        segment: Seconds of a segment.
        overlap: Share of a segment that the next one covers as well.
    """

    network_class: Callable[..., nn.Module]
    arguments: Mapping[str, Any]
    file: str
    segment: Fraction
    overlap: float


def demucs_parts(system: str) -> list[DemucsPart]:
    """Give a system's networks of the Demucs family."""
    if system == "leaderboard_c":
        return [
            DemucsPart(*_class_and_arguments(role), file, segment, overlap)
            for role, (file, segment, overlap) in leaderboard_c.DEMUCS.items()
        ]
    if system == "htdemucs":
        file = "955717e8-8726e21a.th"
        return [DemucsPart(HTDemucs, HTDEMUCS, file, HTDEMUCS["segment"], OVERLAP)]
    file = {"leaderboard_a": "demucs-e07c671f.th", "leaderboard_b": "demucs_extra-3646af93.th"}[
        system
    ]
    return [DemucsPart(DemucsV2, DEMUCS_V2, file, Fraction(40), 0.5)]


def _class_and_arguments(role: str) -> tuple[Callable[..., nn.Module], dict[str, Any]]:
    """Say which network plays a role in Leaderboard C."""
    return {"mmi": (HDemucs, MMI), "t2": (HDemucs, T2)}.get(role, (HTDemucs, HTDEMUCS))
