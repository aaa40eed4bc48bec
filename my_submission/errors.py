"""The one exception that this project raises on bad input, weights or devices."""


class DemixError(Exception):
    """What went wrong, in one line: the offending value and the remedy.

    The command line prints the line without a traceback and exits non-zero.
    """
