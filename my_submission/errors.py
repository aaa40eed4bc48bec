"""The one exception that this project raises on bad input, weights or devices."""

from my_submission.display import shown


class DemixError(Exception):
    """What went wrong, in one line: the offending value and the remedy.

    The command line prints the line without a traceback and exits non-zero.
    """

    def __str__(self) -> str:
        # A file may be called anything, a line break included, and a message is one line.
        return shown(super().__str__())
