"""Where a run's curves go."""

import netrc
import os
import uuid
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlparse

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only


def configured_logger(save_dir: str, project: str, name: str) -> Logger:
    """Make the logger that this machine is set up for.

    wandb where it is installed and configured, else TensorBoard where that is installed, else CSV.

    Args:
        save_dir: The run's folder.
        project: Where wandb puts the run.
        name: What wandb calls it.
    """
    if wandb_is_configured():
        if find_spec("wandb") is not None:
            return wandb_logger(save_dir, project, name)
        rank_zero_only(print)(
            "wandb is configured but not installed: pip install wandb to log to it"
        )
    if find_spec("tensorboard") is not None or find_spec("tensorboardX") is not None:
        return TensorBoardLogger(save_dir, name="tensorboard", version="")
    return CSVLogger(save_dir, name="csv")


def wandb_logger(save_dir: str, project: str, name: str) -> Logger:
    """Make wandb's logger; a run that is gone on with stays the same run there.

    Offline, as `WANDB_MODE=offline` asks for, it writes into the run's folder.
    """
    note = Path(save_dir) / "wandb-id"
    if not note.exists():
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(uuid.uuid4().hex[:8])
    return WandbLogger(
        project=project, name=name, save_dir=save_dir, id=note.read_text(), resume="allow"
    )


def wandb_is_configured() -> bool:
    """Tell whether wandb would log without asking: a key, a login, or its offline mode."""
    mode = os.environ.get("WANDB_MODE", "")
    if mode == "disabled" or os.environ.get("WANDB_DISABLED", "").lower() in ("1", "true"):
        return False
    if mode in ("offline", "dryrun") or os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname
    file = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    try:
        return netrc.netrc(str(file)).authenticators(host or "") is not None
    except (OSError, netrc.NetrcParseError):
        return False
