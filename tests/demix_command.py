"""`demix` as a user starts it, within the tests' own process."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from my_submission import cli

Run = Callable[..., int]


@contextmanager
def demix_command() -> Iterator[Run]:
    """Give a function that runs `demix ARGS` and returns its exit status."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(*arguments: str | Path) -> int:
        with (
            patch.object(sys, "argv", ["demix", *map(str, arguments)]),
            pytest.raises(SystemExit) as end,
        ):
            cli.main()
        return int(end.value.code or 0)

    yield run
    signal.signal(signal.SIGTERM, handler)
