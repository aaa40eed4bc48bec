"""Encodes one stem into one file."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import soundfile

from my_submission.audio.atomic import file_error
from my_submission.audio.closing import close_sound_file
from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.display import shown
from my_submission.errors import DemixError
from my_submission.stems import Audio

Container = Literal["wav", "flac", "mp3"]
Subtype = Literal["int16", "int24", "float32"]
ClipMode = Literal["rescale", "clamp", "none"]
Integers = npt.NDArray[np.int16] | npt.NDArray[np.int32]

_SUBTYPES = {"int16": "PCM_16", "int24": "PCM_24", "float32": "FLOAT"}
_BYTES = {"int16": 2, "int24": 3, "float32": 4}

# The rates of MPEG-1, 2 and 2.5 layer III.
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
# RFC 9639, section 9.1.2.
_MAX_FLAC_RATE = 655_350
# A RIFF header counts bytes in 32 bits; a page is left for the header itself.
_MAX_RIFF_DATA_BYTES = (1 << 32) - 4096


@dataclass(frozen=True)
class OutputFormat:
    """How stems are written.

    Args:
        container: kind of file.
        subtype: kind of sample; MP3, which has none, takes any.
        clip_mode: what happens to sound beyond full scale in files that end there (integers,
            and MP3, which players decode to integers): one gain for all stems, clamping
            sample by sample, or an error. Float samples are never touched.

    Raises:
        DemixError: FLAC has no float samples.
    """

    container: Container = "wav"
    subtype: Subtype = "int16"
    clip_mode: ClipMode = "rescale"

    def __post_init__(self) -> None:
        if self.container == "flac" and self.subtype == "float32":
            raise DemixError("FLAC cannot hold float32 samples; use int24, or WAV for float32")

    @property
    def suffix(self) -> str:
        """The file name's suffix, dot included."""
        return f".{self.container}"

    @property
    def is_bounded(self) -> bool:
        """Whether sound beyond full scale would clip."""
        return self.container == "mp3" or self.subtype != "float32"

    def check_rate(self, sample_rate: int) -> None:
        """Refuse a sample rate that the container cannot hold.

        Raises:
            DemixError: see above; ``sample_rate`` is in Hz.
        """
        if self.container == "mp3" and sample_rate not in _MP3_RATES:
            raise DemixError(
                f"MP3 cannot hold {sample_rate} Hz (only {', '.join(map(str, _MP3_RATES))}); "
                "use WAV or FLAC, or 44100 Hz"
            )
        if self.container == "flac" and sample_rate > _MAX_FLAC_RATE:
            raise DemixError(
                f"FLAC cannot hold {sample_rate} Hz (at most {_MAX_FLAC_RATE}); "
                "use WAV, or 44100 Hz"
            )


def quantised(block: Audio, bits: Literal[16, 24]) -> Integers:
    """Round sound to integers; what is beyond full scale is clamped.

    One step is ``2 ** (1 - bits)``, as libsndfile reads integers, so that sound from a file of
    these integers goes back unchanged; 1.0 itself becomes the highest integer, one step below.

    Args:
        block: sound, full scale at 1.
        bits: of the integer.

    Returns:
        int16, or for 24 bits int32 with the lowest 8 bits zero; shaped like ``block``.
    """
    scale = np.float32(1 << (bits - 1))
    steps = np.clip(np.rint(block * scale), -scale, scale - 1)
    integers: Integers = steps.astype(np.int16) if bits == 16 else steps.astype(np.int32) << 8
    return integers


def soundfile_format(fmt: OutputFormat, num_samples: int) -> str:
    """Name libsndfile's format: RF64 instead of WAV for sound that a RIFF header cannot count.

    Args:
        fmt: the format.
        num_samples: frames that will be written.
    """
    num_bytes = num_samples * 2 * _BYTES[fmt.subtype]
    if fmt.container == "wav" and num_bytes > _MAX_RIFF_DATA_BYTES:
        return "RF64"
    return fmt.container.upper()


class _LeftToTheSystem(soundfile.SoundFile):  # type: ignore[misc]  # has no types
    """A file that is on the disk when the system has written it there, and not before `close` ends.

    soundfile would wait for the disk, with four files of a song one after the other.
    """

    def flush(self) -> None:
        """Do nothing: what libsndfile holds, it writes as it closes."""


