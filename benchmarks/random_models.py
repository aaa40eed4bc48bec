"""Full-size networks with random weights, in the published formats and sizes.

They separate nothing, and cost exactly what the published ones cost. Run as
``python -m benchmarks.random_models MODELS SYSTEM...``, MODELS being the folder to write them into.
"""

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs

from my_submission.networks.demucs_v2 import SOURCES, DemucsV2
from my_submission.networks.tfc_tdf import TfcTdf, TfcTdfSize
from my_submission.separators.tfc_tdf import TfcTdfConfig
from my_submission.stems import STEMS, Stem
from my_submission.systems import leaderboard_a, leaderboard_b, leaderboard_c
from training.export import export_onnx
from training.mixer import save_mixer

CONFIGS = {"leaderboard_a": leaderboard_a.TFC_TDF, "leaderboard_b": leaderboard_b.TFC_TDF}
DEMUCS_V2 = {
    "leaderboard_a": "demucs-e07c671f.th",
    "leaderboard_b": "demucs_extra-3646af93.th",
}

DEMUCS_CHANNELS = 64

HTDEMUCS: dict[str, Any] = {
    "sources": list(SOURCES),
    "dconv_mode": 3,
    "bottom_channels": 512,
    "segment": Fraction(39, 5),
}
"""The arguments of htdemucs, with 42 million parameters."""
MMI: dict[str, Any] = {"sources": list(SOURCES), "segment": 44}
T2: dict[str, Any] = {"sources": list(SOURCES), "hybrid_old": True, "cac": False}


def write_random_models(system: str, folder: Path) -> None:
    """Write all files of `system` into `folder`, the same ones at every call."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    if system == "leaderboard_c":
        write_leaderboard_c(folder)
    elif system == "htdemucs":
        write_package(HTDemucs, HTDEMUCS, folder / "955717e8-8726e21a.th")
    else:
        write_leaderboard_a_or_b(system, folder)


def write_leaderboard_a_or_b(system: str, folder: Path) -> None:
    """Write the files of one of the two systems of 2021."""
    for stem in STEMS:
        size = leaderboard_a_or_b_size(system, stem)
        write_onnx(size, CONFIGS[system][stem], folder / f"{stem}.onnx")
    if system == "leaderboard_a":
        save_mixer(torch.eye(8, 10).numpy(), folder / "mixer.ckpt")
    torch.save(DemucsV2(DEMUCS_CHANNELS).state_dict(), folder / DEMUCS_V2[system])


def leaderboard_a_or_b_size(system: str, stem: Stem) -> TfcTdfSize:
    """Give the size of a TFC-TDF network of one of the two systems of 2021."""
    return TfcTdfSize(
        dim_f=CONFIGS[system][stem].dim_f,
        num_blocks=9 if (system, stem) == ("leaderboard_b", "drums") else 11,
        num_layers=3,
        growth=32,
        bottleneck_factor=8,
    )


def write_leaderboard_c(folder: Path) -> None:
    """Write the files of Leaderboard C."""
    for stem, config in leaderboard_c.TFC_TDF.items():
        is_bass = stem == "bass"
        size = TfcTdfSize(
            dim_f=config.dim_f,
            num_blocks=15 if is_bass else 11,
            num_layers=4 if is_bass else 3,
            growth=40 if is_bass else 48,
            bottleneck_factor=8,
            norm_groups=config.norm_groups,
        )
        if stem == "vocals":
            write_onnx(size, config, folder / "vocals.onnx")
        else:
            torch.save(TfcTdf(size).state_dict(), folder / f"{stem}.pt")
    for role, (file, *_) in leaderboard_c.DEMUCS.items():
        if role in STEMS:
            write_package(HTDemucs, HTDEMUCS, folder / file)
        else:
            write_package(HDemucs, MMI if role == "mmi" else T2, folder / file)


def write_onnx(size: TfcTdfSize, config: TfcTdfConfig, path: Path) -> None:
    """Write a TFC-TDF network as ONNX."""
    export_onnx(
        TfcTdf(size),
        path,
        dim_f=config.dim_f,
        num_frames=config.num_frames,
        metadata={"n_fft": str(config.n_fft)},
    )


def write_package(network_class: type, arguments: dict[str, Any], path: Path) -> None:
    """Write a network in the demucs package's format, weights in half precision."""
    state = network_class(**arguments).state_dict()
    package = {
        "klass": network_class,
        "args": (),
        "kwargs": arguments,
        "state": {name: value.half() for name, value in state.items()},
    }
    torch.save(package, path)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        write_random_models(name, Path(sys.argv[1]) / name)
