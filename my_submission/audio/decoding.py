"""Opens anything that libsndfile or ffmpeg can read as a stream of float32 frames."""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, cast

import soundfile

from my_submission.audio.channels import Layout, layout_of
from my_submission.audio.closing import close_sound_file
from my_submission.audio.ffmpeg import open_with_ffmpeg
from my_submission.audio.headers import WavHeader, check_header
from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.display import shown
from my_submission.errors import DemixError
from my_submission.stems import Audio

# What libsndfile gives as the length of a FLAC stream whose header has none.
_UNKNOWN_FRAMES = 1 << 62

# Containers and codings in which libsndfile finds a sample by position, exactly and fast.
_SEEKABLE_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC"})
_SEEKABLE_SUBTYPES = frozenset(
    {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"}
)


class _StraightFile(soundfile.SoundFile):  # type: ignore[misc]  # has no types
    """A file to be read from its beginning to its end.

    After each read, soundfile seeks the place where libsndfile already is, if it may; of an MP3
    the next 3,500 samples are wrong then, because frames lean on the ones before them.
    """

    def seekable(self) -> bool:
        """Say no, so that only whoever calls `seek` does seek."""
        return False


class Source(Protocol):
    """A song being decoded, once, from its beginning to its end."""

    @property
    def rate(self) -> int:
        """Hz."""
        ...

    @property
    def layout(self) -> Layout:
        """What each channel is."""
        ...

    @property
    def complaint(self) -> str | None:
        """What the decoder had to put up with; known when all blocks are read."""
        ...

    def blocks(self) -> Iterator[Audio]:
        """Give consecutive frames ``[n, channels]``.

        Raises:
            DemixError: the file turns out to be damaged or truncated.
        """
        ...


class SoundFileSource:
    """A song that libsndfile decodes.

    Args:
        name: the file's name, for messages.
        sound_file: open for reading.
        layout: what each channel is.
    """

    complaint: str | None = None

    def __init__(self, name: str, sound_file: soundfile.SoundFile, layout: Layout) -> None:
        self._name = name
        self.sound_file = sound_file
        self.layout = layout

    @property
    def rate(self) -> int:
        """Hz."""
        return int(self.sound_file.samplerate)

    @property
    def seekable(self) -> bool:
        """Whether any sample can be read by its position, exactly and without decoding others."""
        return (
            self.sound_file.format in _SEEKABLE_FORMATS
            and self.sound_file.subtype in _SEEKABLE_SUBTYPES
        )

    def read(self, num_frames: int, start: int | None = None) -> Audio:
        """Give the next frames ``[n, channels]``, or those from ``start`` on; fewer at the end.

        Raises:
            DemixError: the file is damaged here.
        """
        try:
            if start is not None:
                self.sound_file.seek(start)
            frames = self.sound_file.read(num_frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise DemixError(
                f"{self._name}: damaged or truncated ({shown(error.error_string)}); "
                "copy or export it again"
            ) from error
        return cast(Audio, frames)

    def blocks(self) -> Iterator[Audio]:
        """Give consecutive frames ``[n, channels]``.

        Raises:
            DemixError: the file is damaged, or holds fewer frames than its header says.
        """
        count = 0
        while len(frames := self.read(BLOCK_FRAMES)):
            count += len(frames)
            yield frames
        if count < self.sound_file.frames:
            raise DemixError(
                f"{self._name}: truncated: its header promises {self.sound_file.frames} frames "
                f"and {count} could be decoded; copy or export it again"
            )


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a song for decoding; libsndfile where it reads the format in full, else ffmpeg.

    Args:
        path: the song.

    Raises:
        DemixError: missing, not a file, empty, truncated, not audio, more channels than can be
            mixed down, or a format for which ffmpeg is needed and missing.
    """
    name = shown(path)
    with ExitStack() as stack:
        file = stack.enter_context(_open_file(name, path))
        try:
            header = check_header(name, file)
            sound_file = _open_with_libsndfile(file, header)
        except OSError as error:
            raise _unreadable(name, error) from error
        if sound_file is None:
            yield stack.enter_context(open_with_ffmpeg(name, path))
            return
        stack.callback(close_sound_file, sound_file)
        layout = layout_of(
            name,
            sound_file.channels,
            mask=header.channel_mask if header else 0,
            ogg=sound_file.format == "OGG",
        )
        yield SoundFileSource(name, sound_file, layout)


def _open_file(name: str, path: Path) -> io.FileIO:
    try:
        if path.exists() and not path.is_file():
            raise DemixError(f"{name}: is not a file; give an audio file")
        num_bytes = path.stat().st_size
        # Unbuffered, so that the position is the same for Python and libsndfile.
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        raise DemixError(f"{name}: no such file; check the path") from None
    except OSError as error:
        raise _unreadable(name, error) from error
    if num_bytes == 0:
        file.close()
        raise DemixError(f"{name}: the file is empty (0 bytes); copy or export it again")
    return file


def _unreadable(name: str, error: OSError) -> DemixError:
    return DemixError(f"{name}: cannot be read ({error.strerror}); check the path and its disk")


def _open_with_libsndfile(file: io.FileIO, header: WavHeader | None) -> soundfile.SoundFile | None:
    """Open a file if libsndfile can read it, and all of it."""
    # Asked first, because from here on the descriptor's position is libsndfile's.
    has_mp3_length = _has_mp3_length(file)
    try:
        # By descriptor, so that only the content decides: by name, libsndfile takes any .vox or
        # .gsm file for headerless sound, and soundfile any .raw file.
        sound_file = _StraightFile(file.fileno(), closefd=False)
    except soundfile.LibsndfileError:
        return None
    in_full = sound_file.frames < _UNKNOWN_FRAMES
    if sound_file.format == "MP3":
        # Without the length, libsndfile guesses it from the first frames' bit rate and stops
        # there, in the middle of the song.
        in_full = has_mp3_length
    if header is not None and header.data_bytes is None and sound_file.frames == 0:
        in_full = False
    if in_full:
        return sound_file
    close_sound_file(sound_file)
    return None


def _has_mp3_length(file: io.FileIO) -> bool:
    """Tell whether the first MPEG frame behind the ID3v2 tags is a Xing or Info header."""
    position = 0
    while True:
        file.seek(position)
        start = file.read(4096)
        if not (start.startswith(b"ID3") and len(start) >= 10):
            file.seek(0)
            return b"Xing" in start or b"Info" in start
        # ID3v2.4, section 3.1: four bytes of seven bits; 10 bytes of header, and of footer.
        size = sum((byte & 0x7F) << 7 * (3 - place) for place, byte in enumerate(start[6:10]))
        position += 10 + size + (10 if start[5] & 0x10 else 0)
