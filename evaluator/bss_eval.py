"""BSSEval v4 by museval, of one song that is in memory as a whole; conventions: see `metrics`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluator.metrics import FRAME_SECONDS, Sounds, median_of_frames
from evaluator.song_sounds import SongSounds
from evaluator.sound import STEMS

TARGETS = ("vocals", "drums", "bass", "other")
"""The stems in the order of museval's own files."""

METRICS = ("SDR", "SIR", "ISR", "SAR")

FILTER_LENGTH = 512
"""Of museval's distortion filters, in samples."""


@dataclass(frozen=True)
class BssEval:
    """What museval says of a song.

    Args:
        document: the text of museval's JSON file; None where museval gives nothing.
        medians: of each stem and metric, over frames, in dB; None where no frame has a value.
        obstacle: why there is nothing, in one line.
    """

    document: str | None
    medians: Mapping[str, Mapping[str, float | None]]
    obstacle: str | None = None


def bytes_needed(num_samples: int, num_channels: int = 2) -> int:
    """Estimate the memory that `bss_eval` takes for a song.

    Args:
        num_samples: length of the song.
        num_channels: of its stems.
    """
    signals = len(TARGETS) * num_channels
    # As measured: 1.1 GB for 20 s and 2.1 GB for 90 s, of which this gives 1.1 and 2.1.
    sounds = 3 * 8 * signals * num_samples
    transform_length = 1 << int(np.ceil(np.log2(num_samples + FILTER_LENGTH - 1)))
    spectra = (signals + 2) * 16 * transform_length
    correlations = 3 * 8 * (signals * FILTER_LENGTH) ** 2
    return sounds + spectra + correlations + 300_000_000  # and what is imported


def bss_eval(name: str, song: SongSounds) -> BssEval:
    """Score the four stems of a song with museval.

    Args:
        name: the song's.
        song: open to be read.

    Returns:
        museval's frames in its own form, and their medians; nothing where a stem is silent
        throughout, which museval refuses.

    Raises:
        EvaluatorError: a file is damaged.
    """
    # Late, because it takes a second.
    from museval import TrackStore, metrics

    references, estimates = _in_memory(song)
    silent = _silent_stems(references, estimates)
    if silent:
        nothing = {stem: dict.fromkeys(METRICS) for stem in STEMS}
        return BssEval(None, nothing, f"museval scores no song with silence in {silent}")
    _let_museval_fall_back()
    window = int(FRAME_SECONDS * song.sample_rate)
    # What museval.evaluate calls, which would copy both arrays before.
    with np.errstate(divide="ignore", invalid="ignore"):
        sdr, isr, sir, sar, _ = metrics.bss_eval(
            references,
            estimates,
            window=window,
            hop=window,
            compute_permutation=False,
            filters_len=FILTER_LENGTH,
            framewise_filters=False,
            bsseval_sources_version=False,
        )
    store: Any = TrackStore(win=FRAME_SECONDS, hop=FRAME_SECONDS, track_name=name)
    medians = {}
    for index, stem in enumerate(TARGETS):
        values = {"SDR": sdr[index], "SIR": sir[index], "ISR": isr[index], "SAR": sar[index]}
        store.add_target(stem, values)
        medians[stem] = {metric: median_of_frames(values[metric]) for metric in METRICS}
    store.validate()
    return BssEval(store.json, medians)


def _in_memory(song: SongSounds) -> tuple[Sounds, Sounds]:
    """Read references and estimates, in the order of `TARGETS`."""
    shape = (len(TARGETS), song.num_samples, song.num_channels)
    references, estimates = np.empty(shape), np.empty(shape)
    order = [STEMS.index(stem) for stem in TARGETS]
    done = 0
    for _, true, estimated in song.blocks():
        here = slice(done, done + true.shape[1])
        references[:, here], estimates[:, here] = true[order], estimated[order]
        done = here.stop
    return references, estimates


def _silent_stems(references: Sounds, estimates: Sounds) -> str:
    """Name what museval takes for silent: where the sum of the channels is zero throughout."""
    return ", ".join(
        f"the {kind} of {stem}"
        for kind, sounds in (("reference", references), ("estimate", estimates))
        for stem, sound in zip(TARGETS, sounds, strict=True)
        if not np.einsum("fc->f", sound).any()
    )


def _let_museval_fall_back() -> None:
    """Give back the name by which museval 0.4.1 catches singular matrices; numpy 2 has dropped it.

    Without it, what museval solves by least squares instead ends in an AttributeError.
    """
    linalg: Any = np.linalg
    if not hasattr(linalg, "linalg"):
        linalg.linalg = linalg
