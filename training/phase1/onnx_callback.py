"""An ONNX file beside every checkpoint, checked before training goes on."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer

from my_submission.audio.atomic import OutputFiles, file_error
from my_submission.errors import DemixError
from training.export import export_onnx
from training.phase1.conv_tdf_net import ConvTDFNet
from training.phase1.networks import make_network


class ExportOnnx(Callback):
    """Write `NAME.onnx` beside every checkpoint `NAME.ckpt`, from the checkpoint's own weights.

    These are the averaged ones where weights are averaged. The file is opened with onnxruntime and
    compared with torch; where they differ by more than 1e-5 of the peak the run ends.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let checkpoints be written by `ExportingIO`."""
        if stage == "fit":
            if not isinstance(pl_module, ConvTDFNet):
                raise DemixError(f"{type(pl_module).__name__} cannot be exported as ONNX")
            trainer.strategy.checkpoint_io = ExportingIO(pl_module)


class AtomicIO(TorchCheckpointIO):
    """Checkpoints that appear whole under their names, or not at all."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write under a temporary name in the same folder, then rename.

        Lightning's own passes through the system's folder of temporary files.

        Raises:
            DemixError: The file cannot be written.
        """
        assert storage_options is None
        destination = Path(path)
        files = OutputFiles({"checkpoint": destination})
        try:
            temporary = files.create()["checkpoint"]
            try:
                # torch reports a full disk as a RuntimeError without a number; a file does not.
                with temporary.open("wb") as file:
                    torch.save(checkpoint, file)
            except OSError as error:
                raise file_error(destination, error) from error
            files.commit()
        finally:
            files.discard()


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
        """Write the checkpoint, then the ONNX file.

        Raises:
            DemixError: One cannot be written, or the ONNX file computes something else.
        """
        destination = Path(path)
        exported = destination.with_suffix(".onnx")
        # An older one of that name would be of other weights until it is replaced.
        exported.unlink(missing_ok=True)
        super().save_checkpoint(checkpoint, path, storage_options)
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
        export_onnx(
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

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint and the ONNX file beside it."""
        super().remove_checkpoint(path)
        Path(path).with_suffix(".onnx").unlink(missing_ok=True)
