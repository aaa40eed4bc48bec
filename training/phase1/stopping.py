"""Stopping between two steps, and going on as if nothing had happened."""

import random
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint

from my_submission.errors import DemixError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StoppedError(DemixError):
    """A run that was asked to end, and can go on from its last checkpoint.

    Attributes:
        status: The exit status, 128 more than the signal's number.
    """

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.status = 128 + signum


class StopOnSignal(Checkpoint):
    """Save a checkpoint and end the run after the step in which Ctrl-C or SIGTERM came.

    Behind the last step of an epoch its validation comes first. A second Ctrl-C or SIGTERM ends
    the program at once; what is lost then is what came after the last checkpoint.

    Args:
        path: The checkpoint.
    """

    # A `Checkpoint`, because Lightning calls these last, when all others have done their part.

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._received: int | None = None
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over the signals."""
        if trainer.received_sigterm:  # while data and weights were read
            self._received = signal.SIGTERM
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop here, unless the epoch ends here."""
        if self._is_asked(trainer) and not trainer.is_last_batch:
            trainer.save_checkpoint(self._path)
            self._stop(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop here, after the other callbacks have saved."""
        if not trainer.sanity_checking and self._is_asked(trainer):
            trainer.save_checkpoint(self._path)
            self._stop(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the signals back."""
        self._restore()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Give the signals back."""
        self._restore()

    def _receive(self, signum: int, _frame: FrameType | None) -> None:
        self._received = signum
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _is_asked(self, trainer: Trainer) -> bool:
        # All processes must save and stop after the same step.
        return bool(trainer.strategy.reduce_boolean_decision(self._received is not None, all=False))

    def _stop(self, trainer: Trainer) -> None:
        signum = self._received or signal.SIGTERM
        raise StoppedError(
            f"stopped after step {trainer.global_step}; the same command goes on from {self._path}",
            signum,
        )


class RandomState(Callback):
    """Keep the generators' states in the checkpoint, and set them before the first step after it.

    With several processes they are those of the first one.
    """

    def __init__(self) -> None:
        self._loaded: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """Give the states of Python's, NumPy's and torch's generators as plain values."""
        name, keys, *rest = np.random.get_state()
        return {
            "python": random.getstate(),
            "numpy": (name, np.asarray(keys).tolist(), *rest),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take states that `on_train_batch_start` is to set."""
        self._loaded = state_dict

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Set them: what was drawn until now, the run without a stop has not drawn."""
        state, self._loaded = self._loaded, None
        if state is None:
            return
        random.setstate(_tuples(state["python"]))
        np.random.set_state(_tuples(state["numpy"]))
        torch.set_rng_state(state["torch"].cpu())
        if len(state["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([item.cpu() for item in state["cuda"]])


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
