"""`python -m training.phase2 SONGS --separators FOLDER`: what a Mixer gains, stem by stem."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from my_submission.compute import resolve_compute
from my_submission.errors import DemixError
from my_submission.separators.mixer import Mixer
from my_submission.separators.tfc_tdf import TfcTdfConfig
from my_submission.stems import Stem
from my_submission.systems import leaderboard_a, starter
from training.data.tracks import open_tracks
from training.phase2.files import gain_table
from training.phase2.products import NO_MIXER, best_weight, song_products
from training.phase2.separators import FrozenSeparators, separator_files

CONFIGS: Mapping[str, Mapping[Stem, TfcTdfConfig]] = {
    "starter": starter.TFC_TDF,
    "leaderboard_a": leaderboard_a.TFC_TDF,
}
"""Of the systems that have a Mixer."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print mean SDR over songs without and with a Mixer; give the exit status.

    The last row is the gain of a Mixer that is fitted to these very songs, and so what there is to
    gain over these networks.
    """
    parser = argparse.ArgumentParser(prog="python -m training.phase2", description=__doc__)
    parser.add_argument("songs", type=Path, help="folder of songs that nothing was trained on")
    parser.add_argument("--separators", type=Path, required=True, help="folder of the networks")
    parser.add_argument("--mixer", type=Path, help="its file; by default mixer.ckpt beside them")
    parser.add_argument(
        "--system", choices=CONFIGS, default="starter", help="whose sizes they have"
    )
    options = parser.parse_args(arguments)
    try:
        files = separator_files(options.separators)
        mixer = Mixer.load(options.mixer or options.separators / "mixer.ckpt")
        tracks = open_tracks(options.songs, print)
        separators = FrozenSeparators(
            files,
            CONFIGS[options.system],
            resolve_compute(precision="exact"),
        )
        songs = [song_products(track, separators) for track in tracks]
    except DemixError as error:
        print(error, file=sys.stderr)
        return 1
    before, after, best = (
        np.mean([song.sdr(weight) for song in songs], axis=0)
        for weight in (NO_MIXER, mixer.weight.astype(np.float64), best_weight(songs))
    )
    print(gain_table(*(row.tolist() for row in (before, after, best - before))))
    print(f"{len(songs)} songs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
