"""What is fuzzed: whole files to damage, and what is done with a damaged one."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs

from evaluator.errors import EvaluatorError
from evaluator.scoring import sdr_of_files
from my_submission.audio import open_song
from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.compute import Backend, Compute
from my_submission.errors import DemixError
from my_submission.networks.demucs_package import load_demucs_package
from my_submission.networks.demucs_v2 import DemucsV2
from my_submission.networks.demucs_v2_frames import open_demucs_v2
from my_submission.networks.tfc_tdf import TfcTdfSize
from my_submission.separators.mixer import Mixer
from my_submission.separators.tfc_tdf import TfcTdfConfig, TfcTdfSeparator
from tests.audio.sound_files import int16_noise, write_sound
from tests.conftest import write_mixer, write_scaling_network
from tests.demucs_files import package
from tests.fuzz.mutations import mutated
from tests.fuzz.onnx_changes import changed_network
from tests.fuzz.package_changes import changed_package
from tests.tfc_tdf_files import N_FFT, random_network, write_network

CONFIG = TfcTdfConfig(n_fft=N_FFT, dim_f=32, num_frames=8, trim=1024, norm_groups=2)
SIZE = TfcTdfSize(dim_f=32, num_blocks=3, num_layers=1, growth=4, bottleneck_factor=4)
GROUP_NORM_SIZE = TfcTdfSize(
    dim_f=32, num_blocks=3, num_layers=1, growth=4, bottleneck_factor=4, norm_groups=2
)
SHORT = 1_000
"""Samples that a Demucs network is to separate."""

Damage = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


@dataclass(frozen=True)
class Target:
    """A kind of file.

    Attributes:
        suffix: Of its name.
        wholes: Makes files to damage, in a folder.
        damage: Damages one of them.
        check: Reads a file, or loads it and runs it once.
    """

    suffix: str
    wholes: Callable[[Path], list[bytes]]
    damage: Damage
    check: Callable[[Path], None]


def read_song(path: Path) -> None:
    """Open a song and read all of it, as a separation does."""
    said: list[str] = []
    with open_song(path, say=said.append) as song:
        for start in range(0, song.signal.num_samples, BLOCK_FRAMES):
            stop = min(start + BLOCK_FRAMES, song.signal.num_samples)
            block = song.signal.read(start, stop)
            assert block.shape == (2, stop - start)
            assert block.dtype == np.float32
            assert np.isfinite(block).all()
    assert all(line.isprintable() for line in said), said


def score_song(path: Path) -> None:
    """Score a file against itself, by the evaluator's own reader."""
    try:
        score = sdr_of_files(path, path)
    except EvaluatorError as error:
        raise DemixError(str(error)) from error
    assert np.isfinite(score)


def run_tfc_tdf(path: Path, backend: Backend | None = None) -> None:
    """Load a TFC-TDF network as a system does, and run one pass."""
    separator = TfcTdfSeparator(path, CONFIG, Compute(backend=backend))
    rng = np.random.default_rng(0)
    sound = rng.standard_normal((1, 2, CONFIG.chunk)).astype(np.float32)
    assert separator.estimate(sound).shape == sound.shape


def run_demucs_v2(path: Path) -> None:
    """Load a checkpoint of Demucs v2, and run one pass."""
    network = open_demucs_v2(path)
    with torch.inference_mode():
        (stems,) = network.estimates([torch.ones(2, network.valid_length(SHORT))])
    assert stems.shape[:2] == (4, 2)


def run_demucs_package(path: Path) -> None:
    """Load a file of the demucs package, and run one pass."""
    network = load_demucs_package(path)
    with torch.inference_mode():
        (stems,) = network.estimates([torch.ones(2, network.valid_length(SHORT))])
    assert stems.shape[1] == 2


def run_mixer(path: Path) -> None:
    """Load a Mixer, and mix."""
    mixer = Mixer.load(path)
    assert mixer(np.ones((4, 2, 5), np.float32), np.ones((2, 5), np.float32)).shape == (4, 2, 5)


