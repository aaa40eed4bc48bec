"""Songs for the starter, made where there are none."""

import json
import sys
from math import inf
from pathlib import Path

from my_submission.errors import DemixError
from training.files import write_whole
from training.stopping import Children

UNFINISHED = ".unfinished.json"
"""In a folder in which songs are being made, until all of them are: what was asked for."""


def make_songs(folder: Path, hours: float, seed: int, jobs: int, children: Children) -> None:
    """Make songs where there is no such folder, or go on with it; one of the user's own stays.

    Args:
        folder: Holds a folder per song.
        hours: How much.
        seed: Of which songs.
        jobs: Processes that make them.
        children: Runs the generator.

    Raises:
        StoppedError: This process was asked to end.
        DemixError: A number makes no sense or is not what the folder was begun with, the generator
            has failed, which has said why, or the folder cannot be written.
    """
    note = folder / UNFINISHED
    if folder.exists() and not note.exists():
        return
    if not 0 < hours < inf:
        raise DemixError(f"--hours {hours:g}: give more than 0 hours of music")
    if seed < 0:
        raise DemixError(f"--seed {seed}: give 0 or more")
    wanted = {"hours": hours, "seed": seed}
    if not note.exists():
        write_whole(note, json.dumps(wanted).encode())  # and the folder with it
    begun = json.loads(note.read_text())
    if begun != wanted:
        raise DemixError(
            f"{folder}: was begun with --hours {begun['hours']:g} --seed {begun['seed']}; give "
            "these, or another --songs"
        )
    command = [sys.executable, "-m", "training.synthesis", str(folder)]
    command += ["--hours", str(hours), "--seed", str(seed), "-j", str(jobs), "--split", "train"]
    print("making songs:", " ".join(command), flush=True)
    if children.run(command):
        raise DemixError(f"{folder}: the songs could not be made; see above")
    note.unlink()
