"""Sound fonts played by libfluidsynth (LGPL), in float, the same whatever was played before."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, Audio
from training.synthesis.notes import Move, Note

LIBRARY, PACKAGE = "libfluidsynth.so.3", "libfluidsynth3"
DRUM_BANK = 128
FINE_TUNE = 52  # generator number of the fine tuning in cents, SoundFont 2.04, section 8.1.2
POLYPHONY = 128
NOTE_OFF, MOVE, NOTE_ON = 0, 1, 2  # in the order in which they are sent at the same sample

_POINTER = ctypes.c_void_p
_INT = ctypes.c_int


def render(
    font: Path,
    bank: int,
    program: int,
    notes: Sequence[Note],
    num_samples: int,
    *,
    tuning: float = 0.0,
    moves: Sequence[Move] = (),
) -> Audio:
    """Play notes on one program of a sound font, without fluidsynth's reverb and chorus.

    Each call has a synthesizer of its own. A used one gives slightly other samples, even after a
    reset and once it is silent, and loading only the samples of one program costs little.

    Args:
        font: Sound font file.
        bank: MIDI bank, 128 for drum kits.
        program: MIDI program; the bank's program 0 stands in where the font has not got it.
        notes: What to play; pitches are rounded to whole keys.
        num_samples: Length of the result.
        tuning: Shift of all pitches in semitones.
        moves: Controller moves.

    Returns:
        float32 `[2, num_samples]`.

    Raises:
        DemixError: The library is not installed, or the font cannot be loaded.
    """
    library = _library()
    channel = 9 if bank == DRUM_BANK else 0
    audio = np.zeros((2, num_samples), np.float32)
    with _synthesizer(library) as synth:
        number = library.fluid_synth_sfload(synth, str(font).encode(), 0)
        if number < 0:
            raise DemixError(f"{font}: not a sound font: reinstall its Debian package")
        select = library.fluid_synth_program_select
        if select(synth, channel, number, bank, program) != 0:
            select(synth, channel, number, bank, 0)
        library.fluid_synth_set_gen(synth, channel, FINE_TUNE, 100 * tuning)

        def write(start: int, stop: int) -> None:
            left, right = (_POINTER(audio[side].ctypes.data) for side in (0, 1))
            if stop > start:
                library.fluid_synth_write_float(
                    synth, stop - start, left, start, 1, right, start, 1
                )

        position = 0
        for sample, kind, first, second in _events(notes, moves):
            sample = min(max(sample, 0), num_samples)
            write(position, sample)
            position = sample
            if kind == NOTE_ON:
                library.fluid_synth_noteon(synth, channel, first, second)
            elif kind == MOVE:
                library.fluid_synth_cc(synth, channel, first, second)
            else:
                library.fluid_synth_noteoff(synth, channel, first)
        write(position, num_samples)
    return audio


@contextmanager
def _synthesizer(library: ctypes.CDLL) -> Iterator[ctypes.c_void_p]:
    settings = _POINTER(library.new_fluid_settings())
    for name, number in ((b"synth.sample-rate", float(SAMPLE_RATE)), (b"synth.gain", 0.5)):
        library.fluid_settings_setnum(settings, name, number)
    for name, value in (
        (b"synth.reverb.active", 0),
        (b"synth.chorus.active", 0),
        (b"synth.polyphony", POLYPHONY),
        (b"synth.dynamic-sample-loading", 1),
    ):
        library.fluid_settings_setint(settings, name, value)
    synth = _POINTER(library.new_fluid_synth(settings))
    try:
        yield synth
    finally:
        library.delete_fluid_synth(synth)
        library.delete_fluid_settings(settings)


def _events(notes: Sequence[Note], moves: Sequence[Move]) -> list[tuple[int, int, int, int]]:
    """Sort events by sample; at the same sample, notes end before others begin."""
    events = [(int(move.time * SAMPLE_RATE), MOVE, move.controller, move.value) for move in moves]
    for note in notes:
        key = min(max(round(note.pitch), 0), 127)
        velocity = min(max(round(note.velocity), 1), 127)
        events.append((int(note.start * SAMPLE_RATE), NOTE_ON, key, velocity))
        events.append((int((note.start + note.duration) * SAMPLE_RATE), NOTE_OFF, key, 0))
    return sorted(events)


def installed() -> bool:
    """Say whether libfluidsynth can be loaded."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise DemixError(f"{LIBRARY} cannot be loaded: apt-get install {PACKAGE}") from error
    library.new_fluid_settings.restype = _POINTER
    library.new_fluid_synth.restype = _POINTER
    signatures: dict[str, list[type]] = {
        "new_fluid_synth": [_POINTER],
        "fluid_settings_setnum": [_POINTER, ctypes.c_char_p, ctypes.c_double],
        "fluid_settings_setint": [_POINTER, ctypes.c_char_p, _INT],
        "fluid_synth_sfload": [_POINTER, ctypes.c_char_p, _INT],
        "fluid_synth_program_select": [_POINTER] + [_INT] * 4,
        "fluid_synth_noteon": [_POINTER] + [_INT] * 3,
        "fluid_synth_noteoff": [_POINTER] + [_INT] * 2,
        "fluid_synth_cc": [_POINTER] + [_INT] * 3,
        "fluid_synth_set_gen": [_POINTER, _INT, _INT, ctypes.c_float],
        "delete_fluid_synth": [_POINTER],
        "delete_fluid_settings": [_POINTER],
        "fluid_synth_write_float": [_POINTER, _INT, _POINTER, _INT, _INT, _POINTER, _INT, _INT],
        "fluid_set_log_function": [_INT, _POINTER, _POINTER],
    }
    for name, types in signatures.items():
        getattr(library, name).argtypes = types
    for level in range(5):  # its warnings about missing presets are expected and answered
        library.fluid_set_log_function(level, None, None)
    return library
