"""The Mixer's file, and the callback that writes it while it is trained."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from my_submission.audio.atomic import OutputFiles, file_error
from my_submission.errors import DemixError
from my_submission.stems import STEMS
from training.phase2.mixer import MixerTraining
from training.phase2.products import Matrix

NAMES = ("mixer.pt", "mixer.ckpt")
"""The name that the published training gives the file, and the name that systems look for. One
content under both."""


def save_mixer(weight: Matrix, folder: Path) -> list[Path]:
    """Write a Mixer `[8, 10]` in the published format, under both names or not at all.

    Raises:
        DemixError: They cannot be written.
    """
    content = io.BytesIO()
    torch.save({"linear.weight": torch.tensor(weight, dtype=torch.float32)}, content)
    paths = {name: folder / name for name in NAMES}
    files = OutputFiles(paths)
    try:
        for name, temporary in files.create().items():
            try:
                temporary.write_bytes(content.getvalue())
            except OSError as error:
                raise file_error(paths[name], error) from error
        files.commit()
    finally:
        files.discard()
    return list(paths.values())


class SaveMixer(Callback):
    """Write the Mixer that has scored best on the validation songs so far.

    Without validation songs the last one is written, at the end. A run that is stopped and goes
    on knows what was best before.

    Args:
        folder: Where `NAMES` go.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._best: dict[str, float] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the Mixer if it is better than ever."""
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if trainer.sanity_checking or "val/sdr" not in figures:
            return
        if figures["val/sdr"] > self._best.get("val/sdr", -float("inf")):
            self._best = figures
            self._save(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what was reached, stem by stem."""
        if not self._best:
            self._save(trainer, pl_module)
        if trainer.is_global_zero:
            print(f"{' and '.join(NAMES)} are in {self._folder}")
            if self._best:
                after = [self._best[f"val/sdr_{stem}"] for stem in STEMS]
                gains = [self._best[f"val/gain_{stem}"] for stem in STEMS]
                before = [sdr - gain for sdr, gain in zip(after, gains, strict=True)]
                print(gain_table(before, after))

    def state_dict(self) -> dict[str, Any]:
        """Give what a run that goes on needs to know."""
        return dict(self._best)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up."""
        self._best = dict(state_dict)

    def _save(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not isinstance(pl_module, MixerTraining):
            raise DemixError(f"{type(pl_module).__name__} is no Mixer: take this callback away")
        if trainer.is_global_zero:
            save_mixer(pl_module.weight, self._folder)


def gain_table(
    before: Sequence[float], after: Sequence[float], most: Sequence[float] | None = None
) -> str:
    """Lay out mean SDR over songs, in dB, each in the order of `STEMS`.

    Args:
        before: Of the separators alone.
        after: With the Mixer.
        most: Gains that no Mixer surpasses, where they are known.
    """
    gains = [with_it - without for without, with_it in zip(before, after, strict=True)]
    rows = [
        ("without the Mixer", "9.2f", before),
        ("with it", "9.2f", after),
        ("gain", "+9.3f", gains),
    ]
    if most is not None:
        rows.append(("gain of the best", "+9.3f", most))
    lines = [f"{'SDR [dB]':18}" + "".join(f"{name:>9}" for name in (*STEMS, "mean"))]
    for row, form, values in rows:
        columns = (*values, sum(values) / len(values))
        lines.append(f"{row:18}" + "".join(f"{value:{form}}" for value in columns))
    return "\n".join(lines)
