"""The short-time Fourier transform around every TFC-TDF network, and its inverse."""

import torch
from torch import Tensor

from my_submission.errors import DemixError

HOP_LENGTH = 1024
"""Samples between frames, the same in all published systems."""
TILE = 1 << 20
"""Samples of frames to work on at a time on a CPU: they stay in its caches."""


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
            num_samples: Length of the result, at most `hop_length - 1` above the default, which is
                `hop_length * (frames - 1)`.

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
        rows, hop_length = 2 * batch, self.hop_length
        window = self._window(spec.device)
        # A frame lies over this many hops. `torch.istft` adds up frames value by value; hops of
        # many frames at once take a third of the time.
        hops = -(-self.n_fft // hop_length)
        total = spec.new_zeros(rows, frames + hops - 1, hop_length)
        weight = spec.new_zeros(frames + hops - 1, hop_length)
        parts = spec.reshape(rows, 2, dim_f, frames).permute(0, 3, 2, 1)
        step = max(1, TILE // (rows * self.n_fft)) if spec.device.type == "cpu" else frames
        for start in range(0, frames, step):
            bins = torch.view_as_complex(parts[:, start : start + step].contiguous())
            pieces = torch.fft.irfft(bins, self.n_fft) * window
            _add_frames(total[:, start:], pieces)
        _add_frames(weight[None], window.square().expand(1, frames, -1))
        start, length = self.n_fft // 2, num_samples or hop_length * (frames - 1)
        inside = slice(start, start + length)
        wave = total.flatten(1)[:, inside] / weight.flatten()[inside]
        return wave.view(batch, 2, length)

    def _window(self, device: torch.device) -> Tensor:
        if device not in self._windows:
            self._windows[device] = torch.hann_window(self.n_fft, periodic=True, device=device)
        return self._windows[device]


def _add_frames(total: Tensor, frames: Tensor) -> None:
    """Add ``[rows, count, n_fft]``, each a hop after the last, to ``[rows, hops, hop_length]``."""
    count = frames.shape[1]
    for hop, piece in enumerate(torch.split(frames, total.shape[2], dim=2)):
        total[:, hop : hop + count, : piece.shape[2]] += piece