def songs(folder: Path, *kinds: tuple[str, str, int, int]) -> list[bytes]:
    """Write short songs of noise and a rest, by suffix, subtype, rate and channels."""
    rng = np.random.default_rng(0)
    wholes = []
    for suffix, subtype, rate, channels in kinds:
        sound = int16_noise(rng, 4_500, channels)
        sound[:, 3_000:] = 0
        wholes.append(write_sound(folder / f"song{suffix}", sound, rate, subtype).read_bytes())
    return wholes


def onnx_files(folder: Path) -> list[bytes]:
    """Write small networks as ONNX: both norms, and one that only scales."""
    path = folder / "net.onnx"
    wholes = [
        write_network(path, size, CONFIG.num_frames).read_bytes()
        for size in (SIZE, GROUP_NORM_SIZE)
    ]
    write_scaling_network(path, 0.5, CONFIG.dim_f, CONFIG.num_frames)
    return [*wholes, path.read_bytes()]


def checkpoints(
    folder: Path, *states: object, are_zip: Sequence[bool] = (True, False)
) -> list[bytes]:
    """Write checkpoints, in the format of today and in that of torch before 1.6."""
    path, wholes = folder / "net.pt", []
    for state in states:
        for is_zip in are_zip:
            torch.save(state, path, _use_new_zipfile_serialization=is_zip)
            wholes.append(path.read_bytes())
    return wholes


def _tfc_tdf_states(folder: Path) -> list[bytes]:
    networks = [random_network(size) for size in (SIZE, GROUP_NORM_SIZE)]
    return checkpoints(folder, *(network.state_dict() for network in networks))


def _demucs_v2_states(folder: Path) -> list[bytes]:
    torch.manual_seed(0)
    return checkpoints(folder, DemucsV2(channels=1).state_dict())


def _mixers(folder: Path) -> list[bytes]:
    write_mixer(folder / "mixer.ckpt")
    return checkpoints(folder, torch.load(folder / "mixer.ckpt", weights_only=True))


def _packages(folder: Path) -> list[bytes]:
    # The old format holds the source of a class that it names, which nothing here reads.
    packages = (package(kind) for kind in (Demucs, HDemucs, HTDemucs))
    return checkpoints(folder, *packages, are_zip=[True])


def _onnx_target(backend: Backend | None) -> Target:
    return Target(".onnx", onnx_files, changed_network, partial(run_tfc_tdf, backend=backend))


_WAV = ((".wav", "PCM_16", 44_100, 2), (".wav", "FLOAT", 44_100, 2), (".wav", "PCM_24", 48_000, 1))
_FLAC = ((".flac", "PCM_16", 44_100, 2), (".flac", "PCM_24", 48_000, 1))
_MP3 = ((".mp3", "MPEG_LAYER_III", 44_100, 2), (".mp3", "MPEG_LAYER_III", 22_050, 1))
_OTHER = (
    (".aiff", "PCM_16", 44_100, 2),
    (".ogg", "VORBIS", 44_100, 2),
    (".caf", "ALAC_16", 44_100, 2),
    (".w64", "IMA_ADPCM", 44_100, 1),
    (".au", "G721_32", 8_000, 1),
)


def _song_target(
    *kinds: tuple[str, str, int, int], check: Callable[[Path], None] = read_song
) -> Target:
    return Target("", lambda folder: songs(folder, *kinds), mutated, check)


TARGETS: Mapping[str, Target] = {
    "wav": _song_target(*_WAV),
    "flac": _song_target(*_FLAC),
    "mp3": _song_target(*_MP3),
    "other": _song_target(*_OTHER, *_WAV, *_FLAC),
    "score": _song_target(*_WAV, *_FLAC, *_MP3, check=score_song),
    "onnx-auto": _onnx_target(None),
    "onnx-numba": _onnx_target("numba"),
    "onnx-openvino": _onnx_target("openvino"),
    "onnx-onnxruntime": _onnx_target("onnxruntime"),
    "tfc-tdf": Target(".pt", _tfc_tdf_states, changed_package, run_tfc_tdf),
    "demucs-v2": Target(".th", _demucs_v2_states, changed_package, run_demucs_v2),
    "demucs-package": Target(".th", _packages, changed_package, run_demucs_package),
    "mixer": Target(".ckpt", _mixers, changed_package, run_mixer),
}
"""By name; ``headers``, which hypothesis makes, is another kind (`tests.fuzz.worker`)."""
