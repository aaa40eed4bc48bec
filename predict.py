"""What the grader runs: separates every song of its folder with the configured system."""

import sys

from my_submission.errors import DemixError
from my_submission.predictor import DemixPredictor


def main() -> int:
    """Run the submission; returns its exit status."""
    # The local evaluator has an error of its own; the grader's copy, put in its place, has none.
    one_line_errors = (DemixError, *getattr(DemixPredictor, "one_line_errors", ()))
    try:
        DemixPredictor().run()
    except one_line_errors as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
