"""Where the golden data is: a part of it in this folder, all of it beside the repository."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent / "golden"
SHARED = Path(__file__).parents[2] / "shared" / "golden"


def golden(path: str) -> Path:
    """Find a golden file or folder, or skip the test, saying so."""
    for root in (HERE, SHARED):
        if (root / path).exists():
            return root / path
    pytest.skip(f"golden data {path} is not here: only ../shared/golden has it")
