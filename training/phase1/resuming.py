"""Stopping between two steps, and going on as if nothing had happened."""

import random
import signal
import threading
import time
from math import inf
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint

from training.stopping import StoppedError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class LastCheckpoint(Checkpoint):
    """Keep the checkpoint that a run goes on from, and end the run when it is asked to.

    It is written every so often, after every validation and at the end; and when Ctrl-C or SIGTERM
    came, after the step that was being made, whereupon the run ends. A second Ctrl-C or SIGTERM
    ends the program at once.

    What is due behind the last step of an epoch waits for its validation, because Lightning would
    leave that out when it goes on.

    Args:
        path: The checkpoint.
        every_n_minutes: Time after which it is due again; None for never.
        every_n_steps: Steps after which it is due; None for never.
    """

    # A `Checkpoint`, because Lightning calls these last, when all others have done their part.

    def __init__(
        self, path: str, every_n_minutes: float | None = None, every_n_steps: int | None = None
    ) -> None:
        self._path = Path(path)
        self._seconds = inf if every_n_minutes is None else 60 * every_n_minutes
        self._steps = every_n_steps
        self._saved = time.monotonic()
        self._waits = False
        self._received: int | None = None
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over the signals."""
        self._saved = time.monotonic()
        if trainer.received_sigterm:  # while data and weights were read
            self._received = signal.SIGTERM
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save what is due, unless the epoch ends here."""
        step = trainer.global_step
        is_due = (
            self._waits
            or self._received is not None
            or trainer.should_stop
            or step == trainer.max_steps
            or time.monotonic() - self._saved >= self._seconds
            or (self._steps is not None and step % self._steps == 0)
        )
        # All processes must save, and stop, after the same step.
        if trainer.strategy.reduce_boolean_decision(is_due, all=False):
            is_between_steps = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
            self._waits = trainer.is_last_batch or not is_between_steps
            if not self._waits:
                self._save(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save, after the other callbacks have taken note of the validation."""
        if not trainer.sanity_checking:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save what waits, and the last epoch."""
        is_last = trainer.current_epoch + 1 == trainer.max_epochs
        if self._waits or is_last or trainer.should_stop:
            self._save(trainer)

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
        # Lightning's own handler would only take note of a second one.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _save(self, trainer: Trainer) -> None:
        self._waits = False
        trainer.save_checkpoint(self._path)
        self._saved = time.monotonic()
        is_asked = trainer.strategy.reduce_boolean_decision(self._received is not None, all=False)
        if is_asked:
            raise StoppedError(
                f"stopped after step {trainer.global_step}; "
                f"the same command goes on from {self._path}",
                self._received or signal.SIGTERM,
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
        """Take states that `on_train_start` is to set."""
        self._loaded = state_dict

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
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
