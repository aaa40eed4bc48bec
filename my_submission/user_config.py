"""What this submission runs: the one line to edit before submitting."""

import os

SYSTEM = os.environ.get("DEMIX_SYSTEM") or "starter"
"""One of the systems in `my_submission.systems`; the environment variable overrides it."""
