"""One line per validation, for logs that are read without a progress bar."""

from lightning.pytorch import Callback, LightningModule, Trainer


class Report(Callback):
    """Print where a run is after every validation."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print epoch, steps, the last step's loss and the SDR."""
        if trainer.is_global_zero and not trainer.sanity_checking:
            metrics = trainer.callback_metrics
            values = [
                f"{name} {float(metrics[key]):.4g}{unit}"
                for key, name, unit in (
                    ("train/loss_step", "loss", ""),
                    ("val/sdr", "validation", " dB"),
                )
                if key in metrics
            ]
            print(
                f"epoch {trainer.current_epoch}, step {trainer.global_step}:",
                ", ".join(values),
                flush=True,
            )
