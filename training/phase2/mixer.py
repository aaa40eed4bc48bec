"""`MixerTraining`: the Mixer and its validation, as Lightning trains it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn import functional

from evaluator.scoring import DELTA
from my_submission.compute import resolve_compute
from my_submission.errors import DemixError
from my_submission.separators.tfc_tdf import TfcTdfConfig
from my_submission.stems import STEMS, Stem
from training.phase2.products import (
    INPUTS,
    NO_MIXER,
    OUTPUTS,
    Matrix,
    Song,
    SongProducts,
    song_products,
)
from training.phase2.separators import FrozenSeparators, separator_files

Loss = Literal["mse", "relative"]


class MixerTraining(LightningModule):
    """Trains the Mixer by gradient on the estimates of frozen separators.

    Batches are stems `[batch, 4, 2, samples]`, songs for validation `Track`s. The only parameters
    are `linear.weight`, `[8, 10]`; it and its average are all that a checkpoint holds.

    Args:
        separators: A folder with a trained network per stem, or the files by stem: see
            `separator_files`.
        n_fft: Window of each stem's transform in samples; half of it is trimmed.
        target_name: What is estimated, as loggers call it.
        dim_f: Frequency bins that the networks see.
        num_frames: Frames that they see, so that chunks have `1024 * (num_frames - 1)` samples.
        lr: Learning rate; the published one is 0.003.
        loss: ``mse``, the published mean square of the error, or ``relative``: see
            `relative_to_separators`.
        error_floor: Its share of the mixture's power.
        average_decay: Share that the averaged weight, which is validated and written, keeps per
            step; 0 for none. At a constant rate RMSprop's steps stay as long as that is.

    Raises:
        DemixError: A network is missing, or an option is none.
    """

    average: Tensor

    def __init__(
        self,
        separators: str | Path | Mapping[Stem, str],
        *,
        n_fft: Mapping[Stem, int],
        target_name: str = "all",
        dim_f: int = 2048,
        num_frames: int = 256,
        lr: float = 0.003,
        loss: Loss = "mse",
        error_floor: float = 0.1,
        average_decay: float = 0.0,
    ) -> None:
        super().__init__()
        if loss not in get_args(Loss):
            raise DemixError(f"model.loss={loss}: choose one of {', '.join(get_args(Loss))}")
        if not lr > 0:
            raise DemixError(f"model.lr={lr}: give a number above 0")
        if not 0 <= average_decay < 1:
            raise DemixError(f"model.average_decay={average_decay}: give a share, 0 to below 1")
        if set(n_fft) != set(STEMS):
            raise DemixError(f"model.n_fft={dict(n_fft)}: give one for each of {', '.join(STEMS)}")
        self._files = separator_files(separators)
        self._configs = {
            stem: TfcTdfConfig(
                n_fft=n_fft[stem], dim_f=dim_f, num_frames=num_frames, trim=n_fft[stem] // 2
            )
            for stem in STEMS
        }
        self.target_name = target_name
        self._lr, self._loss = lr, loss
        self._error_floor, self._average_decay = error_floor, average_decay
        self._separators: FrozenSeparators | None = None
        self._songs: dict[tuple[int, str], SongProducts] = {}
        self.linear = nn.Linear(INPUTS, OUTPUTS, bias=False)
        with torch.no_grad():
            # The published one starts from random numbers and takes hundreds of steps to get here.
            self.linear.weight.copy_(torch.from_numpy(NO_MIXER))
        self.register_buffer("average", self.linear.weight.detach().clone())

    @property
    def separators(self) -> FrozenSeparators:
        """The networks, which `setup` opens on the device that trains."""
        if self._separators is None:
            # Before `setup`, Lightning has not said where; a GPU that is not CUDA's runs no ONNX.
            device = self.trainer.strategy.root_device
            name = str(device) if device.type == "cuda" else "cpu"
            compute = resolve_compute(name, "exact")
            self._separators = FrozenSeparators(self._files, self._configs, compute)
        return self._separators

    @property
    def weight(self) -> Matrix:
        """The Mixer as it is now, `[8, 10]`, averaged over steps."""
        weight: Matrix = self.average.cpu().numpy().astype(np.float64)
        return weight

    def setup(self, stage: str) -> None:
        """Open the networks now: a wrong file is an error before anything is computed."""
        del stage
        assert self.separators

    def forward(self, estimates: Tensor, mixture: Tensor) -> Tensor:
        """Mix estimates `[batch, 4, 2, n]` and the mixture `[batch, 2, n]` into such stems."""
        inputs = torch.cat([estimates.flatten(1, 2), mixture], dim=1)
        mixed: Tensor = self.linear(inputs.transpose(1, 2)).transpose(1, 2)
        return mixed.reshape(estimates.shape)

    def training_step(self, batch: Tensor, _batch_idx: int) -> Tensor:
        """Give the loss of stems `[batch, 4, 2, chunk]`, without the ends that systems trim."""
        mixture = batch.sum(dim=1)
        estimates = torch.from_numpy(self.separators.estimate(mixture.cpu().numpy()))
        trim = self.separators.trim
        inside = slice(trim, batch.shape[-1] - trim)
        stems, estimates, mixture = (
            sound[..., inside] for sound in (batch, estimates.to(batch), mixture)
        )
        mixed = self(estimates, mixture)
        if self._loss == "mse":
            loss = functional.mse_loss(mixed, stems)
        else:
            loss = relative_to_separators(mixed, estimates, stems, self._error_floor)
        self.log("train/loss", loss, on_step=True, on_epoch=True, prog_bar=True, sync_dist=True)
        return loss

    def on_train_batch_end(self, *_step: object) -> None:
        """Take the new weight into the average."""
        steps = self.trainer.global_step
        # The average of few steps is that of all of them: the first would stay in it too long.
        keep = min(self._average_decay, steps / (steps + 1))
        self.average.lerp_(self.linear.weight.detach(), 1 - keep)

    def validation_step(self, track: Song, batch_idx: int) -> None:
        """Score a whole song: SDR of each stem, and what the Mixer gains there, in dB."""
        key = batch_idx, track.name
        if key not in self._songs:
            # The networks are frozen: they hear each song once.
            self._songs[key] = song_products(track, self.separators)
        song = self._songs[key]
        scores = song.sdr(self.weight)
        gains = scores - song.sdr(NO_MIXER)
        figures = {"val/sdr": float(scores.mean()), "val/gain": float(gains.mean())}
        for stem, score, gain in zip(STEMS, scores, gains, strict=True):
            figures[f"val/sdr_{stem}"], figures[f"val/gain_{stem}"] = float(score), float(gain)
        self.log_dict(figures, on_step=False, on_epoch=True, batch_size=1, sync_dist=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Give the published optimizer, RMSprop."""
        return torch.optim.RMSprop(self.linear.parameters(), self._lr)


def relative_to_separators(
    mixed: Tensor, estimates: Tensor, stems: Tensor, error_floor: float
) -> Tensor:
    """Give the mean of the Mixer's error over that of the separators alone.

    What counts is decibels, song by song, and those are the logarithm of this ratio. The mean
    square would let the loudest stems of the loudest songs decide.

    Args:
        mixed: The Mixer's stems, `[batch, 4, 2, samples]`.
        estimates: The separators', same shape.
        stems: The true ones, same shape; they sum to the mixture.
        error_floor: Share of the mixture's power that is added to the separators' error, so
            that a stem that they get right, such as a silent one, does not decide either.
    """
    axes = (2, 3)
    power = stems.sum(dim=1, keepdim=True).square().sum(axes)
    before = (estimates - stems).square().sum(axes) + error_floor * power
    error = (mixed - stems).square().sum(axes)
    return (error / (before + DELTA)).mean()
