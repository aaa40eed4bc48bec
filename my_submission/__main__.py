"""`python -m my_submission`: the `demix` command where it is not on the path."""

from my_submission.cli import main

if __name__ == "__main__":
    main()
