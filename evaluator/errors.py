"""The one exception that the evaluator raises on bad folders, files or settings."""


def one_line(text: str) -> str:
    """Give a name as it can be printed: a file may be called anything, a line break included."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


class EvaluatorError(Exception):
    """What went wrong, in one line: the offending value and the remedy.

    It has no tie to the submission's own error type, because the submission is replaceable.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())
