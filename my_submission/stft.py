"""The short-time Fourier transform around every TFC-TDF network, and its inverse."""

import torch
from torch import Tensor
from torch.nn import functional

from my_submission.errors import DemixError

HOP_LENGTH = 1024
"""Samples between frames, the same in all published systems."""


class Stft:
    """Spectrograms as real channels, cut off at the network's highest bin, and back.

    The window is a periodic Hann of `n_fft` samples, frames are centred and the signal's ends
    reflected, and nothing is normalised. Only the lowest `dim_f` of the `n_fft // 2 + 1` bins are
    kept, so what lies above `dim_f / n_fft * 44100` Hz is lost.

    Args:
        n_fft: Samples per frame.
        dim_f: Frequency bins kept, at most `n_fft // 2 + 1`.
        hop_length: Samples between frames.

    Raises:
        DemixError: The transform has fewer than `dim_f` bins.
    """

    def __init__(self, n_fft: int, dim_f: int, hop_length: int = HOP_LENGTH) -> None:
        if not 0 < dim_f <= n_fft // 2 + 1:
            raise DemixError(
                f"dim_f={dim_f} does not fit n_fft={n_fft}: take 1 to {n_fft // 2 + 1} bins"
            )
        self.n_fft = n_fft
        self.dim_f = dim_f
        self.hop_length = hop_length
        self._windows: dict[torch.device, Tensor] = {}

    def spectrogram(self, wave: Tensor) -> Tensor:
        """Transform stereo sound.

        Args:
            wave: float32 `[batch, 2, samples]`, more than `n_fft // 2` samples.

        Returns:
            float32 `[batch, 4, dim_f, frames]` with `frames = samples // hop_length + 1`; the
            channels are left real, left imaginary, right real, right imaginary.

        Raises:
            DemixError: The shape is another, or too short to reflect at its ends.
        """
        if wave.ndim != 3 or wave.shape[1] != 2 or wave.shape[2] <= self.n_fft // 2:
            raise DemixError(
                f"sound of shape {list(wave.shape)} cannot be transformed: "
                f"give [batch, 2, samples] with more than {self.n_fft // 2} samples"
            )
        batch, channels, samples = wave.shape
        bins = torch.stft(
            wave.reshape(batch * channels, samples),
            self.n_fft,
            self.hop_length,
            window=self._window(wave.device),
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )[:, : self.dim_f]
        # [batch * 2, dim_f, frames] -> [batch, 2 channels, 2 parts, dim_f, frames]
        parts = torch.view_as_real(bins).permute(0, 3, 1, 2)
        return parts.reshape(batch, 2 * channels, self.dim_f, bins.shape[-1])

    def waveform(self, spec: Tensor, num_samples: int | None = None) -> Tensor:
        """Give the sound of a spectrogram; the bins from `dim_f` on are silent.

        Args:
            spec: float32 `[batch, 4, dim_f, frames]`.
            num_samples: Length of the result; the default is `hop_length * (frames - 1)`.

        Returns:
            float32 `[batch, 2, num_samples]`.

        Raises:
            DemixError: The shape is another.
        """
        if spec.ndim != 4 or spec.shape[1] != 4 or spec.shape[2] != self.dim_f:
            raise DemixError(
                f"spectrogram of shape {list(spec.shape)} cannot be inverted: "
                f"give [batch, 4, {self.dim_f}, frames]"
            )
        batch, _, dim_f, frames = spec.shape
        parts = spec.reshape(batch * 2, 2, dim_f, frames)
        parts = functional.pad(parts, (0, 0, 0, self.n_fft // 2 + 1 - dim_f))
        wave = torch.istft(
            torch.complex(parts[:, 0], parts[:, 1]),
            self.n_fft,
            self.hop_length,
            window=self._window(spec.device),
            center=True,
            length=num_samples,
        )
        return wave.reshape(batch, 2, wave.shape[-1])

    def _window(self, device: torch.device) -> Tensor:
        if device not in self._windows:
            self._windows[device] = torch.hann_window(self.n_fft, periodic=True, device=device)
        return self._windows[device]
