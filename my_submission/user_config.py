"""What this submission runs: `SYSTEM` is the one line to edit before submitting."""

import os

from my_submission.music_separation_model import DemixSeparationModel

SYSTEM = os.environ.get("DEMIX_SYSTEM") or "starter"
"""One of the systems in `my_submission.systems`; the environment variable overrides it."""


class MySeparationModel(DemixSeparationModel):
    """What the evaluator of 2023 runs, by this name; that of 2021 runs `predict.py`."""

    system = SYSTEM
