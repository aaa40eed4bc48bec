"""The data of the published configurations."""

from typing import Any

from my_submission.errors import DemixError
from training.data.module import StemsDataModule


def musdb18_hq(data_dir: str | None, **options: Any) -> StemsDataModule:
    """Make the data module of MUSDB18-HQ.

    Args:
        data_dir: Its folder.
        options: Others of `StemsDataModule`.

    Raises:
        DemixError: No folder is given.
    """
    if data_dir is None:
        raise DemixError("no data set is given: give datamodule.data_dir=FOLDER of MUSDB18-HQ")
    return StemsDataModule(musdb=data_dir, **options)
