"""A data module of the real one's form, of noise that needs no files."""

import multiprocessing
import os
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from my_submission.stems import Audio
from my_submission.stft import HOP_LENGTH


class TinyTrack:
    """A song that is noise."""

    def __init__(self, number: int, num_samples: int) -> None:
        self.number, self.num_samples = number, num_samples

    def stems(self) -> Audio:
        """Give `[4, 2, num_samples]`."""
        rng = np.random.default_rng(self.number)
        return rng.uniform(-0.1, 0.1, (4, 2, self.num_samples)).astype(np.float32)


class Tracks(Dataset[TinyTrack]):
    """Songs by number."""

    def __init__(self, tracks: Sequence[TinyTrack]) -> None:
        self._tracks = tracks

    def __len__(self) -> int:
        return len(self._tracks)

    def __getitem__(self, index: int) -> TinyTrack:
        return self._tracks[index]


class TinyLoader:
    """Batches of one epoch, from where the data module is."""

    def __init__(self, data: "TinyData") -> None:
        self._data = data

    def __len__(self) -> int:
        return self._data.batches

    def __iter__(self) -> Iterator[Tensor]:
        data = self._data
        for _ in range(data.done % data.batches, data.batches):
            yield data.batch(data.done)


class TinyData(LightningDataModule):
    """Chunks that are a function of their number in the run, shared out among processes."""

    def __init__(
        self, num_frames: int, batch_size: int, batches: int, songs: int = 2, jitter: float = 0.1
    ) -> None:
        super().__init__()
        self.jitter = jitter
        self.samples = HOP_LENGTH * (num_frames - 1)
        self.batch_size, self.batches, self.songs = batch_size, batches, songs
        self.done = 0

    def batch(self, number: int) -> Tensor:
        """Make the batch of this process."""
        world, rank = (
            (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        )
        first = number * self.batch_size * world
        chunks = range(first + rank, first + self.batch_size * world, world)
        return torch.stack([chunk_of_noise(chunk, self.samples) for chunk in chunks])

    def train_dataloader(self) -> TinyLoader:
        """Give the epoch's batches."""
        return TinyLoader(self)

    def val_dataloader(self) -> "DataLoader[TinyTrack]":
        """Give the songs of this process, one at a time."""
        trainer = self.trainer
        first, step = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        tracks = [
            TinyTrack(number, 3 * self.samples + 5) for number in range(first, self.songs, step)
        ]
        return DataLoader(Tracks(tracks), batch_size=None, generator=torch.Generator())

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:  # noqa: ARG002
        """Count what training has taken, and change it by what every global generator draws."""
        if self.trainer is not None and self.trainer.training:
            self.done += 1
            drawn = random.random() + np.random.rand() + torch.rand(1).item()
            batch = batch * (1 + self.jitter * drawn)
        return batch

    def state_dict(self) -> dict[str, int]:
        """Give how many batches were taken."""
        return {"done": self.done}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on behind them."""
        self.done = state_dict["done"]


def chunk_of_noise(number: int, samples: int) -> Tensor:
    """Make one chunk of four stems."""
    rng = np.random.default_rng((7, number))
    return torch.from_numpy(rng.normal(0, 0.1, (4, 2, samples)).astype(np.float32))


class Disturb(Callback):
    """Send a signal to this process and its group, or raise an exception that nothing catches.

    Args:
        step: After which.
        when: ``step`` for right behind it, ``validation`` for the beginning of the validation
            that follows it.
        signum: The signal; 0 for the exception.
    """

    def __init__(self, step: int, when: str, signum: int) -> None:
        self._step, self._when, self._signum = step, when, signum

    def on_train_batch_end(self, trainer: Trainer, *_arguments: Any) -> None:
        """Disturb training."""
        if self._when == "step":
            self._disturb(trainer)

    def on_validation_start(self, trainer: Trainer, _module: LightningModule) -> None:
        """Disturb validation."""
        if self._when == "validation":
            self._disturb(trainer)

    def _disturb(self, trainer: Trainer) -> None:
        if trainer.global_step != self._step:
            return
        if self._signum:
            # As a terminal does: to all processes of the group.
            group = [worker.pid or 0 for worker in multiprocessing.active_children()]
            for process in (*group, os.getpid()):
                if os.getpgid(process) == os.getpgrp():
                    os.kill(process, self._signum)
        else:
            raise ZeroDivisionError("a crash")


class Diverge(Callback):
    """Make one weight no number after a step, as too high a learning rate does."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *_arguments: Any
    ) -> None:
        """Change it."""
        if trainer.global_step == self._step:
            next(pl_module.parameters()).data.view(-1)[0] = torch.nan


class SaveGradients(Callback):
    """Write the first step's gradients, as the optimizer gets them."""

    def __init__(self, path: str) -> None:
        self._path = path

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, _optimizer: torch.optim.Optimizer
    ) -> None:
        """Write them."""
        if trainer.is_global_zero and trainer.global_step == 0:
            gradients = {name: value.grad for name, value in pl_module.named_parameters()}
            torch.save(gradients, self._path)
