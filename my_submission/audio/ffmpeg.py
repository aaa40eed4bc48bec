"""Decodes what libsndfile cannot read, by an ffmpeg process."""

import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from my_submission.audio.channels import layout_of
from my_submission.audio.headers import BrokenHeaderError, read_wav_header
from my_submission.audio.scratch import BLOCK_FRAMES, open_scratch_file
from my_submission.display import shown
from my_submission.errors import DemixError
from my_submission.stems import Audio

# Formats by their first bytes, for the line that asks for ffmpeg.
_MAGIC = (
    (4, b"ftyp", "MP4/M4A (AAC or ALAC)"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska/WebM"),
    (0, b"\x30\x26\xb2\x75", "WMA"),
    (0, b"wvpk", "WavPack"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"\xff\xf1", "AAC"),
    (0, b"\xff\xf9", "AAC"),
    (0, b"\x0b\x77", "AC-3"),
    (0, b"ID3", "MP3 without a length"),
    (0, b"\xff\xfb", "MP3 without a length"),
    (0, b"fLaC", "FLAC without a length"),
    (0, b"RIFF", "WAV in an unusual coding or without a length"),
)


class FfmpegSource:
    """A song that an ffmpeg process decodes into a pipe, as float32 WAV.

    Args:
        name: the file's name, for messages.
        process: ffmpeg, with its output piped.
        log: what it writes to standard error.
    """

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", log: BinaryIO) -> None:
        self.complaint: str | None = None
        self._name = name
        self._process = process
        self._log = log
        self._pipe = cast(io.BufferedReader, process.stdout)
        try:
            header = read_wav_header(self._pipe)
        except BrokenHeaderError:
            header = None
        if header is None:
            self._pipe.close()
            self._process.wait()
            raise self._failure()
        self.rate = header.rate
        self._channels = header.channels
        self.layout = layout_of(name, header.channels, mask=header.channel_mask)

    def blocks(self) -> Iterator[Audio]:
        """Give consecutive frames ``[n, channels]``.

        Raises:
            DemixError: ffmpeg failed, or found the file to be cut.
        """
        frame_bytes = 4 * self._channels
        while data := self._pipe.read(BLOCK_FRAMES * frame_bytes):
            whole = len(data) // frame_bytes * frame_bytes
            samples = np.frombuffer(data[:whole], "<f4").astype(np.float32, copy=False)
            yield samples.reshape(-1, self._channels)
        if self._process.wait() != 0:
            raise self._failure()
        complaints = self._complaints()
        if any(re.search(r"partial file|ended prematurely", line) for line in complaints):
            raise DemixError(
                f"{self._name}: truncated: ffmpeg came to its end too early; "
                "copy or export it again"
            )
        if complaints:
            self.complaint = f"ffmpeg: {complaints[0]}"

    def _complaints(self) -> list[str]:
        self._log.seek(0)
        text = self._log.read(1 << 16).decode("utf-8", "replace")
        return [shown(line.strip()) for line in text.splitlines() if line.strip()]

    def _failure(self) -> DemixError:
        complaints = self._complaints()
        reason = complaints[-1] if complaints else f"exit status {self._process.returncode}"
        reason = reason.removeprefix(f"file:{self._name}: ")
        if any("matches no streams" in line for line in complaints):
            reason = "there is no audio stream in it"
        return DemixError(
            f"{self._name}: neither libsndfile nor ffmpeg can read it as sound ({reason}); "
            "give an audio file"
        )


@contextmanager
def open_with_ffmpeg(name: str, path: Path) -> Iterator[FfmpegSource]:
    """Start ffmpeg on a file; the process is gone when this ends, however it ends.

    Args:
        name: the file's name, for messages.
        path: the file.

    Raises:
        DemixError: ffmpeg is not installed, finds no sound in the file or more channels than can
            be mixed down.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise DemixError(
            f"{name}: {_format_name(path)} needs ffmpeg, which is not installed; "
            "install ffmpeg or give a WAV or FLAC file"
        )
    command = [program, "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"]
    # `file:` keeps a colon or a leading dash in the name from meaning something else, the
    # whitelist keeps a playlist from reaching the network.
    command += ["-i", f"file:{path}", "-map", "0:a:0", "-c:a", "pcm_f32le"]
    command += ["-fflags", "+bitexact", "-f", "wav", "pipe:1"]
    with open_scratch_file() as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
        )
        try:
            yield FfmpegSource(name, process, log)
        finally:
            process.kill()
            process.wait()
            cast(io.BufferedReader, process.stdout).close()


def _format_name(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(16)
    for offset, magic, format_name in _MAGIC:
        if start[offset:].startswith(magic):
            return format_name
    return f"this format ({shown(path.suffix) or 'no suffix'}; if it is audio at all)"
