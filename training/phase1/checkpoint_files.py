"""Checkpoints on the disk: written whole, of finite weights only, and found damaged in time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from my_submission.errors import DemixError
from training.files import whole_file
from training.loading import read_checkpoint

CHECKPOINTS = "checkpoints"
"""Their folder in the run's."""

BEST, LAST = "best.ckpt", "last.ckpt"


class AtomicIO(TorchCheckpointIO):
    """Checkpoints that appear whole under their names, or not at all."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write under a temporary name in the same folder, then rename.

        Lightning's own passes through the system's folder of temporary files.

        Raises:
            DemixError: The weights are not finite, or the file cannot be written. One that was
                there before is still there.
        """
        assert storage_options is None
        require_finite(checkpoint, Path(path))
        with whole_file(Path(path)) as file:
            # torch reports a full disk as a RuntimeError without a number; a file does not.
            torch.save(checkpoint, file)


def require_finite(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Refuse the weights of a run that has diverged: nothing could go on from them.

    Args:
        checkpoint: What is to be written.
        path: Where.

    Raises:
        DemixError: A weight, or what it is averaged of, is infinite or no number.
    """
    for weights in (checkpoint["state_dict"], checkpoint.get("current_model_state", {})):
        if not all(bool(value.isfinite().all()) for value in weights.values()):
            raise diverged(path.parent, checkpoint["global_step"], "weights are")


def diverged(folder: Path, step: int, found: str) -> DemixError:
    """Make the error of a run that has diverged, and say what there is to go on from.

    Args:
        folder: Of its checkpoints, which stay what they are.
        step: After which that was found.
        found: What is not finite.
    """
    last = folder / LAST
    kept = "no checkpoint was written before"
    if last.is_file():
        content = read_checkpoint(last)
        held = content.get("global_step") if isinstance(content, Mapping) else None
        kept = f"{last} still holds step {held}"
    return DemixError(
        f"training has diverged: {found} not finite after step {step}; {kept}; "
        "begin anew with a lower model.lr and another run_dir="
    )


def require_intact(path: Path, *, has_init_from: bool) -> None:
    """Refuse to go on from a checkpoint that is damaged.

    Args:
        path: The checkpoint.
        has_init_from: Whether the model can start from another one's weights.

    Raises:
        DemixError: It cannot be read, or is no run's.
    """
    remedy = "delete it to begin anew"
    best = path.with_name(BEST)
    if has_init_from and best.is_file():
        remedy += f", or from the best weights by model.init_from={best}"
    try:
        content = read_checkpoint(path)
    except DemixError as error:
        reason = str(error).removesuffix("; fetch it again")
        raise DemixError(f"{reason}; if it is damaged, {remedy}") from error
    if not isinstance(content, Mapping) or not {"state_dict", "loops"} <= content.keys():
        raise DemixError(f"{path}: is no checkpoint of a run; {remedy}")
