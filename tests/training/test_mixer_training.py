"""Phase 2: what is learned, what is written, and what stays as it was."""

import errno
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from evaluator.scoring import sdr
from my_submission.audio import ArraySignal
from my_submission.errors import DemixError
from my_submission.separators.mixer import Mixer
from my_submission.stems import STEMS
from tests.training.frozen_networks import (
    CHUNK,
    CONFIGS,
    N_FFT,
    NUM_FRAMES,
    TRIM,
    ArraySong,
    some_stems,
    write_networks,
    write_shares,
)
from training.__main__ import main as training_main
from training.loading import LoadedNetwork, load_network
from training.phase2.__main__ import main
from training.phase2.files import NAMES, SaveMixer, gain_table, save_mixer
from training.phase2.mixer import MixerTraining, relative_to_separators
from training.phase2.products import NO_MIXER, Matrix, best_weight, song_products
from training.phase2.separators import FrozenSeparators, separator_files


def new_mixer(separators: Path, **options: Any) -> MixerTraining:
    return MixerTraining(str(separators), n_fft=N_FFT, dim_f=64, num_frames=NUM_FRAMES, **options)


def batches(rng: np.random.Generator, count: int) -> list[Tensor]:
    return [
        torch.from_numpy(np.stack([some_stems(rng, CHUNK) for _ in range(2)])) for _ in range(count)
    ]


def some_songs(rng: np.random.Generator) -> list[ArraySong]:
    return [ArraySong(name, some_stems(rng, 2 * CHUNK + 99)) for name in "ab"]


def loader(items: Sequence[Any]) -> DataLoader[Any]:
    # A list itself would be one loader per item.
    return DataLoader(items, batch_size=None)  # type: ignore[arg-type]


