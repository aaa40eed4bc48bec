"""Pictures of sounds and scores over time, without margins: a page lays a clock's line over them.

A picture is as wide as the song is long, whatever its pixels. Background is transparent, so that it
reads on light and dark pages; labels are the page's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from evaluator.report_page.sounds import read_piece
from evaluator.runs import Frame
from evaluator.sound import StraightFile

COLORS = {
    "mixture": "#7d848f",
    "bass": "#0072b2",
    "drums": "#d55e00",
    "other": "#009e73",
    "vocals": "#cc79a7",
}
"""Okabe's and Ito's, told apart by colour-blind people; 3:1 at least on white and near-black."""

COLUMNS = 1200
BANDS = 128
N_FFT = 2048
LOWEST_HZ, HIGHEST_HZ = 40.0, 16_000.0
RANGE_DB = 80.0
"""Of a spectrogram, from the loudest spot of all of a song's sounds down."""

DPI = 100
WAVEFORM_SHARE = 0.36
"""Of a picture's height; the spectrogram has the rest."""

HEIGHT = 180
BLOCK_SECONDS = 10
TINY = 1e-12

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Look:
    """What a picture of a sound shows.

    Attributes:
        low: least sample of each column, ``[COLUMNS]``, full scale at 1.
        high: greatest, likewise.
        power: mean power, ``[BANDS, COLUMNS]``, the lowest frequencies first.
    """

    low: Array
    high: Array
    power: Array

    @property
    def peak(self) -> float:
        """Greatest absolute sample."""
        return float(max(self.high.max(), -self.low.min()))


