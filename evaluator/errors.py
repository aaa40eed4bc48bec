"""The one exception that the evaluator raises on bad folders, files or settings."""


class EvaluatorError(Exception):
    """What went wrong, in one line: the offending value and the remedy.

    It has no tie to the submission's own error type, because the submission is replaceable.
    """

    def __str__(self) -> str:
        # A file may be called anything, a line break included, and a message is one line.
        return "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode("ascii")
            for c in super().__str__()
        )
