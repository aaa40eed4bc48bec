"""The networks under the Mixer: those of the files, and the same at the end as at the beginning."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from my_submission.audio import ArraySignal
from my_submission.errors import DemixError
from my_submission.networks.torch_tfc_tdf import load_tfc_tdf
from my_submission.separators.tfc_tdf import TfcTdfSeparator
from my_submission.stems import STEMS, Audio
from my_submission.stft import Stft
from tests.training.frozen_networks import (
    CHUNK,
    CONFIGS,
    N_FFT,
    SIZE,
    some_stems,
    write_networks,
    write_shares,
)
from training.phase1.conv_tdf_net import ConvTDFNet
from training.phase2.__main__ import main
from training.phase2.separators import FrozenSeparators, separator_files

SUFFIXES = (".onnx", ".ckpt", ".pt")


@pytest.fixture
def mixtures(rng: np.random.Generator) -> Audio:
    return np.stack([some_stems(rng, CHUNK).sum(axis=0) for _ in range(3)])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_estimates_are_those_of_the_trained_networks(
    suffix: str, tmp_path: Path, mixtures: Audio
) -> None:
    # In the original the checkpoints' networks were thrown away, and random ones kept.
    folder = write_networks(tmp_path / "networks", suffix)
    weights = write_networks(tmp_path / "weights", ".pt")
    found = FrozenSeparators(separator_files(folder), CONFIGS).estimate(mixtures)
    for index, stem in enumerate(STEMS):
        stft = Stft(N_FFT[stem], SIZE.dim_f)
        with torch.no_grad():
            network = load_tfc_tdf(weights / f"{stem}.pt")
            spectrogram = stft.spectrogram(torch.from_numpy(mixtures))
            expected = stft.waveform(network(spectrogram)).numpy()
        peak = float(np.abs(expected).max())
        assert found[:, index] == pytest.approx(expected, abs=1e-4 * peak), stem


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_chunk_is_estimated_alike_whatever_is_beside_it(
    suffix: str, tmp_path: Path, mixtures: Audio
) -> None:
    # With BatchNorm in training mode it would not be.
    files = separator_files(write_networks(tmp_path / "networks", suffix))
    separators = FrozenSeparators(files, CONFIGS)
    together = separators.estimate(mixtures)
    for index in range(len(mixtures)):
        alone = separators.estimate(mixtures[index : index + 1])[0]
        assert together[index] == pytest.approx(alone, abs=1e-5 * float(np.abs(alone).max()))


def test_songs_are_separated_as_systems_separate_them(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    files = separator_files(write_networks(tmp_path / "networks", ".onnx"))
    song = ArraySignal(some_stems(rng, 2 * CHUNK + 77).sum(axis=0))
    found = np.concatenate(list(FrozenSeparators(files, CONFIGS).stream(song)), axis=-1)
    for index, stem in enumerate(STEMS):
        separator = TfcTdfSeparator(files[stem], CONFIGS[stem])
        assert np.array_equal(found[index], np.concatenate(list(separator.stream(song)), axis=-1))


def test_checkpoints_of_phase_1_are_taken_with_the_weights_that_they_hold(
    tmp_path: Path, mixtures: Audio
) -> None:
    files = separator_files(write_networks(tmp_path / "networks", ".pt"))
    options = {"target_name": "vocals", "n_fft": N_FFT["vocals"], "num_frames": 32, **asdict(SIZE)}
    module = ConvTDFNet(**options)
    module.network.load_state_dict(load_tfc_tdf(files["vocals"]).state_dict())
    checkpoint = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
    torch.save(checkpoint, tmp_path / "last.ckpt")
    expected = FrozenSeparators(files, CONFIGS).estimate(mixtures)
    found = FrozenSeparators({**files, "vocals": tmp_path / "last.ckpt"}, CONFIGS)
    assert np.array_equal(found.estimate(mixtures), expected)

    with pytest.raises(DemixError, match="made for n_fft 1536, not 2048"):
        FrozenSeparators({**files, "bass": tmp_path / "last.ckpt"}, CONFIGS)


def test_files_are_found_by_stem_exported_ones_first(tmp_path: Path) -> None:
    folder = write_networks(tmp_path / "networks", ".pt")
    assert separator_files(folder)["bass"] == folder / "bass.pt"
    (folder / "bass.onnx").touch()
    given = {stem: str(path) for stem, path in separator_files(folder).items()}
    assert separator_files(given)["bass"] == folder / "bass.onnx"
    assert separator_files(given)["vocals"] == folder / "vocals.pt"


Break = Callable[[Path], object]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: (folder / "drums.onnx").unlink(), "drums.onnx: no such file"),
        (lambda folder: (folder / "drums.onnx").write_bytes(b"no network"), "drums.onnx"),
    ],
)
def test_a_network_that_is_not_there_is_an_error(
    break_it: Break, message: str, tmp_path: Path
) -> None:
    folder = write_shares(tmp_path / "networks")
    break_it(folder)
    with pytest.raises(DemixError, match=message):
        FrozenSeparators(separator_files(folder), CONFIGS)


def test_the_command_names_the_networks_that_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_shares(tmp_path / "networks")
    for stem in ("drums", "vocals"):
        (folder / f"{stem}.onnx").unlink()
    assert main([str(tmp_path), "--separators", str(folder)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{folder}/drums.onnx: no such file; ")
    assert line.endswith("for drums, vocals")


def test_what_does_not_fit_is_an_error(tmp_path: Path, mixtures: Audio) -> None:
    files = separator_files(write_shares(tmp_path / "networks"))
    with pytest.raises(DemixError, match="chunks of 7168 samples, the data gives 7000"):
        FrozenSeparators(files, CONFIGS).estimate(mixtures[..., :7000])
    with pytest.raises(DemixError, match="name a file for each of bass, drums"):
        separator_files({"bass": "bass.onnx"})
