"""Other pitches and tempos by Debian's program `soundstretch`, which runs as a process apart.

What it was found to do (version 2.3.2): any input length gives the length that the tempo makes of
it, to a sample, in speech mode too. It takes integers of 8 to 32 bits; float samples it takes for
integers, without a word. It clips where the sound overshoots, which loud sound does, and exits with
0 where it cannot write. So it gets integers of 32 bits with room above, and what it gives is looked
at.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import numpy as np
import soundfile

from my_submission.audio.closing import close_sound_file
from my_submission.audio.scratch import BLOCK_FRAMES, open_scratch_file, scratch_error
from my_submission.display import shown
from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, Audio, Stem
from training.data.tracks import Track
from training.data.versions import Change

PROGRAM = "soundstretch"

HEADROOM = 4.0
"""How far beyond full scale sound may go, 12 dB, before it would clip."""

LOOK_SECONDS = 0.2
"""Between two looks at whether the work is to stop."""


class StoppedError(Exception):
    """The work was to stop."""


class ChangedStem:
    """A stem in another pitch and tempo, read once from its beginning.

    Args:
        file: What the program wrote.
        num_samples: How long the stem is to be; what is missing or too much is a sample at most.
        name: Of the stem, for messages.
    """

    def __init__(self, file: soundfile.SoundFile, num_samples: int, name: str) -> None:
        self._file = file
        self._left = num_samples
        self._name = name

    def read(self, num_samples: int) -> Audio:
        """Give the next samples `[2, n]`, with zeros behind the end of what there is.

        Raises:
            DemixError: The sound has clipped.
        """
        frames = self._file.read(num_samples, dtype="float32", always_2d=True)
        # Of its int32 the highest value is 1 here, in float32.
        if np.abs(frames).max(initial=0.0) >= 1:
            raise DemixError(
                f"{self._name}: goes beyond {HEADROOM:g} times full scale; turn it down"
            )
        sound = np.zeros((2, num_samples), np.float32)
        sound[:, : len(frames)] = frames.T * np.float32(HEADROOM)
        return sound


def require_program() -> None:
    """Refuse to begin without the program.

    Raises:
        DemixError: It is not installed.
    """
    if shutil.which(PROGRAM) is None:
        raise DemixError(
            f"the program {PROGRAM} is not installed: apt install {PROGRAM}, or get it from "
            "https://www.surina.net/soundtouch/soundstretch.html"
        )


@contextmanager
def changed_stem(track: Track, stem: Stem, change: Change, stop: Event) -> Iterator[ChangedStem]:
    """Change one stem; vocals in speech mode, whose shorter windows suit a voice.

    What lies on disk meanwhile are scratch files without names: 16 bytes per frame.

    Args:
        track: The song.
        stem: Which.
        change: Its other pitch and tempo.
        stop: Set by another thread to end the work.

    Raises:
        DemixError: The stem cannot be read, the program fails, or the disk is full.
        StoppedError: `stop` was set.
    """
    name = shown(track.files[stem])
    with open_scratch_file() as given, open_scratch_file() as taken:
        _write(track, stem, given.fileno(), stop)
        # By descriptor: files that have no name are gone whatever becomes of this process.
        command = [PROGRAM, f"/dev/fd/{given.fileno()}", f"/dev/fd/{taken.fileno()}"]
        command += [f"-pitch={change.semitones}", f"-tempo={change.tempo_percent}"]
        command += ["-speech"] if stem == "vocals" else []
        complaint = _run(command, (given.fileno(), taken.fileno()), stop)
        try:
            file = soundfile.SoundFile(taken.fileno(), closefd=False)
        except soundfile.LibsndfileError:
            raise DemixError(f"{name}: {PROGRAM} gave no sound: {complaint}") from None
        try:
            expected = change.num_samples(track.num_samples)
            if abs(file.frames - expected) > 1 or not _is_whole(file):
                raise DemixError(
                    f"{name}: {PROGRAM} gave not all of {expected} samples; is there no space "
                    "left for scratch files? Set TMPDIR to a folder with more"
                )
            yield ChangedStem(file, expected, name)
        finally:
            close_sound_file(file)


def _write(track: Track, stem: Stem, descriptor: int, stop: Event) -> None:
    """Write a stem as the program takes it."""
    try:
        file = soundfile.SoundFile(
            descriptor, "w", SAMPLE_RATE, 2, "PCM_32", format="WAV", closefd=False
        )
        try:
            for start in range(0, track.num_samples, BLOCK_FRAMES):
                if stop.is_set():
                    raise StoppedError
                length = min(BLOCK_FRAMES, track.num_samples - start)
                sound = track.read(stem, start, length) / np.float32(HEADROOM)
                if np.abs(sound).max() >= 1:
                    raise DemixError(
                        f"{track.files[stem]}: goes beyond {HEADROOM:g} times full scale; turn it "
                        "down"
                    )
                file.write(sound.T)
        finally:
            close_sound_file(file)
    except soundfile.LibsndfileError as error:
        raise scratch_error(OSError(0, error.error_string)) from error


def _run(command: list[str], descriptors: tuple[int, ...], stop: Event) -> str:
    """Run the program to its end; give the last line that it says."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=descriptors,
    ) as process:
        while True:
            try:
                _, said = process.communicate(timeout=LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if stop.is_set():
                    process.kill()
                    raise StoppedError from None
            except BaseException:
                process.kill()
                raise
    if stop.is_set():
        raise StoppedError
    lines = said.decode(errors="replace").strip().splitlines()
    last = lines[-1].strip() if lines else "no reason given"
    if process.returncode:
        raise DemixError(f"{PROGRAM} failed with status {process.returncode}: {last}")
    return last


def _is_whole(file: soundfile.SoundFile) -> bool:
    """Tell whether the last frame is there, which a full disk has cut off; go back to the first."""
    file.seek(max(file.frames - 1, 0))
    is_whole = bool(len(file.read(1)) == min(file.frames, 1))
    file.seek(0)
    return is_whole
