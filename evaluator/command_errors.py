"""The evaluator's errors on the command line."""

from collections.abc import Iterator
from contextlib import contextmanager

from evaluator.errors import EvaluatorError
from my_submission.errors import DemixError


@contextmanager
def as_demix_errors() -> Iterator[None]:
    """Turn the evaluator's errors into those that the command line reports."""
    try:
        yield
    except EvaluatorError as error:
        raise DemixError(str(error)) from error
