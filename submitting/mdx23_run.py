"""What the grader of 2023 does, as the rehearsal runs it: in the clone, from its source text."""

import os
import time
from pathlib import Path

from my_submission.aicrowd_wrapper import AIcrowdWrapper


def main() -> None:
    """Separate every song of ``AICROWD_DATASET_DIR``."""
    wrapper = AIcrowdWrapper()
    for song in sorted(Path(os.environ["AICROWD_DATASET_DIR"]).iterdir()):
        began = time.monotonic()
        wrapper.separate_music_file(song.name)
        print(f"{song.name}: {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
