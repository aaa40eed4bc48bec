"""The adapter between a system and the evaluator of the Sound Demixing Challenge 2023 (MDX23)."""

import math
from typing import ClassVar, NoReturn

import numpy as np
import numpy.typing as npt

from my_submission.audio.channels import layout_of, to_stereo
from my_submission.audio.resampling import StreamResampler, check_rate
from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, STEMS, Audio

Frames = npt.NDArray[np.float32]
"""Sound as float32 ``[samples, channels]``, full scale at 1: the challenge's way round."""

_FULL_SCALE = {np.dtype(np.int16): 1 << 15, np.dtype(np.int32): 1 << 31}
"""What soundfile gives for full scale, for each of its integer types."""


class DemixSeparationModel:
    """Separates arrays with one system. All networks are loaded here, in the set-up time.

    Raises:
        DemixError: The system is unknown, or its weights are missing or wrong.
    """

    system: ClassVar[str] = "starter"
    """One of the systems in `my_submission.systems`; subclasses name theirs."""

    def __init__(self) -> None:
        # Late: torch takes seconds to import, which whoever wants only the system's name from
        # `user_config` should not wait for.
        from my_submission.separator import Separator

        self._separator = Separator(self.system, say=print)

    @property
    def instruments(self) -> list[str]:
        """What a song is separated into, in the challenge's order."""
        return list(STEMS)

    def raise_aicrowd_error(self, msg: str) -> NoReturn:
        """Fail as the challenge wants it to be done.

        Raises:
            NameError: Always, with `msg`.
        """
        raise NameError(msg)

    def separate_music_file(
        self, mixed_sound_array: npt.ArrayLike, sample_rate: int
    ) -> tuple[dict[str, Frames], dict[str, int]]:
        """Separate one song.

        Args:
            mixed_sound_array: ``[samples]`` or ``[samples, channels]`` with 1 to 8 channels, of
                any type that `soundfile.read` gives: floats with full scale at 1, int16 or int32.
                More than two channels are taken in the order of WAV files, because an array does
                not say which is which.
            sample_rate: Hz, 4000 to 768000.

        Returns:
            ``{stem: [samples, 2]}`` float32, as many samples as the mixture, and
            ``{stem: sample_rate}``. The level is the mixture's: a stem may exceed full scale,
            which a printed line says, because the challenge's 16-bit files clip there.

        Raises:
            DemixError: There are no samples, or not finite ones; shape, type or rate are not
                those of sound; or the networks gave NaN or infinity.
        """
        check_rate("mixture", sample_rate)
        mixture = _stereo(np.asarray(mixed_sound_array))
        num_samples = mixture.shape[1]
        stems = self._separator.separate_array(mixture, sample_rate)
        frames = {
            stem: _at_rate(stems.pop(stem), sample_rate, num_samples) for stem in self.instruments
        }
        _say_what_would_clip(frames)
        return frames, dict.fromkeys(frames, sample_rate)


def _stereo(sound: npt.NDArray[np.generic]) -> Audio:
    """Give a mixture as ``[2, samples]`` float32, full scale at 1."""
    if sound.ndim not in (1, 2):
        raise DemixError(
            f"mixture of shape {sound.shape}: give [samples] or [samples, channels] of one song"
        )
    if sound.size == 0:
        raise DemixError(f"mixture of shape {sound.shape} holds no samples: export it again")
    layout = layout_of("mixture", 1 if sound.ndim == 1 else sound.shape[1])
    frames = _as_floats(sound).reshape(len(sound), len(layout))
    finite = np.isfinite(frames).all(axis=1)
    if not finite.all():
        raise DemixError(
            f"mixture holds NaN or infinity, first in frame {int(np.argmin(finite))}: "
            "repair or export it again"
        )
    return to_stereo(frames, layout).T


def _as_floats(sound: npt.NDArray[np.generic]) -> Frames:
    if np.issubdtype(sound.dtype, np.floating):
        # What float32 cannot hold becomes infinity and is refused as such.
        with np.errstate(over="ignore"):
            return sound.astype(np.float32)
    if sound.dtype in _FULL_SCALE:
        # By float64, which holds every int32: so the value is rounded once only.
        return (sound.astype(np.float64) / _FULL_SCALE[sound.dtype]).astype(np.float32)
    raise DemixError(
        f"mixture of type {sound.dtype}: give floats with full scale at 1, int16 or int32"
    )


def _at_rate(stem: Audio, sample_rate: int, num_samples: int) -> Frames:
    """Bring ``[2, n]`` at 44.1 kHz to ``[num_samples, 2]`` at `sample_rate`, as files are."""
    resampler = StreamResampler(SAMPLE_RATE, sample_rate, num_samples)
    sound = np.concatenate([resampler.push(stem), resampler.finish()], axis=1)
    return np.ascontiguousarray(sound.T)


def _say_what_would_clip(frames: dict[str, Frames]) -> None:
    peaks = {stem: float(np.max(np.abs(sound))) for stem, sound in frames.items()}
    for stem, peak in peaks.items():
        # The separation is finite, but near the end of float32 resampling may overflow.
        if not math.isfinite(peak):
            raise DemixError(f"{stem} holds NaN or infinity: the song is far beyond full scale")
    loud = [f"{stem} (peak {peak:.3f})" for stem, peak in peaks.items() if peak > 1]
    if loud:
        print(f"beyond full scale, so 16-bit files of it clip: {', '.join(loud)}")
