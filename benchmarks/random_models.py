"""Full-size networks with random weights, in the published formats and sizes.

They separate nothing, and cost exactly what the published ones cost.
"""

from pathlib import Path

import torch

from my_submission.networks.demucs_v2 import DemucsV2
from my_submission.networks.tfc_tdf import TfcTdf, TfcTdfSize
from my_submission.stems import STEMS
from my_submission.systems import leaderboard_a, leaderboard_b
from training.export import export_onnx
from training.mixer import save_mixer

CONFIGS = {"leaderboard_a": leaderboard_a.TFC_TDF, "leaderboard_b": leaderboard_b.TFC_TDF}
DEMUCS = {
    "leaderboard_a": "demucs-e07c671f.th",
    "leaderboard_b": "demucs_extra-3646af93.th",
}
DEMUCS_CHANNELS = 64


def write_random_models(system: str, folder: Path) -> None:
    """Write all files of `system` into `folder`, the same ones at every call."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    for stem in STEMS:
        config = CONFIGS[system][stem]
        blocks = 9 if (system, stem) == ("leaderboard_b", "drums") else 11
        size = TfcTdfSize(
            dim_f=config.dim_f, num_blocks=blocks, num_layers=3, growth=32, bottleneck_factor=8
        )
        export_onnx(
            TfcTdf(size),
            folder / f"{stem}.onnx",
            dim_f=config.dim_f,
            num_frames=config.num_frames,
            metadata={"n_fft": str(config.n_fft)},
        )
    if system == "leaderboard_a":
        save_mixer(torch.eye(8, 10).numpy(), folder / "mixer.ckpt")
    torch.save(DemucsV2(DEMUCS_CHANNELS).state_dict(), folder / DEMUCS[system])
