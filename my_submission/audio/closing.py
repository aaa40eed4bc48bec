"""Closes libsndfile's files in a way that a signal cannot break."""

import _thread
import threading

import soundfile

_one_at_a_time = threading.Lock()


def close_sound_file(sound_file: soundfile.SoundFile) -> None:
    """Close a file exactly once, even if a signal's handler raises meanwhile.

    soundfile first frees libsndfile's handle and then notes that it has. An exception between
    the two (Ctrl-C, an alarm) makes the next close free it again, which corrupts memory. Handlers
    run in the main thread only, so another thread is not interrupted.

    Args:
        sound_file: the file; closed files are left alone.

    Raises:
        LibsndfileError: what was still to be written could not be.
    """
    errors: list[soundfile.LibsndfileError] = []
    # A bare lock: an exception inside an Event's wait leaves it in a state that raises others.
    done = _thread.allocate_lock()
    done.acquire()

    def close() -> None:
        try:
            with _one_at_a_time:
                sound_file.close()
        except soundfile.LibsndfileError as error:
            errors.append(error)
        finally:
            done.release()

    # Not threading.Thread, whose start() an exception can break in its turn. If one comes here,
    # the file is closed or will be, and the caller's clean-up, closing once more, waits for it.
    _thread.start_new_thread(close, ())
    done.acquire()
    if errors:
        raise errors[0]