def look_at(sound: StraightFile, length: int) -> Look:
    """Measure a sound for its picture, in blocks.

    Args:
        sound: any number of channels.
        length: in frames, of the picture; what a shorter sound lacks is silence.
    """
    rate = sound.samplerate
    low, high = np.zeros(COLUMNS), np.zeros(COLUMNS)
    power, counts = np.zeros((BANDS, COLUMNS)), np.zeros(COLUMNS)
    # Every column gets a frame of its own, or several side by side.
    hop = max(1, min(N_FFT // 2, length // COLUMNS))
    frames_per_block = max(1, BLOCK_SECONDS * rate // hop)
    window, bands = np.hanning(N_FFT), _bands(rate)
    for first in range(0, math.ceil(length / hop), frames_per_block):
        starts = hop * np.arange(first, min(first + frames_per_block, math.ceil(length / hop)))
        begin, end = int(starts[0]) - N_FFT // 2, int(starts[-1]) + N_FFT // 2
        block = np.ascontiguousarray(read_piece(sound, max(begin, 0), end).T)
        before = max(-begin, 0)
        block = np.pad(block, ((0, 0), (before, end - begin - before - block.shape[1])))
        columns = np.minimum(starts * COLUMNS // max(length, 1), COLUMNS - 1)
        frames = np.lib.stride_tricks.sliding_window_view(block.mean(axis=0), N_FFT)[
            : hop * len(starts) : hop
        ]
        spectra = np.square(np.abs(np.fft.rfft(frames * window)))
        np.add.at(power.T, columns, spectra @ bands.T)
        np.add.at(counts, columns, 1.0)
        own = block[:, N_FFT // 2 : N_FFT // 2 + int(starts[-1] - starts[0]) + hop]
        at = (starts[0] + np.arange(own.shape[1])) * COLUMNS // max(length, 1)
        at = np.minimum(at, COLUMNS - 1)
        np.minimum.at(low, at, own.min(axis=0))
        np.maximum.at(high, at, own.max(axis=0))
    if (counts == 0).any():  # fewer samples than columns: the last sound stays
        filled = np.maximum.accumulate(np.where(counts > 0, np.arange(COLUMNS), 0))
        low, high, power, counts = low[filled], high[filled], power[:, filled], counts[filled]
    return Look(low, high, power / np.maximum(counts, 1))


def draw_sound(path: Path, look: Look, *, color: str, peak: float, loudest: float) -> None:
    """Draw a waveform and below it a spectrogram, as WebP.

    Args:
        path: the file to write.
        look: of the sound.
        color: of the waveform.
        peak: sample at the waveform's upper edge, so that several can be compared.
        loudest: power at the top of the spectrogram's scale, likewise.
    """
    figure = Figure(figsize=(COLUMNS / DPI, HEIGHT / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    wave = figure.add_axes((0, 1 - WAVEFORM_SHARE, 1, WAVEFORM_SHARE))
    wave.set_axis_off()
    wave.set_xlim(0, COLUMNS - 1)
    top = 1.03 * max(peak, TINY)
    wave.set_ylim(-top, top)
    # A silent sound keeps a line.
    least = top / 60
    wave.fill_between(
        np.arange(COLUMNS),
        np.minimum(look.low, -least),
        np.maximum(look.high, least),
        color=color,
        linewidth=0,
    )
    spectrum = figure.add_axes((0, 0, 1, 1 - WAVEFORM_SHARE))
    spectrum.set_axis_off()
    level = 10 * np.log10((look.power + TINY) / (max(loudest, TINY) + TINY))
    spectrum.imshow(
        level,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-RANGE_DB,
        vmax=0,
        interpolation="nearest",
    )
    figure.savefig(path, format="webp", transparent=True, pil_kwargs={"quality": 80})


@dataclass(frozen=True)
class Scale:
    """Vertical scale of a plot.

    Attributes:
        low: dB at its lower edge.
        high: at its upper edge.
    """

    low: float
    high: float

    @property
    def ticks(self) -> list[float]:
        """Where lines are drawn and labelled, in dB."""
        step = next((s for s in (2, 5, 10, 20) if (self.high - self.low) / s <= 7), 50)
        first = math.ceil(self.low / step) * step
        ticks = np.arange(first, self.high + 1e-6, step)
        # A label at the very edge would be cut.
        return [float(t) for t in ticks if 0.02 < self.share(float(t)) < 0.98]

    def share(self, value: float) -> float:
        """Height of a value, 0 to 1."""
        return (value - self.low) / (self.high - self.low)


def scale_of(frames: Mapping[str, Sequence[Frame]]) -> Scale:
    """Choose a scale on which nearly all values lie: silences make scores of any size."""
    values = [f.sdr for stem in frames.values() for f in stem if math.isfinite(f.sdr)] or [0.0]
    low = max(-20.0, float(np.quantile(values, 0.02, method="lower")) - 1)
    high = min(40.0, float(np.quantile(values, 0.98, method="higher")) + 1)
    return Scale(min(math.floor(low), -1), max(math.ceil(high), low + 5))


def draw_frames(
    path: Path,
    frames: Mapping[str, Sequence[Frame]],
    *,
    seconds: float,
    scale: Scale,
    columns: int,
    height: int,
) -> None:
    """Draw SDR over time, a line per stem, as PNG.

    Args:
        path: the file to write.
        frames: ``{stem: frames}``.
        seconds: length of the song.
        scale: of the plot.
        columns: width in pixels; a narrow screen gets a picture of its own.
        height: likewise.
    """
    figure = Figure(figsize=(columns / DPI, height / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, max(seconds, TINY))
    axes.set_ylim(scale.low, scale.high)
    for tick in scale.ticks:
        axes.axhline(tick, color="#888888", alpha=0.6 if tick == 0 else 0.28, linewidth=1)
    for stem, found in frames.items():
        middles = [frame.start + frame.duration / 2 for frame in found]
        # A mark keeps a frame between two silences visible.
        axes.plot(
            middles,
            [min(max(frame.sdr, scale.low), scale.high) for frame in found],
            color=COLORS[stem],
            linewidth=1.8,
            marker="o",
            markersize=2.6,
            solid_joinstyle="round",
        )
    figure.savefig(path, format="png", transparent=True)


def _bands(rate: int) -> Array:
    """Weights that gather a spectrum in bands of equal ratio, ``[BANDS, bins]``."""
    highest = min(HIGHEST_HZ, rate / 2)
    edges = np.geomspace(min(LOWEST_HZ, highest / 2), highest, BANDS + 1) / rate * N_FFT
    bins = np.arange(N_FFT // 2 + 1)
    # How much of each bin, one wide, lies in each band: narrow bands share a bin.
    overlap = np.minimum(edges[1:, None], bins + 0.5) - np.maximum(edges[:-1, None], bins - 0.5)
    weights = np.maximum(overlap, 0)
    normed: Array = weights / weights.sum(axis=1, keepdims=True)
    return normed
