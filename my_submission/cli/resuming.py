"""What `--skip-existing` takes for done."""

from collections.abc import Iterable
from pathlib import Path


def is_separated(stems: Iterable[Path], *, song: Path | None = None) -> bool:
    """Tell whether a song's stems are all there, whole and equally long.

    What a killed run has left beside them is removed, since nothing else may look there again.

    Args:
        stems: Their files.
        song: A file that they are to be as long as, at the same sample rate.
    """
    # Late, for the sake of `demix --help`.
    from my_submission.audio.leftovers import remove_leftovers
    from my_submission.audio.whole import length_if_whole

    files = list(stems)
    for folder in {path.parent for path in files}:
        remove_leftovers(folder)
    if not all(path.is_file() for path in files):
        return False
    lengths = {length_if_whole(path) for path in ([*files, song] if song else files)}
    return len(lengths) == 1 and None not in lengths