def fit(
    module: MixerTraining,
    chunks: list[Tensor],
    validation: list[ArraySong],
    folder: Path,
    epochs: int = 1,
    resume: Path | None = None,
) -> Trainer:
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=[SaveMixer(folder)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    train, valid = (loader(items) for items in (chunks, validation))
    trainer.fit(module, train, valid, ckpt_path=resume)
    return trainer


@pytest.mark.parametrize("loss", ["mse", "relative"])
def test_every_source_gains_by_the_figures_of_the_written_file(
    loss: str, tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    networks, out = write_shares(tmp_path / "networks"), tmp_path / "out"
    module = new_mixer(networks, loss=loss, average_decay=0.9)
    held_out = some_songs(rng)
    trainer = fit(module, batches(rng, 20), held_out, out, epochs=3)
    told = capsys.readouterr().out
    separators = FrozenSeparators(separator_files(networks), CONFIGS)
    for name in NAMES:
        mixer = Mixer.load(out / name)
        for index, stem in enumerate(STEMS):
            before, after = [], []
            for song in held_out:
                stems = song.stems(0, song.num_samples)
                mixture = stems.sum(axis=0)
                stream = separators.stream(ArraySignal(mixture))
                estimates = np.concatenate(list(stream), axis=-1)
                before.append(sdr(stems[index], estimates[index]))
                after.append(sdr(stems[index], mixer(estimates, mixture)[index]))
            gain = float(np.mean(after) - np.mean(before))
            assert gain > 0.1, stem
            figures = trainer.callback_metrics
            assert float(figures[f"val/sdr_{stem}"]) == pytest.approx(np.mean(after), abs=1e-3)
            assert float(figures[f"val/gain_{stem}"]) == pytest.approx(gain, abs=1e-3)
            assert f"{gain:+.3f}" in told


def test_the_first_loss_is_that_of_the_networks_alone(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    networks = write_networks(tmp_path / "networks", ".pt")
    (batch,) = batches(rng, 1)
    trainer = fit(new_mixer(networks), [batch], [], tmp_path)
    separators = FrozenSeparators(separator_files(networks), CONFIGS)
    estimates = separators.estimate(batch.sum(dim=1).numpy())
    error = (estimates - batch.numpy())[..., TRIM:-TRIM]
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(
        np.square(error).mean(), rel=1e-4
    )


def test_training_leaves_networks_and_their_statistics_alone(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[nn.Module, dict[str, Tensor]]] = []

    def watched(*arguments: Any) -> LoadedNetwork:
        loaded = load_network(*arguments)
        state = {name: value.clone() for name, value in loaded.network.state_dict().items()}
        opened.append((loaded.network, state))
        return loaded

    monkeypatch.setattr("training.phase2.separators.load_network", watched)
    module = new_mixer(write_networks(tmp_path / "networks", ".ckpt"))
    fit(module, batches(rng, 3), some_songs(rng), tmp_path)
    assert len(opened) == len(STEMS)
    for network, before in opened:
        assert any("running_mean" in name for name in before)
        state = network.state_dict()
        assert all(torch.equal(state[name], value) for name, value in before.items())
        assert not network.training
    assert [name for name, _ in module.named_parameters()] == ["linear.weight"]
    assert not np.array_equal(module.weight, NO_MIXER)
    assert set(module.state_dict()) == {"linear.weight", "average"}


def test_a_run_that_stops_and_goes_on_ends_as_one_that_did_not(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    networks = write_shares(tmp_path / "networks")
    chunks, held_out = batches(rng, 4), some_songs(rng)
    whole, part, rest = (new_mixer(networks, average_decay=0.9) for _ in range(3))
    fit(whole, chunks, held_out, tmp_path / "whole", epochs=2)
    trainer = fit(part, chunks, held_out, tmp_path / "parts", epochs=1)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    fit(rest, chunks, held_out, tmp_path / "parts", epochs=2, resume=tmp_path / "run.ckpt")
    assert not np.array_equal(part.weight, whole.weight)
    assert np.array_equal(rest.weight, whole.weight)
    assert np.array_equal(
        Mixer.load(tmp_path / "parts/mixer.pt").weight,
        Mixer.load(tmp_path / "whole/mixer.pt").weight,
    )


def test_the_best_mixer_is_kept_and_not_the_last(tmp_path: Path, rng: np.random.Generator) -> None:
    networks, held_out = write_shares(tmp_path / "networks"), some_songs(rng)
    good = new_mixer(networks)
    trainer = fit(good, batches(rng, 20), held_out, tmp_path / "out", epochs=2)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    # From here on it hears nothing but noise that no network is right about.
    wrong = [torch.randn(2, 4, 2, CHUNK) for _ in range(20)]
    last = new_mixer(networks)
    fit(last, wrong, held_out, tmp_path / "out", epochs=3, resume=tmp_path / "run.ckpt")
    kept = Mixer.load(tmp_path / "out/mixer.ckpt").weight
    assert kept == pytest.approx(good.weight, abs=1e-6)
    assert not np.allclose(kept, last.weight, atol=1e-3)


def test_products_score_a_song_as_the_evaluator_does(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    networks = separator_files(write_shares(tmp_path / "networks"))
    separators = FrozenSeparators(networks, CONFIGS)
    (song, _) = some_songs(rng)
    stems = song.stems(0, song.num_samples)
    mixture = stems.sum(axis=0)
    estimates = np.concatenate(list(separators.stream(ArraySignal(mixture))), axis=-1)
    weight = NO_MIXER + rng.normal(0, 0.1, NO_MIXER.shape)
    mixed = Mixer(weight.astype(np.float32))(estimates, mixture)
    expected = [sdr(stems[index], mixed[index]) for index in range(len(STEMS))]
    assert song_products(song, separators).sdr(weight) == pytest.approx(expected, abs=1e-3)


def test_no_mixer_near_the_best_scores_better(tmp_path: Path, rng: np.random.Generator) -> None:
    separators = FrozenSeparators(separator_files(write_networks(tmp_path / "n", ".pt")), CONFIGS)
    heard = [song_products(song, separators) for song in some_songs(rng)]
    best = best_weight(heard)

    def score(weight: Matrix) -> float:
        return float(np.mean([song.sdr(weight) for song in heard]))

    assert score(best) > score(NO_MIXER) + 0.1
    for _ in range(20):
        assert score(best + rng.normal(0, 0.01, best.shape)) < score(best)


def test_the_command_measures_a_file_on_a_folder_of_songs(
    tmp_path: Path,
    songs: Path,
    models: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in "bcde":
        shutil.rmtree(songs / name)
    words = [str(songs), "--separators", str(models / "starter")]
    assert main(words) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in told[1:3]] == [told[1].split()[-1]] * 2
    assert told[3].split() == ["gain", *["+0.000"] * 5]
    assert float(told[4].split()[-1]) > 0.1 and told[5] == "1 songs"

    weight = NO_MIXER.copy()
    weight[:2] *= -1
    save_mixer(weight, tmp_path / "worse")
    assert main([*words, "--mixer", str(tmp_path / "worse" / "mixer.pt")]) == 0
    gains = capsys.readouterr().out.splitlines()[3].split()[1:5]
    assert float(gains[0]) < -1 and gains[1:] == ["+0.000"] * 3

    assert main([*words, "--mixer", str(tmp_path / "none.pt")]) == 1
    assert capsys.readouterr().err == f"{tmp_path}/none.pt: no such file\n"


def test_the_relative_loss_is_one_where_the_mixer_changes_nothing() -> None:
    stems, estimates = torch.randn(2, 3, 4, 2, 50).unbind()
    assert float(relative_to_separators(estimates, estimates, stems, 0.0)) == pytest.approx(1)
    halved = stems + (estimates - stems) / 2
    loud = torch.tensor([1.0, 100.0, 0.01])[:, None, None, None]
    quarter = relative_to_separators(loud * halved, loud * estimates, loud * stems, 0.0)
    assert float(quarter) == pytest.approx(0.25, abs=1e-4)
    # A silent stem that the separators get right costs what is added to it, over the mixture.
    stems[:, 0], estimates = 0, stems.clone()
    estimates[:, 0] = 0
    assert float(relative_to_separators(estimates, estimates, stems, 0.1)) == 0


def test_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_mixer(NO_MIXER, tmp_path / "kept")

    def no_space(self: Path, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", no_space)
    for folder in ("kept", "new"):
        with pytest.raises(DemixError, match="no space left"):
            save_mixer(2 * NO_MIXER, tmp_path / folder)
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == sorted(NAMES)
    assert Mixer.load(tmp_path / "kept" / NAMES[0]).weight == pytest.approx(NO_MIXER)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "l3"}, "model.loss=l3"),
        ({"lr": 0.0}, "model.lr"),
        ({"average_decay": 1.0}, "model"),
    ],
)
def test_options_that_are_none_are_refused(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DemixError, match=message):
        new_mixer(write_shares(tmp_path / "networks"), **options)


def test_the_table_has_a_column_for_each_stem() -> None:
    head, before, after, gain, most = gain_table([0, 1, 2, 3], [0.25] * 4, [1] * 4).splitlines()
    assert head.split()[2:] == [*STEMS, "mean"]
    assert before.split()[-5:] == ["0.00", "1.00", "2.00", "3.00", "1.50"]
    assert after.split()[-5:] == ["0.25"] * 5
    assert gain.split()[-5:] == ["+0.250", "-0.750", "-1.750", "-2.750", "-1.250"]
    assert most.split()[-5:] == ["+1.000"] * 5


@pytest.mark.parametrize("experiment", ["mixer", "starter_mixer"])
def test_the_published_grammar_trains_a_mixer(
    experiment: str,
    tmp_path: Path,
    songs: Path,
    models: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in "cde":
        shutil.rmtree(songs / name)
    run_dir = tmp_path / "run"
    arguments = [f"experiment={experiment}", f"model={experiment}", "datamodule=folders"]
    arguments += [f"datamodule.folders=[{songs}]", "datamodule.validation_songs=1"]
    arguments += ["datamodule.batch_size=1", "datamodule.num_workers=0", "trainer.max_steps=1"]
    arguments += ["trainer.check_val_every_n_epoch=null", "trainer.val_check_interval=1"]
    arguments += ["trainer.accelerator=cpu", "logger=csv", f"run_dir={run_dir}"]
    assert (
        training_main([*arguments, f"model.separators={models}/starter", "model.num_frames=256"])
        == 0
    )
    weight = Mixer.load(run_dir / "mixer.ckpt").weight
    assert weight.shape == (8, 10) and not np.array_equal(weight, NO_MIXER)
    assert "gain" in capsys.readouterr().out

    other = [f"model.separators={tmp_path}", f"run_dir={tmp_path / 'other'}"]
    with pytest.raises(SystemExit) as ended:
        training_main([*arguments, *other])
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "bass.onnx: no such file" in line
