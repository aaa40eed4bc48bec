"""The course of `HDemucs` and `HTDemucs` through their layers and back to sound, in little memory.

The package's own ``forward`` makes five copies of all sources' spectrograms on the way from the
last layer to sound, 45 MB each for a segment of `htdemucs` and 250 MB for one of `hdemucs_mmi`, and
as many passes over them. Here one channel at a time is scaled, put into frames, transformed, and
added where it belongs; and what is not needed any more is let go.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from torch import Tensor, nn
from torch.nn import functional

from my_submission.networks.cores import workers
from my_submission.networks.demucs_frames import add_frames, frames_of, frames_of_magnitudes
from my_submission.networks.demucs_frequency import FrequencyDecoder, FrequencyEncoder
from my_submission.networks.demucs_time import TimeDecoder, TimeEncoder

First = TypeVar("First")
Second = TypeVar("Second")

EPS = 1e-5
"""Added to the deviation that inputs are divided by."""

HANN_SQUARES = 1.5
"""What the squares of Hann windows add up to, a quarter of their length apart."""


def runs_faster(network: nn.Module) -> bool:
    """Tell whether `separate` computes what a network does whose layers have been replaced."""
    if not isinstance(network, HDemucs | HTDemucs) or not (
        # Without iterations, the Wiener filter gives magnitudes the phase of the mixture.
        (network.cac or network.wiener_iters == 0)
        and isinstance(network.encoder[0], FrequencyEncoder)
    ):
        return False
    if isinstance(network, HDemucs):
        return bool(network.hybrid and network.tencoder[-1].empty)
    return (
        all(isinstance(layer, FrequencyEncoder) for layer in network.encoder)
        and all(isinstance(layer, FrequencyDecoder) for layer in network.decoder)
        and all(isinstance(layer, TimeEncoder) for layer in network.tencoder)
        and all(isinstance(layer, TimeDecoder) for layer in network.tdecoder)
        and len(network.encoder) == len(network.tencoder)
    )


def separate(network: Any, mixture: Tensor) -> Tensor:
    """Compute what the ``forward`` of a network does, for a batch of one, on a CPU.

    Args:
        network: For which `runs_faster` holds.
        mixture: ``[1, 2, n]``.

    Returns:
        ``[1, sources, 2, n]``.
    """
    length = mixture.shape[-1]
    if isinstance(network, HTDemucs) and network.use_train_segment:
        most = int(network.segment * network.samplerate)
        mixture = functional.pad(mixture, (0, max(0, most - length)))
    spectrum = network._spec(mixture)
    x = network._magnitude(spectrum)
    phases = None if network.cac else phases_of(spectrum[0], x[0])
    del spectrum
    mean, std = x.mean(), x.std()
    x = x.sub_(mean).div_(EPS + std)
    time_mean, time_std = mixture.mean(), mixture.std()
    xt = (mixture - time_mean) / (EPS + time_std)

    inputs = [x, xt]
    del x, xt
    course = through_merged if isinstance(network, HDemucs) else through_transformer
    x, xt = course(network, inputs)

    sounds = (xt * time_std).add_(time_mean)[0]
    # Some networks were trained with too little padding: their sound begins with a frame.
    first = 0 if getattr(network, "hybrid_old", False) else -(network.hop_length // 2 * 3)
    add_sound(sounds, x[0], phases, float(std), float(mean), network.hop_length, first)
    return sounds.view(1, len(network.sources), -1, sounds.shape[-1])[..., :length]


def through_transformer(network: Any, inputs: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Take spectrogram and sound through the layers of `HTDemucs`, and use them up."""
    xt, x = inputs.pop(), inputs.pop()
    length = xt.shape[-1]
    embedding = frequency_embedding(network)
    skips, time_skips = both(
        lambda: encoded(network.encoder, x, None, embedding),
        lambda: encoded(network.tencoder, xt),
    )
    lengths = [length, *(skip.shape[-1] for skip in time_skips[:-1])]
    x, xt = skips[-1], time_skips[-1]
    if network.crosstransformer:
        x, xt = transformed(network, x, xt)
    return both(
        lambda: decoded(network.decoder, x, skips, [x.shape[-1]] * len(skips)),
        lambda: decoded(network.tdecoder, xt, time_skips, lengths),
    )


