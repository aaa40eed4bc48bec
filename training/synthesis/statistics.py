"""The command `python -m training.synthesis.statistics`: what songs measure, stem by stem.

It reads folders as the generator writes them, `SONG/{bass,drums,other,vocals}.flac`, so that
generated songs can be compared with each other and with what is published of real ones.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from scipy import signal

from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, STEMS, Audio
from training.synthesis.effects import filtered, high_pass, high_shelf

OCTAVES = (31.5, 63, 125, 250, 500, 1000, 2000, 4000, 8000, 16000)
SIDE_BANDS = ((20, 120), (120, 2000), (2000, 16000))
N_FFT, HOP_LENGTH = 4096, 1024
SILENCE_DB = -60.0

Row = dict[str, float]
Frames = npt.NDArray[np.complex64]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; give the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.synthesis.statistics",
        description="Measure songs: levels, spectra, width, onsets, and how far masks can go.",
    )
    parser.add_argument("folder", type=Path, help="folder of songs")
    options = parser.parse_args(arguments)
    try:
        print(table(measure_folder(options.folder)))
    except DemixError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def measure_folder(folder: Path) -> dict[str, Row]:
    """Give the mean of what the songs in a folder measure, per stem and for the mixture.

    A value is left out of the mean for songs where it is not finite, as of a silent stem.

    Raises:
        DemixError: There are no songs in the folder.
    """
    paths = sorted(path.parent for path in folder.glob(f"[!.]*/{STEMS[0]}.flac"))
    if not paths:
        raise DemixError(f"{folder}: no songs: give a folder that holds SONG/{STEMS[0]}.flac")
    songs = [measure(_read(path)) for path in paths]
    return {
        name: {key: _mean([song[name][key] for song in songs]) for key in songs[0][name]}
        for name in songs[0]
    }


def measure(stems: dict[str, Audio]) -> dict[str, Row]:
    """Measure one song.

    Args:
        stems: float32 `[2, samples]` by name.

    Returns:
        Per stem and for "mixture": `loudness` (LUFS, without gating), `relative` (dB of the
        mixture's power), `active` (share of tenths of a second above -60 dB of full scale),
        `crest` (dB), `onsets` (per second), `flux` (share of a spectrum that is new in each
        frame), `side X` (dB of side over mid in the band from X Hz), `mask` (SDR in dB of the
        ideal ratio mask), and dB of the stem's own power per octave.
    """
    mixture: Audio = np.sum(np.stack(list(stems.values())), axis=0)
    parts = {**stems, "mixture": mixture}
    total = float((mixture**2).mean()) + 1e-20
    spectra = {name: _spectrum(audio.mean(axis=0)) for name, audio in parts.items()}
    power_of_all = np.stack([np.abs(spectra[name]) ** 2 for name in stems]).sum(axis=0) + 1e-12
    rows: dict[str, Row] = {}
    for name, audio in parts.items():
        power = float((audio**2).mean())
        magnitude = np.abs(spectra[name])
        rows[name] = {
            "loudness": loudness(audio),
            "relative": _decibel(power / total),
            "active": _active(audio),
            "crest": _decibel(float((audio**2).max()) / power) if power > 0 else math.nan,
            **_novelty(magnitude),
            **_sides(audio),
            "mask": _mask_sdr(spectra[name], spectra["mixture"], magnitude**2 / power_of_all),
            **_octaves(magnitude),
        }
    return rows


def loudness(audio: Audio) -> float:
    """Give the loudness of ITU-R BS.1770 without its gating, in LUFS.

    Its K-weighting is made of the cookbook's filters with the standard's frequencies.
    """
    weighted = filtered(audio, high_shelf(1500, 4), high_pass(38, 0.5))
    return -0.691 + _decibel(float((weighted**2).mean(axis=1).sum()))


def table(rows: dict[str, Row]) -> str:
    """Write rows as a Markdown table, a column per stem."""
    names = list(rows)
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for key in rows[names[0]]:
        values = " | ".join(f"{rows[name][key]:.2f}" for name in names)
        lines += [f"| {key} | {values} |"]
    return "\n".join(lines)


def _read(folder: Path) -> dict[str, Audio]:
    stems: dict[str, Audio] = {}
    for stem in STEMS:
        path = folder / f"{stem}.flac"
        try:
            audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        except (OSError, soundfile.SoundFileError) as error:
            raise DemixError(f"{path}: {error}: give whole songs") from error
        if rate != SAMPLE_RATE or audio.shape[1] != 2:
            raise DemixError(
                f"{path}: {rate} Hz, {audio.shape[1]} channels: not stereo at 44.1 kHz"
            )
        stems[stem] = np.ascontiguousarray(audio.T)
    if len({audio.shape for audio in stems.values()}) != 1:
        raise DemixError(f"{folder}: stems of different lengths: give whole songs")
    return stems


def _spectrum(mono: npt.NDArray[np.float32]) -> Frames:
    _, _, frames = signal.stft(mono, nperseg=N_FFT, noverlap=N_FFT - HOP_LENGTH)
    return np.asarray(frames, np.complex64)


def _active(audio: Audio) -> float:
    step = SAMPLE_RATE // 10
    count = audio.shape[1] // step
    power = (audio[:, : count * step] ** 2).mean(axis=0).reshape(count, step).mean(axis=1)
    return float((power > 10 ** (SILENCE_DB / 10)).mean())


def _novelty(magnitude: npt.NDArray[np.floating]) -> Row:
    """Count peaks of the half-wave rectified spectral flux; its mean is the share that is new."""
    rise = np.maximum(np.diff(magnitude, axis=1), 0).sum(axis=0)
    level = magnitude.sum(axis=0)
    peaks, _ = signal.find_peaks(rise / (level.max() + 1e-9), prominence=0.08)
    seconds = magnitude.shape[1] * HOP_LENGTH / SAMPLE_RATE
    sounding = level[1:] > 0.01 * level.max()
    flux = float((rise / (level[1:] + 1e-9))[sounding].mean()) if sounding.any() else math.nan
    return {"onsets": len(peaks) / seconds, "flux": flux}


def _sides(audio: Audio) -> Row:
    mid = np.abs(np.fft.rfft(audio.sum(axis=0))) ** 2
    side = np.abs(np.fft.rfft(audio[0] - audio[1])) ** 2
    hertz = np.fft.rfftfreq(audio.shape[1], 1 / SAMPLE_RATE)
    row = {}
    for low, high in SIDE_BANDS:
        band = (hertz >= low) & (hertz < high)
        row[f"side {low}"] = _decibel(float(side[band].sum() / (mid[band].sum() + 1e-12)))
    return row


def _mask_sdr(source: Frames, mixture: Frames, mask: npt.NDArray[np.floating]) -> float:
    error = float((np.abs(source - mask * mixture) ** 2).sum())
    power = float((np.abs(source) ** 2).sum())
    return _decibel(power / error) if error > 1e-9 * power else math.nan


def _octaves(magnitude: npt.NDArray[np.floating]) -> Row:
    power = (magnitude**2).mean(axis=1)
    hertz = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE)
    row = {}
    for centre in OCTAVES:
        band = (hertz >= centre / math.sqrt(2)) & (hertz < centre * math.sqrt(2))
        row[f"{centre:g} Hz"] = _decibel(float(power[band].sum() / (power.sum() + 1e-20)))
    return row


def _decibel(ratio: float) -> float:
    return 10 * math.log10(ratio) if ratio > 1e-10 else -math.inf


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan


if __name__ == "__main__":
    sys.exit(main())
