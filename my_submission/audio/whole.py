"""Whether a sound file that an earlier run wrote is there, and all of it."""

from pathlib import Path

import soundfile

from my_submission.audio.closing import close_sound_file
from my_submission.audio.headers import check_header
from my_submission.display import shown
from my_submission.errors import DemixError


def length_if_whole(path: Path) -> tuple[int, int] | None:
    """Give the length of a sound file, if it can be read to its end.

    Only the header and the last frames are read, so that many files take no time.

    Args:
        path: a file in a format of libsndfile's.

    Returns:
        its frames and its sample rate in Hz; None where it is missing, cut or no sound.
    """
    try:
        with path.open("rb", buffering=0) as file:
            check_header(shown(path), file)
            file.seek(0)
            sound_file = soundfile.SoundFile(file.fileno(), closefd=False)
            try:
                num_frames = int(sound_file.frames)
                sound_file.seek(max(num_frames - 1, 0))
                is_whole = len(sound_file.read(2)) == min(num_frames, 1)
                return (num_frames, int(sound_file.samplerate)) if is_whole else None
            finally:
                close_sound_file(sound_file)
    except (OSError, DemixError, soundfile.LibsndfileError):
        return None
