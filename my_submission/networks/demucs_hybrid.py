"""The course of `HTDemucs` through its layers and back to sound, in little memory.

The package's own ``forward`` makes five copies of all sources' spectrograms, 45 MB each for a
segment of `htdemucs`, on the way from the last layer to sound, and as many passes over them. Here
one channel at a time is scaled, put into frames, transformed, and added where it belongs.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch
from demucs.htdemucs import HTDemucs
from torch import Tensor, nn
from torch.nn import functional

from my_submission.networks.cores import workers
from my_submission.networks.demucs_frames import add_frames, frames_of
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
    return (
        isinstance(network, HTDemucs)
        and network.cac
        and all(isinstance(layer, FrequencyEncoder) for layer in network.encoder)
        and all(isinstance(layer, FrequencyDecoder) for layer in network.decoder)
        and all(isinstance(layer, TimeEncoder) for layer in network.tencoder)
        and all(isinstance(layer, TimeDecoder) for layer in network.tdecoder)
        and len(network.encoder) == len(network.tencoder)
    )


def separate(network: Any, mixture: Tensor) -> Tensor:
    """Compute what the ``forward`` of `HTDemucs` does, for a batch of one, on a CPU.

    Args:
        network: For which `runs_faster` holds.
        mixture: ``[1, 2, n]``.

    Returns:
        ``[1, sources, 2, n]``.
    """
    length = mixture.shape[-1]
    if network.use_train_segment:
        most = int(network.segment * network.samplerate)
        mixture = functional.pad(mixture, (0, max(0, most - length)))
    x = network._magnitude(network._spec(mixture))
    mean, std = x.mean(), x.std()
    x = x.sub_(mean).div_(EPS + std)
    time_mean, time_std = mixture.mean(), mixture.std()
    xt = (mixture - time_mean) / (EPS + time_std)

    embedding = frequency_embedding(network)
    skips, time_skips = both(
        lambda: encoded(network.encoder, x, None, embedding),
        lambda: encoded(network.tencoder, xt),
    )
    lengths = [mixture.shape[-1], *(skip.shape[-1] for skip in time_skips[:-1])]
    x, xt = skips[-1], time_skips[-1]
    if network.crosstransformer:
        x, xt = transformed(network, x, xt)
    x, xt = both(
        lambda: decoded(network.decoder, x, skips, [x.shape[-1]] * len(skips)),
        lambda: decoded(network.tdecoder, xt, time_skips, lengths),
    )

    sounds = (xt * time_std).add_(time_mean)[0]
    add_sound(sounds, x[0], float(std), float(mean), network.hop_length)
    return sounds.view(1, len(network.sources), -1, sounds.shape[-1])[..., :length]


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


def add_sound(sounds: Tensor, spectrograms: Tensor, std: float, mean: float, hop: int) -> None:
    """Add the inverse STFT of scaled spectrograms to sounds, as the package's `_ispec`.

    Args:
        sounds: ``[channels, n]``, contiguous.
        spectrograms: ``[2 * channels, 2 * hop, frames]``, real and imaginary parts in turn, with
            contiguous frames; the highest frequency is left out, and zero.
        std: What they are multiplied by,
        mean: and what is added to them then.
        hop: Samples between frames, a quarter of their length.
    """
    rows = spectrograms.transpose(0, 1)
    num_bins, _, num_frames = rows.shape
    window = torch.hann_window(4 * hop) / HANN_SQUARES
    spectra = torch.zeros(num_frames, num_bins + 1, 2)
    for channel, sound in enumerate(sounds):
        frames_of(rows.numpy(), 2 * channel, std, mean, spectra.numpy())
        frames = torch.fft.irfft(torch.view_as_complex(spectra), norm="ortho")
        # The first frame begins as far before the sound as the package pads it.
        add_frames(frames.numpy(), window.numpy(), hop, -(hop // 2 * 3), sound.numpy())
