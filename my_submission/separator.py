"""`Separator`: a system with its networks loaded, ready for songs."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from my_submission.audio import ArraySignal, Signal, open_song
from my_submission.audio.output import FLOAT_WAV, OutputFormat, StemWriter
from my_submission.audio.resampling import resampled
from my_submission.compute import BackendChoice, PrecisionChoice, resolve_compute
from my_submission.devices import unused_gpu
from my_submission.errors import DemixError
from my_submission.parts import Parts
from my_submission.stems import SAMPLE_RATE, STEMS, Audio
from my_submission.streams import named_output
from my_submission.systems import find_system
from my_submission.weights import load_manifest, refuse_foreign, system_folder

Progress = Callable[[int, int], None]
"""Called with the samples done and the samples in all."""
Say = Callable[[str], None]
"""Called with a line that the user should read."""


def silent(_line: str) -> None:
    """Say nothing."""


class Separator:
    """Separate songs with one system. All networks are loaded once, here.

    Args:
        system: A name in `my_submission.systems.SYSTEMS`, such as ``leaderboard_a``.
        models: Folder with one folder of weights per system; by default ``DEMIX_MODELS``, else the
            repository's ``models/``.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``auto`` (a GPU that works, else the CPU).
        precision: ``exact`` is the float32 reference; ``fast`` is whatever takes the least time, in
            low precision where that is fast (docs/benchmarks.md says how far from exact); ``auto``
            is ``fast`` where the device's low precision is measured to be fast, else ``exact``.
        backend: What must run the TFC-TDF networks; ``auto`` is the fastest that is installed and
            can, for each file.
        say: Gets a line for everything that the user should know: what runs which files, then
            every conversion.

    Attributes:
        name: The system's.
        compute: How its networks are run.

    Raises:
        DemixError: The system, precision or backend is unknown, weights are missing, corrupt or
            another system's, or the device or the backend is not there.
    """

    def __init__(
        self,
        system: str = "starter",
        *,
        models: Path | str | None = None,
        device: str = "auto",
        precision: PrecisionChoice = "auto",
        backend: BackendChoice = "auto",
        say: Say = silent,
    ) -> None:
        load_system = find_system(system)
        self.name = system
        self.compute = resolve_compute(device, precision, backend)
        if device == "auto" and (obstacle := unused_gpu()):
            say(f"the GPU is not used: {obstacle}")
        self._say = say
        folder = system_folder(system, None if models is None else Path(models))
        for weight in load_manifest()[system]:
            refuse_foreign(folder / weight.file, system)
        self._system = load_system(folder, self.compute)
        say(f"{system} runs on {self.device}: {self.compute.summary()}")

    @property
    def device(self) -> str:
        """What the networks run on: ``cpu`` or ``cuda:N``."""
        return self.compute.device

    def separate_file(
        self, path: Path | str, *, progress: Progress | None = None
    ) -> dict[str, Audio]:
        """Separate a song into memory.

        Args:
            path: Any format, sample rate and channel count that `open_song` reads.
            progress: Called after every block.

        Returns:
            ``{stem: [2, samples]}`` float32 at 44.1 kHz, as long as the song is at that rate.

        Raises:
            DemixError: The song cannot be read.
        """
        with open_song(Path(path), say=self._say) as song:
            return self._collect(song.signal, progress)

    def separate_array(
        self,
        mixture: npt.ArrayLike,
        sample_rate: int = SAMPLE_RATE,
        *,
        progress: Progress | None = None,
    ) -> dict[str, Audio]:
        """Separate a song that is already in memory.

        Args:
            mixture: ``[2, samples]``, full scale at 1.
            sample_rate: Hz; anything but 44100 is resampled.
            progress: Called after every block.

        Returns:
            ``{stem: [2, samples]}`` float32 at 44.1 kHz.

        Raises:
            DemixError: Shape, type or rate are not those of sound, or a sample is not finite.
        """
        samples = np.asarray(mixture)
        if not np.issubdtype(samples.dtype, np.floating):
            raise DemixError(f"mixture of type {samples.dtype}: expected floats, full scale at 1")
        samples = samples.astype(np.float32)
        if samples.ndim != 2 or samples.shape[0] != 2 or samples.shape[1] == 0:
            raise DemixError(f"mixture of shape {samples.shape}: expected [2, samples]")
        if not np.isfinite(samples).all():
            raise DemixError("mixture holds NaN or infinity: separate finite samples only")
        at_our_rate = resampled(samples, sample_rate, SAMPLE_RATE)
        return self._collect(ArraySignal(at_our_rate), progress)

    def separate_to_files(
        self,
        path: Path | str,
        paths: Mapping[str, Path],
        *,
        fmt: OutputFormat = FLOAT_WAV,
        source_rate: bool = False,
        progress: Progress | None = None,
        say: Say | None = None,
    ) -> None:
        """Separate a song from file to files, as a stream: memory does not grow with its length.

        The files appear together when the last sample is done, or not at all.

        Args:
            path: The song.
            paths: File by name of what is wanted: stems, or ``no_STEM`` for the mixture less a
                stem.
            fmt: Format of the files; by default float32 WAV.
            source_rate: Write at the song's own sample rate and length instead of 44.1 kHz.
            progress: Called after every block.
            say: Instead of the separator's own.

        Raises:
            DemixError: The song cannot be read, or a file cannot be written.
        """
        say = say or self._say
        with open_song(Path(path), say=say) as song:
            rate = song.source_rate if source_rate else SAMPLE_RATE
            length = song.source_samples if source_rate else song.signal.num_samples
            with StemWriter(
                paths, song.signal.num_samples, fmt, sample_rate=rate, out_samples=length, say=say
            ) as writer:
                for mixture, stems in self._blocks(song.signal, progress):
                    writer.write({name: named_output(name, stems, mixture) for name in paths})

    @property
    def parts(self) -> Parts:
        """The system's parts, which a time budget runs apart."""
        return self._system.parts

    def checked(self, stream: Iterator[Audio]) -> Iterator[Audio]:
        """Pass a stream of the system's estimates on, as long as every sample is a number.

        Raises:
            DemixError: One is not.
        """
        done = 0
        for block in stream:
            if not np.isfinite(block).all():
                raise DemixError(
                    f"{self.name} gave NaN or infinity at {done / SAMPLE_RATE:.1f} s: its weights "
                    "are damaged, or the song is far beyond full scale"
                )
            yield block
            done += block.shape[-1]

    def _blocks(
        self, signal: Signal, progress: Progress | None
    ) -> Iterator[tuple[Audio, dict[str, Audio]]]:
        done = 0
        for block in self.checked(self._system.separate(signal)):
            mixture = signal.read(done, done + block.shape[-1])
            yield mixture, dict(zip(STEMS, block, strict=True))
            done += block.shape[-1]
            if progress is not None:
                progress(done, signal.num_samples)

    def _collect(self, signal: Signal, progress: Progress | None) -> dict[str, Audio]:
        blocks = [stems for _, stems in self._blocks(signal, progress)]
        return {stem: np.concatenate([block[stem] for block in blocks], axis=1) for stem in STEMS}
