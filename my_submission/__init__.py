"""Music demixing: a song in; bass, drums, other and vocals out."""

import os
from typing import TYPE_CHECKING, Any

from my_submission.errors import DemixError
from my_submission.stems import STEMS

if TYPE_CHECKING:
    from my_submission.separator import Separator

# Since 1.31 onnxruntime tells its makers what it runs, unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = ["STEMS", "DemixError", "Separator"]


def __getattr__(name: str) -> Any:
    # torch takes seconds to import, which `demix --help` should not wait for.
    if name == "Separator":
        from my_submission.separator import Separator

        return Separator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
