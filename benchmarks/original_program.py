"""Separate one song as the original program of Leaderboard A did, with the libraries that it had.

Run by the Python of an environment of its own, which `benchmarks.original_run` starts: Python 3.8
with torch 1.9.1, onnxruntime 1.7.0 and demucs 2.0.3. It takes one argument, a JSON object, and the
last line that it prints is JSON, as of `benchmarks.one_run`. Nothing here is the original's code.
Of what it did, everything is done that takes time or memory: a song's chunks all go through a
network in one batch, networks are loaded for every song, Demucs separates segment by segment.
"""

import json
import re
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

STEMS = ("bass", "drums", "other", "vocals")
HOP_LENGTH, RATE = 1024, 44100


def spectrograms(waves: Any, n_fft: int, dim_f: int) -> Any:
    """Transform ``[batch, 2, samples]`` to ``[batch, 4, dim_f, frames]``."""
    spec = torch.stft(
        waves.reshape(-1, waves.shape[-1]),
        n_fft,
        HOP_LENGTH,
        window=torch.hann_window(n_fft),
        center=True,
        return_complex=True,
    )
    parts = torch.view_as_real(spec[:, :dim_f]).permute(0, 3, 1, 2)
    return parts.reshape(len(waves), 4, dim_f, -1)


def sound(specs: Any, n_fft: int) -> Any:
    """Transform ``[batch, 4, dim_f, frames]`` back to ``[batch, 2, samples]``."""
    batch, _, dim_f, frames = specs.shape
    full = torch.zeros(2 * batch, 2, n_fft // 2 + 1, frames)
    full[:, :, :dim_f] = specs.reshape(2 * batch, 2, dim_f, frames)
    spec = torch.view_as_complex(full.permute(0, 2, 3, 1).contiguous())
    waves = torch.istft(spec, n_fft, HOP_LENGTH, window=torch.hann_window(n_fft), center=True)
    return waves.reshape(batch, 2, -1)


def tfc_tdf(mixture: Any, path: str, n_fft: int, dim_f: int, num_frames: int, trim: int) -> Any:
    """Estimate a stem of ``[2, samples]`` by a network that is loaded for it."""
    chunk = HOP_LENGTH * (num_frames - 1)
    kept = chunk - 2 * trim
    length = mixture.shape[1]
    padding = kept - length % kept
    padded = np.pad(mixture, ((0, 0), (trim, padding + trim)))
    starts = range(0, length + padding, kept)
    waves = torch.tensor(np.stack([padded[:, s : s + chunk] for s in starts]), dtype=torch.float32)
    session = onnxruntime.InferenceSession(path)
    (specs,) = session.run(None, {"input": spectrograms(waves, n_fft, dim_f).numpy()})
    estimates = sound(torch.tensor(specs), n_fft)[..., trim : trim + kept]
    return estimates.transpose(0, 1).reshape(2, -1)[:, :length].numpy()


def peak_memory_mb() -> float:
    """Give the peak memory of this process so far."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0]) * 1024 / 1e6


def main() -> None:
    """Separate the song that the argument names, and measure it."""
    given = json.loads(sys.argv[1])
    song, models, out = (Path(given[name]) for name in ("song", "models", "out"))

    model = Demucs([0] * 4, channels=64)
    model.load_state_dict(torch.load(str(models / given["demucs"]), map_location="cpu"))
    model.eval()
    mixer = torch.load(str(models / "mixer.ckpt"), map_location="cpu")["linear.weight"].numpy()
    ready = time.perf_counter()

    mixture = soundfile.read(str(song), dtype="float32")[0].T
    estimates = [
        tfc_tdf(mixture, given["networks"][stem], **given["sizes"][stem]) for stem in STEMS
    ]
    estimates = (mixer @ np.concatenate([*estimates, mixture])).reshape(4, 2, -1)
    wave = torch.from_numpy(mixture)
    mean, deviation = wave.mean(), wave.std()
    demucs = apply_model(model, (wave - mean) / deviation, split=True, overlap=0.5)
    demucs = (demucs * deviation + mean).numpy()[[1, 0, 2, 3]]
    for index, stem in enumerate(STEMS):
        share = given["shares"][stem]
        blend = share * estimates[index] + (1 - share) * demucs[index]
        soundfile.write(str(out / (stem + ".wav")), blend.T, RATE)
    done = time.perf_counter()
    libraries = (("torch", torch), ("onnxruntime", onnxruntime))
    names = [f"{name} {library.__version__}" for name, library in libraries]
    run = {
        "setup_s": ready - started,
        "separation_s": done - ready,
        "peak_mb": peak_memory_mb(),
        "runners": "Python {}.{}, {}".format(*sys.version_info[:2], ", ".join(names)),
    }
    print(json.dumps(run))


if __name__ == "__main__":
    started = time.perf_counter()
    import numpy as np
    import onnxruntime
    import soundfile
    import torch

    Demucs: Any = import_module("demucs.model").Demucs  # unlike those of the package's versions 4
    apply_model: Any = import_module("demucs.utils").apply_model

    main()
