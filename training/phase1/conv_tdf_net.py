"""`ConvTDFNet`: a source's network, its loss and its validation, as Lightning trains it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import Timer
from torch import Tensor
from torchmetrics import MeanMetric

from evaluator.scoring import sdr
from my_submission.audio import ArraySignal
from my_submission.chunking import trimmed_chunks
from my_submission.errors import DemixError
from my_submission.stems import STEMS, Audio
from my_submission.stft import Stft
from training.loading import load_network
from training.loss import relative_error, waveform_error
from training.onnx_import import unfold_norms
from training.phase1.checkpoint_files import CHECKPOINTS, diverged
from training.phase1.networks import make_network, measure, measures, start_from
from training.phase1.options import ModelOptions
from training.phase1.schedule import rate_factor

MEASURED_CHUNKS = 48
"""Training chunks that the levels of bins are measured on."""

GPU_BATCH = 4
"""Chunks that a GPU takes at once in validation; a processor takes one."""


class ConvTDFNet(LightningModule):
    """Trains the network of one source on random mixtures and scores it on whole songs.

    Batches are the stems `[batch, 4, 2, samples]` in the order of `STEMS`, whose sum is the
    mixture; songs for validation are `Track`s.

    Args:
        values: What `ModelOptions` holds.

    Attributes:
        options: The same, checked.
        network: Maps `[batch, 4, dim_f, frames]` to the target's spectrogram.

    Raises:
        DemixError: An option is unknown, missing or fits no network.
    """

    def __init__(self, **values: Any) -> None:
        super().__init__()
        self.options = ModelOptions.checked(values)
        self.save_hyperparameters(values)
        self.network = make_network(self.options)
        self.stft = Stft(self.options.n_fft, self.options.dim_f)
        self.val_sdr = MeanMetric()

    @property
    def target_name(self) -> str:
        """The stem that is estimated."""
        return self.options.target_name

    def setup(self, stage: str) -> None:
        """Start from a file, or measure levels, where the run is new."""
        if stage != "fit" or self.trainer.ckpt_path is not None:
            return
        if self.options.init_from is not None:
            path = Path(self.options.init_from)
            loaded = load_network(path, self.options.norm_groups)
            start_from(self.network, loaded.network, path)
            if path.suffix == ".onnx":
                unfold_norms(self.network.eval(), self._first_chunks()[0])
                self.network.train()
        elif measures(self.options):
            measure(self.network, self.options, *self._first_chunks())

    def _first_chunks(self) -> tuple[Tensor, Tensor]:
        """Give spectrograms of the first chunks' mixtures and targets, for all processes alike."""
        device = self.trainer.strategy.root_device
        chunks: list[Tensor] = []
        for batch in self.trainer.datamodule.train_dataloader():  # type: ignore[attr-defined]
            joint = torch.as_tensor(self.all_gather(batch.to(device))).cpu()
            if joint.ndim > batch.ndim:  # [processes, batch, ...], of which each has every n-th
                joint = joint.transpose(0, 1).flatten(0, 1)
            chunks += list(joint)
            if len(chunks) >= MEASURED_CHUNKS:
                break
        pair = self._pair(torch.stack(chunks[:MEASURED_CHUNKS]))
        mixture, target = (self.stft.spectrogram(wave) for wave in pair)
        factor = self.options.size.time_factor
        frames = mixture.shape[-1] // factor * factor
        return mixture[..., :frames], target[..., :frames]

    def forward(self, spec: Tensor) -> Tensor:
        """Map the mixture's spectrogram to the target's, `[batch, 4, dim_f, frames]`."""
        estimate: Tensor = self.network(spec)
        return estimate.float()

    def training_step(self, batch: Tensor, _batch_idx: int) -> Tensor:
        """Give the loss of a batch of stems `[batch, 4, 2, samples]`."""
        mixture, target = self._pair(batch)
        with self._exactly():
            mixture_spec = self.stft.spectrogram(mixture)
        estimate = self(mixture_spec)
        with self._exactly():
            if self.options.loss == "relative":
                target_spec = self.stft.spectrogram(target)
                loss = relative_error(
                    estimate, target_spec, mixture_spec, self.options.target_floor
                )
            else:
                wave = self.stft.waveform(estimate, num_samples=target.shape[-1])
                loss = waveform_error(wave, target, self.options.loss)
        self.log(
            "train/loss",
            loss,
            on_step=True,
            on_epoch=True,
            prog_bar=True,
            batch_size=len(batch),
            sync_dist=True,
        )
        return loss

    def validation_step(self, track: Any, _batch_idx: int) -> None:
        """Score a whole song by the challenge's SDR.

        Raises:
            DemixError: The run has diverged.
        """
        stems: Audio = track.stems()
        target = stems[STEMS.index(self.options.target_name)]
        estimate = self.separate(stems.sum(axis=0))
        if not np.isfinite(estimate).all():
            folder = Path(self.trainer.default_root_dir) / CHECKPOINTS
            raise diverged(folder, self.trainer.global_step, "the output is")
        self.val_sdr.update(sdr(target, estimate))
        # As a metric, so that songs count alike however many each process has had.
        self.log("val/sdr", self.val_sdr, on_step=False, on_epoch=True, prog_bar=True, batch_size=1)

    @torch.no_grad()
    def separate(self, mixture: Audio) -> Audio:
        """Estimate the target of a whole song, chunked as the published systems chunk it.

        Args:
            mixture: `[2, samples]`.

        Returns:
            `[2, samples]`.
        """
        config = self.options.inference
        blocks = trimmed_chunks(
            ArraySignal(mixture),
            self._estimates,
            chunk=config.chunk,
            trim=config.trim,
            batch_size=1 if self.device.type == "cpu" else GPU_BATCH,
        )
        return np.concatenate(list(blocks), axis=-1)

    def configure_optimizers(self) -> Any:
        """Make the optimizer, and the schedule that multiplies its rate after every step."""
        options = self.options
        optimizer: torch.optim.Optimizer
        if options.optimizer == "rmsprop":
            optimizer = torch.optim.RMSprop(
                self.network.parameters(), options.lr, weight_decay=options.weight_decay
            )
        else:
            optimizer = torch.optim.AdamW(
                self.network.parameters(), options.lr, weight_decay=options.weight_decay
            )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate_factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _rate_factor(self, step: int) -> float:
        return rate_factor(
            step,
            warmup_steps=self.options.warmup_steps,
            progress=self._progress(step) if self.options.schedule == "cosine" else 0.0,
        )

    def _progress(self, step: int) -> float:
        """Give the share of the run that lies behind `step`, by steps, epochs or the clock."""
        callbacks = self.trainer.callbacks  # type: ignore[attr-defined]
        timers = [item for item in callbacks if isinstance(item, Timer)]
        shares = [
            timer.time_elapsed() / (timer.time_elapsed() + remaining)
            for timer in timers
            if (remaining := timer.time_remaining()) is not None and timer.time_elapsed() > 0
        ]
        if timers:  # one clock for all processes, so that their rates are the same
            shares = self.trainer.strategy.broadcast(shares)
        steps = self.trainer.estimated_stepping_batches
        if 0 < steps < float("inf"):
            shares.append(step / steps)
        if not shares and not timers:
            raise DemixError(
                "model.schedule=cosine needs an end: give trainer.max_steps, trainer.max_epochs "
                "or trainer.max_time"
            )
        return min(1.0, max(shares, default=0.0))

    def _estimates(self, batches: Iterator[Audio]) -> Iterator[Audio]:
        for chunks in batches:
            wave = torch.from_numpy(chunks).to(self.device)
            with self._exactly():
                spec = self.stft.spectrogram(wave)
            estimate = self(spec)
            with self._exactly():
                yield self.stft.waveform(estimate).cpu().numpy()

    def _pair(self, stems: Tensor) -> tuple[Tensor, Tensor]:
        return stems.sum(dim=1), stems[:, STEMS.index(self.options.target_name)]

    def _exactly(self) -> torch.autocast:
        """Keep transforms and losses in float32: half precision is for the network."""
        return torch.autocast(self.device.type, enabled=False)
