"""Separates and scores a folder of songs under the protocol of the challenge of 2023."""

import argparse
import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile

from evaluator.errors import EvaluatorError, one_line
from evaluator.report import baselines_of, print_scores, write_scores
from evaluator.scoring import has_references, score_folder
from evaluator.sound import STEMS, list_songs, name_some, subfolders
from my_submission.endings import one_line_errors
from my_submission.errors import DemixError

if TYPE_CHECKING:
    from my_submission.aicrowd_wrapper import AIcrowdWrapper

MIXTURE_SUFFIXES = (".wav",)
"""The protocol knows no other type of mixture."""


def evaluate(data: Path, output: Path) -> None:
    """Separate every song of a folder with `MySeparationModel`; score those with references.

    The table goes to standard output, and ``scores.json`` beside the stems.

    Args:
        data: folder with ``SONG/mixture.wav`` and, to score with, ``SONG/STEM.wav`` or ``.flac``.
        output: folder for ``SONG/STEM.wav``; made where it is missing.

    Raises:
        EvaluatorError: there are no songs, or stems and references do not fit each other.
        DemixError: the output cannot be written or would replace references, weights are missing,
            or a song cannot be separated.
    """
    names = list_songs(data, MIXTURE_SUFFIXES)
    # Looked for before the long part, because it finds folders that cannot be scored.
    scored = [name for name in names if has_references(data / name)]
    for name in names:
        if (output / name).resolve() == (data / name).resolve():
            raise DemixError(f"{output / name} holds the song itself: give another --output")
    skipped = [
        path.name
        for path in subfolders(data)
        if path.name not in names and not path.name.startswith(".")
    ]
    if skipped:
        print(f"skipped, for want of mixture.wav: {name_some(skipped)}")
    wrapper = _load_wrapper(data, output)
    for done, name in enumerate(names, start=1):
        began = time.monotonic()
        _separate(wrapper, name, output / name)
        seconds = time.monotonic() - began
        print(f"{done}/{len(names)} {one_line(name)}: {seconds:.1f} s", flush=True)
    unscored = [name for name in names if name not in scored]
    if unscored:
        print(f"not scored, for want of references: {name_some(unscored)}")
    if scored:
        scores = score_folder(data, output, names=scored)
        baselines = baselines_of(data, scored)
        print_scores(scores, baselines)
        write_scores(output / "scores.json", scores, baselines)
    print(f"stems: {one_line(str(output))}")


def _load_wrapper(data: Path, output: Path) -> "AIcrowdWrapper":
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemixError(
            f"{output} cannot be made ({error.strerror}): give another --output"
        ) from error
    # The wrapper takes them before its arguments, but here they are the arguments' defaults.
    for variable in ("AICROWD_DATASET_DIR", "AICROWD_PUBLIC_SHARED_DIR"):
        os.environ.pop(variable, None)
    # Late: torch takes seconds to import, which a wrong folder should not wait for.
    from my_submission.aicrowd_wrapper import AIcrowdWrapper

    return AIcrowdWrapper(dataset_dir=str(data), predictions_dir=str(output))


def _separate(wrapper: "AIcrowdWrapper", name: str, folder: Path) -> None:
    """Separate one song; in any way out but success its folder holds no stems, old ones neither."""
    try:
        is_done = False
        try:
            is_done = wrapper.separate_music_file(name)
        finally:
            if not is_done:
                for stem in STEMS:
                    # Where `folder` is a file, there is nothing to remove.
                    with contextlib.suppress(NotADirectoryError):
                        (folder / f"{stem}.wav").unlink(missing_ok=True)
    except DemixError as error:
        raise DemixError(f"song {name}: {error}") from error
    except (OSError, UnicodeError, soundfile.LibsndfileError) as error:
        raise DemixError(
            f"song {name} cannot be read, or its stems not be written in {folder}: {error}"
        ) from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; an error ends the process by one line and exit status 1.

    Args:
        arguments: of the command line; by default the process's.
    """
    with one_line_errors():
        data = os.environ.get("AICROWD_DATASET_DIR") or "data/test"
        shared = os.environ.get("AICROWD_PUBLIC_SHARED_DIR")
        output = Path(shared) / "predictions" if shared else Path("evaluator_outputs")
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument(
            "data",
            metavar="DATA",
            nargs="?",
            type=Path,
            default=Path(data),
            help="folder with SONG/mixture.wav and, for scores, SONG/STEM.wav"
            " (AICROWD_DATASET_DIR, else data/test)",
        )
        parser.add_argument(
            "--output",
            metavar="DIR",
            type=Path,
            default=output,
            help="folder for SONG/STEM.wav, made where missing"
            " (predictions in AICROWD_PUBLIC_SHARED_DIR, else evaluator_outputs)",
        )
        options = parser.parse_args(arguments)
        try:
            evaluate(options.data, options.output)
        except EvaluatorError as error:
            raise DemixError(str(error)) from error


if __name__ == "__main__":
    main()