class Encoder:
    """Writes consecutive blocks of stereo sound into one file.

    Args:
        temporary: the file to write, which is there already.
        destination: what it will be called, for messages.
        fmt: the format.
        sample_rate: Hz.
        num_samples: frames that will be written.

    Attributes:
        position: frames that have been written.

    Raises:
        DemixError: the file cannot be written.
    """

    def __init__(
        self,
        temporary: Path,
        destination: Path,
        fmt: OutputFormat,
        *,
        sample_rate: int,
        num_samples: int,
    ) -> None:
        self._temporary = temporary
        self._destination = destination
        self._fmt = fmt
        self._num_samples = num_samples
        self.position = 0
        is_mp3 = fmt.container == "mp3"
        try:
            self._sound_file = _LeftToTheSystem(
                # By descriptor, because soundfile cannot encode every name that the system has.
                os.open(temporary, os.O_RDWR),
                "w",
                samplerate=sample_rate,
                channels=2,
                format=soundfile_format(fmt, num_samples),
                subtype="MPEG_LAYER_III" if is_mp3 else _SUBTYPES[fmt.subtype],
                # 320 kbit/s, the most that MP3 has.
                bitrate_mode="CONSTANT" if is_mp3 else None,
                compression_level=0.0 if is_mp3 else None,
            )
        except OSError as error:
            raise file_error(destination, error) from error
        except soundfile.LibsndfileError as error:
            raise self._failure(error) from error

    def write(self, block: Audio) -> None:
        """Write the next samples ``[2, n]``.

        Raises:
            DemixError: the disk is full.
        """
        frames: npt.NDArray[np.float32] | Integers = np.ascontiguousarray(block.T, np.float32)
        if self._fmt.container == "mp3":
            frames = np.clip(block.T, -1, 1)
        elif self._fmt.subtype != "float32":
            frames = quantised(block.T, 16 if self._fmt.subtype == "int16" else 24)
        self._append(frames)

    def _append(self, frames: npt.NDArray[np.float32] | Integers) -> None:
        try:
            self._sound_file.write(frames)
        except soundfile.LibsndfileError as error:
            raise self._failure(error) from error
        self.position += len(frames)

    def fill(self) -> None:
        """Let silence follow up to the end.

        In a WAV file that takes no time and no space: what is skipped reads as zeros.

        Raises:
            DemixError: the disk is full.
        """
        if self._fmt.container == "wav" and self.position < self._num_samples:
            self.position = self._sound_file.seek(self._num_samples - 1)
        while self.position < self._num_samples:
            length = min(BLOCK_FRAMES, self._num_samples - self.position)
            self._append(np.zeros((length, 2), np.int16))

    def close(self) -> None:
        """Write what the encoder still holds, and see that all of it is in the file.

        Raises:
            DemixError: the disk is full.
        """
        try:
            close_sound_file(self._sound_file)
            self._forget_time()
            whole = self._is_whole()
        except OSError as error:
            raise file_error(self._destination, error) from error
        except soundfile.LibsndfileError as error:
            raise self._failure(error) from error
        if not whole:
            raise self._failure(None)

    def abandon(self) -> None:
        """Let go of the file, whatever state it is in: it is going to be removed."""
        with contextlib.suppress(soundfile.LibsndfileError):
            close_sound_file(self._sound_file)

    def _forget_time(self) -> None:
        """Make equal sound equal files: a WAV of floats has its peaks and their time of writing."""
        if self._fmt.container != "wav":
            return
        with self._temporary.open("r+b", buffering=0) as file:
            header = file.read(256)
            peaks = header.find(b"PEAK", 0, header.find(b"data"))
            if peaks >= 0:
                file.seek(peaks + 12)  # behind the chunk's name, size and version
                file.write(bytes(4))

    def _is_whole(self) -> bool:
        """Read the end back: libsndfile does not say when FLAC and MP3 fail to write theirs."""
        with self._temporary.open("rb", buffering=0) as file:
            written = soundfile.SoundFile(file.fileno(), closefd=False)
            try:
                written.seek(max(self._num_samples - 1, 0))
                num_left = len(written.read(2))
            finally:
                close_sound_file(written)
        return num_left == min(self._num_samples, 1)

    def _failure(self, error: soundfile.LibsndfileError | None) -> DemixError:
        """Find out why a write failed: libsndfile says "System error", the next write why."""
        probe = memoryview(bytes(1 << 20))
        try:
            with self._temporary.open("ab", buffering=0) as file:
                while probe:
                    probe = probe[file.write(probe) :]
        except OSError as cause:
            return file_error(self._destination, cause)
        reason = "it is not whole" if error is None else shown(error.error_string)
        return DemixError(
            f"{shown(self._destination)}: cannot be written ({reason}); "
            "choose another output folder"
        )
