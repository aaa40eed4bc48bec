"""How a program of this project ends: by one line and an exit status, nothing half-done."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from my_submission.errors import DemixError

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    # As an exception, so that half-written stems are removed on the way out.
    raise SystemExit(TERMINATED)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End the process by one line on standard error where its work ends in an error.

    A `DemixError` exits with 1, Ctrl-C with 130 and SIGTERM with 143.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except DemixError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except SystemExit as end:
        if end.code in (INTERRUPTED, TERMINATED):
            print("error: interrupted", file=sys.stderr)
        raise
