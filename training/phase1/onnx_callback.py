"""An ONNX file beside every checkpoint, checked before training goes on."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from my_submission.errors import DemixError
from training.export import NotFiniteError, onnx_content
from training.files import write_whole
from training.phase1.checkpoint_files import AtomicIO, diverged, require_finite
from training.phase1.conv_tdf_net import ConvTDFNet
from training.phase1.networks import make_network


class ExportOnnx(Callback):
    """Write `NAME.onnx` beside every checkpoint `NAME.ckpt`, from the checkpoint's own weights.

    These are the averaged ones where weights are averaged. The file is opened with onnxruntime and
    compared with torch; where they differ by more than 1e-5 of the peak the run ends, and the older
    pair stays.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let checkpoints be written by `ExportingIO`."""
        if stage == "fit":
            if not isinstance(pl_module, ConvTDFNet):
                raise DemixError(f"{type(pl_module).__name__} cannot be exported as ONNX")
            trainer.strategy.checkpoint_io = ExportingIO(pl_module)


class ExportingIO(AtomicIO):
    """Checkpoints with an ONNX file beside each.

    Args:
        module: What is trained; tells sizes, not weights.
    """

    def __init__(self, module: ConvTDFNet) -> None:
        self._options = module.options

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write the checkpoint, then the ONNX file, when both are known to be right.

        Raises:
            DemixError: The run has diverged, or the ONNX file would compute something else: then
                older ones are still there. Or one cannot be written.
        """
        destination = Path(path)
        require_finite(checkpoint, destination)
        exported = destination.with_suffix(".onnx")
        options = self._options
        prefix = "network."
        with torch.random.fork_rng(devices=[]):  # random weights are drawn, and replaced
            network = make_network(options)
        network.load_state_dict(
            {
                name.removeprefix(prefix): value.detach().cpu()
                for name, value in checkpoint["state_dict"].items()
                if name.startswith(prefix)
            }
        )
        try:
            content, _ = onnx_content(
                network,
                exported,
                dim_f=options.dim_f,
                num_frames=options.inference.num_frames,
                metadata={
                    "stem": options.target_name,
                    "n_fft": str(options.n_fft),
                    "steps": str(checkpoint["global_step"]),
                },
            )
        except NotFiniteError as error:
            step = checkpoint["global_step"]
            raise diverged(destination.parent, step, "the output is") from error
        super().save_checkpoint(checkpoint, path, storage_options)
        # An older one is of other weights until it is replaced.
        exported.unlink(missing_ok=True)
        write_whole(exported, content)

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint and the ONNX file beside it."""
        super().remove_checkpoint(path)
        Path(path).with_suffix(".onnx").unlink(missing_ok=True)