def through_merged(network: Any, inputs: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Take spectrogram and sound through the layers of `HDemucs`, and use them up.

    The branches meet where the spectrogram has one frequency left, and go on as one. The way back
    begins with nothing but skips.
    """
    xt, x = inputs.pop(), inputs.pop()
    apart = len(network.tencoder) - 1
    lengths = [xt.shape[-1]]
    embedding = frequency_embedding(network)
    skips, time_skips = both(
        lambda: encoded(network.encoder[:apart], x, None, embedding),
        lambda: encoded(network.tencoder, xt),
    )
    x, xt = skips[-1], time_skips.pop()
    lengths += [skip.shape[-1] for skip in time_skips]
    skips += encoded(network.encoder[apart:], x, xt)
    common_lengths = [skip.shape[-1] for skip in skips[apart - 1 : -1]]

    x = torch.zeros_like(skips[-1])
    for layer in network.decoder[:-apart]:
        x, common = layer(x, skips.pop(), common_lengths.pop())
    xt, _ = network.tdecoder[0](common[:, :, 0], None, lengths.pop())
    # One after the other: both at once would hold half as much again.
    xt = decoded(network.tdecoder[1:], xt, time_skips, lengths)
    return decoded(network.decoder[-apart:], x, skips, [x.shape[-1]] * apart), xt


def frequency_embedding(network: Any) -> Tensor | None:
    """Give what is added to the first layer's output, ``[frequency, channels]``."""
    if network.freq_emb is None:
        return None
    embedding: Tensor = network.freq_emb.weight * network.freq_emb_scale
    return embedding


def encoded(layers: Iterable[Any], x: Tensor, *of_first: Any) -> list[Tensor]:
    """Give what each layer gives; the first one gets arguments of its own."""
    outputs = []
    for layer in layers:
        x = layer(x, *of_first)
        outputs.append(x)
        of_first = ()
    return outputs


def decoded(
    layers: Iterable[Any], x: Tensor, skips: list[Tensor], lengths: Sequence[int]
) -> Tensor:
    """Give what the last layer gives, and use up the skips."""
    for layer, length in zip(layers, reversed(lengths), strict=True):
        x, _ = layer(x, skips.pop(), length)
    return x


def both(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """Do both at once, where torch may use more than one thread.

    A segment may be alone at a song's end, or where there are many cores. Of its hundreds of small
    operations each would have to wait for both threads.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        return first(), second()

    def in_thread(work: Callable[[], Any]) -> Any:
        with torch.inference_mode():  # holds for a thread
            return work()

    done, done_too = workers(2, threads // 2).map(in_thread, (first, second))
    return done, done_too


def transformed(network: Any, x: Tensor, xt: Tensor) -> tuple[Tensor, Tensor]:
    """Let the two branches attend to each other."""
    frequencies = x.shape[2]
    if network.bottom_channels:
        x = network.channel_upsampler(x.flatten(2)).unflatten(2, (frequencies, -1))
        xt = network.channel_upsampler_t(xt)
    x, xt = network.crosstransformer(x, xt)
    if network.bottom_channels:
        x = network.channel_downsampler(x.flatten(2)).unflatten(2, (frequencies, -1))
        xt = network.channel_downsampler_t(xt)
    return x, xt


def phases_of(spectrum: Tensor, magnitude: Tensor) -> Tensor:
    """Divide a complex spectrum ``[channels, bins, frames]`` by its magnitude, in place.

    Returns:
        ``[channels, frames, bins, 2]``; the phase of nothing is zero, as the package has it.
    """
    parts = torch.view_as_real(spectrum)
    parts.div_(magnitude.clamp_min(torch.finfo(magnitude.dtype).tiny)[..., None])
    parts[..., 0] += magnitude == 0
    return parts.transpose(1, 2)


def add_sound(
    sounds: Tensor,
    spectrograms: Tensor,
    phases: Tensor | None,
    std: float,
    mean: float,
    hop: int,
    first: int,
) -> None:
    """Add the inverse STFT of scaled spectrograms to sounds, as the package's `_ispec`.

    Args:
        sounds: ``[channels, n]``, with contiguous samples.
        spectrograms: Of `2 * hop` bins; the highest frequency is left out, and zero. Without phases
            ``[2 * channels, bins, frames]``, real and imaginary parts in turn, with them
            magnitudes ``[channels, bins, frames]``.
        phases: Of the mixture, ``[channels of a source, frames, bins, 2]``, complex numbers of
            length 1.
        std: What the spectrograms are multiplied by,
        mean: and what is added to them then.
        hop: Samples between frames, a quarter of their length.
        first: Where the first frame begins in the sounds.
    """
    rows = spectrograms.transpose(0, 1)
    num_bins, _, num_frames = rows.shape
    hann = torch.hann_window(4 * hop)
    window = hann / HANN_SQUARES
    spectra = torch.zeros(num_frames, num_bins + 1, 2)
    for channel, sound in enumerate(sounds):
        if phases is None:
            frames_of(rows.numpy(), 2 * channel, std, mean, spectra.numpy())
        else:
            phase = phases[channel % len(phases)].numpy()
            frames_of_magnitudes(rows.numpy(), channel, std, mean, phase, spectra.numpy())
        frames = torch.fft.irfft(torch.view_as_complex(spectra), norm="ortho")
        if first == 0:
            # No frame begins before the sound, so that fewer windows add up over the first hop.
            frames[0, :hop] *= HANN_SQUARES / (HANN_SQUARES - hann[3 * hop :].square())
        add_frames(frames.numpy(), window.numpy(), hop, first, sound.numpy())
