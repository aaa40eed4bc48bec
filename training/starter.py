"""The starter from songs to files: four networks, their export, the Mixer over them."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from my_submission.audio import ArraySignal
from my_submission.networks.tfc_tdf import TfcTdfSize
from my_submission.separators.tfc_tdf import TfcTdfSeparator
from my_submission.stems import STEMS, Audio, Stem
from my_submission.stft import Stft
from my_submission.systems.starter import TFC_TDF
from training.export import export_onnx
from training.fit import Fit, FitOptions
from training.mixer import SongProducts, save_mixer, solve_mixer
from training.songs import SongStore
from training.treble import WithTreble, mean_share

DIM_F = 2048
"""Bins of every exported file, as the system's table says."""

BANDS: dict[Stem, tuple[int, int]] = {
    "bass": (2048, 512),  # up to 5.5 kHz, then 1.4 kHz
    "drums": (2048, 768),  # 22 kHz, 8.3 kHz
    "other": (1024, 768),  # 5.5 kHz, 4.1 kHz
    "vocals": (1024, 512),  # 7.3 kHz, 3.7 kHz
}
"""Bins that the network sees in the first and in the second part of its training. Nearly all of a
stem's energy is in the lower band, where a step costs a fraction; above it `WithTreble` passes each
bin's usual share of the mixture."""

HIDDEN = 51
"""Hidden units of the outermost TDF, the same in both parts."""

SHARE_EXAMPLES = 256

MIXER_SONGS = 30
MIXER_SECONDS = 20
SAMPLE_RATE = 44_100


@dataclass(frozen=True, kw_only=True)
class StarterOptions:
    """How the starter is made.

    Attributes:
        songs: Folder of training songs.
        cache: Where they are kept decoded.
        run: Where checkpoints and curves go; a run that is there goes on.
        out: Where the five files go.
        stems: Which networks are trained; of the others the run's checkpoints are taken.
        minutes: Time for the first part of each network's training.
        narrow_minutes: Time for the second part, in the narrower band.
        steps: Steps of each part instead of a time.
        peak_lr: Highest learning rate.
        jobs: Networks trained at once, one thread each.
        seed: Of everything.
    """

    songs: Path
    cache: Path
    run: Path
    out: Path
    stems: Sequence[Stem] = STEMS
    minutes: float = 23.0
    narrow_minutes: float = 17.0
    steps: int | None = None
    peak_lr: float = 5e-3
    jobs: int = 2
    seed: int = 1


def make_starter(options: StarterOptions, report: Callable[[str], None] = print) -> None:
    """Train, export and mix.

    Raises:
        DemixError: There are no songs, or an exported file computes something else than its
            network.
    """
    # Decoded here, once, and not by several processes at the same time.
    store = SongStore(options.songs, options.cache)
    report(f"{len(store)} songs")
    # Spawned, because threads of torch do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        for line in pool.map(partial(train_stem, options), options.stems):
            report(line)
    report(make_mixer(store, options.out))


def fit_options(stem: Stem, options: StarterOptions, part: int) -> FitOptions:
    """Give the options of one network in the first (0) or the second (1) part of its training."""
    band = BANDS[stem][part]
    return FitOptions(
        stem=stem,
        n_fft=TFC_TDF[stem].n_fft,
        size=TfcTdfSize(
            dim_f=band, num_blocks=7, num_layers=1, growth=8, bottleneck_factor=band // HIDDEN
        ),
        minutes=(options.minutes, options.narrow_minutes)[part],
        steps=options.steps,
        peak_lr=options.peak_lr * (1.0, 0.6)[part],
        seed=options.seed + part,
    )


def train_stem(options: StarterOptions, stem: Stem) -> str:
    """Train or go on training one network, and export it; give a line about it."""
    torch.set_num_threads(1)
    store = SongStore(options.songs, options.cache)
    report = partial(print, flush=True)
    wide = Fit(fit_options(stem, options, 0), store, options.run, report)
    wide.run()
    narrow = Fit(fit_options(stem, options, 1), store, options.run / "narrow", report)
    narrow.narrow_from(wide.checkpoint)
    narrow.run()
    return export_stem(narrow, options.out / f"{stem}.onnx")


def export_stem(fit: Fit, path: Path) -> str:
    """Export the averaged network of a run; give a line about it."""
    network: nn.Module = fit.finished_network()
    score = fit.validation_sdr(network)
    if fit.options.size.dim_f < DIM_F:
        network = WithTreble(network, treble_share(fit))
    difference = export_onnx(
        network,
        path,
        dim_f=DIM_F,
        metadata={
            "system": "starter",
            "stem": fit.options.stem,
            "n_fft": str(fit.options.n_fft),
            "steps": str(fit.step),
        },
    )
    return (
        f"{path.name}: {fit.step} steps in {fit.seconds:.0f} s, validation {score:.2f} dB, "
        f"differs by {difference:.1e} from torch"
    )


def treble_share(fit: Fit) -> Tensor:
    """Measure the stem's share of the mixture in each bin above the network's band."""
    target, mixture = fit.examples(SHARE_EXAMPLES, Stft(fit.options.n_fft, DIM_F))
    band = fit.options.size.dim_f
    return mean_share(target[:, :, band:], mixture[:, :, band:])


def make_mixer(store: SongStore, out: Path) -> str:
    """Solve the Mixer over the exported networks' estimates; give a line about it.

    Args:
        store: Training songs, of which some excerpts are taken.
        out: Holds the four ONNX files; gets `mixer.ckpt`.
    """
    networks = [TfcTdfSeparator(out / f"{stem}.onnx", TFC_TDF[stem]) for stem in STEMS]
    products = []
    for song in range(0, len(store), max(1, len(store) // MIXER_SONGS)):
        stems = _middle(store.stems(song), MIXER_SECONDS * SAMPLE_RATE)
        mixture = ArraySignal(stems.sum(axis=0))
        estimates = [np.concatenate(list(net.stream(mixture)), axis=-1) for net in networks]
        products.append(SongProducts.of(np.stack(estimates), stems))
    weight = solve_mixer(products)
    save_mixer(weight, out / "mixer.ckpt")
    before, after = np.eye(8, 10), weight
    gains = [
        np.mean(
            [
                10 * np.log10((song.power[k] + 1e-7) / (song.error(k, rows) + 1e-7))
                for song in products
            ]
        )
        for rows_of in (before, after)
        for k, rows in enumerate(rows_of.reshape(4, 2, 10))
    ]
    return (
        f"mixer.ckpt: mean SDR on {len(products)} training songs "
        f"{np.mean(gains[:4]):.2f} dB without, {np.mean(gains[4:]):.2f} dB with it"
    )


def _middle(stems: Audio, num_samples: int) -> Audio:
    start = max(0, (stems.shape[-1] - num_samples) // 2)
    return stems[..., start : start + num_samples]
