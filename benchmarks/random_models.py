"""Full-size networks with random weights, in the published formats and sizes.

They separate nothing, and cost exactly what the published ones cost. Run as
``python -m benchmarks.random_models MODELS SYSTEM...``, MODELS being the folder to write them into.

A network as a library initialises it hardly listens to the song: the sound fades from layer to
layer, and what comes out is the biases. Of such a network a rough computation gives nearly the same
as an exact one, whatever the song. So the weights of TFC-TDF networks and of Demucs v2 are
conditioned here (`condition`), and the agreement of a fast path with the exact one says something.
Those of the demucs package's networks are not.
"""

import sys
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from benchmarks.full_size import TFC_TDF, demucs_parts, tfc_tdf_size
from benchmarks.songs import music
from my_submission.networks.demucs_v2 import DemucsV2
from my_submission.networks.tfc_tdf import TfcTdf
from my_submission.separators.tfc_tdf import TfcTdfConfig
from my_submission.stems import SAMPLE_RATE, Stem
from my_submission.stft import HOP_LENGTH, Stft
from training.export import export_onnx
from training.phase2.files import save_mixer
from training.phase2.products import NO_MIXER

Network = TypeVar("Network", bound=nn.Module)

CONDITIONING_FRAMES = 128
"""STFT frames of music that a TFC-TDF network is conditioned on: three seconds."""

LINEAR = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Linear)

LOUDNESS = 0.5
"""What a conditioned network gives, over what it gets, both as root mean squares."""


def write_random_models(system: str, folder: Path) -> None:
    """Write all files of `system` into `folder`, the same ones at every call."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    for stem, config in TFC_TDF[system].items():
        tfc_tdf = random_tfc_tdf(system, stem)
        if system == "leaderboard_c" and stem != "vocals":
            torch.save(tfc_tdf.state_dict(), folder / f"{stem}.pt")
        else:
            write_onnx(tfc_tdf, config, folder / f"{stem}.onnx")
    if system == "leaderboard_a":
        save_mixer(NO_MIXER, folder)
    for part in demucs_parts(system):
        network = part.network_class(**part.arguments).eval()
        if isinstance(network, DemucsV2):
            condition(network, demucs_example(network))
            torch.save(network.state_dict(), folder / part.file)
        else:
            write_package(network, dict(part.arguments), folder / part.file)


def random_tfc_tdf(system: str, stem: Stem) -> TfcTdf:
    """Make a TFC-TDF network of full size, conditioned."""
    config = TFC_TDF[system][stem]
    network = TfcTdf(tfc_tdf_size(system, stem)).eval()
    sound = music(HOP_LENGTH * (CONDITIONING_FRAMES - 1))
    stft = Stft(config.n_fft, config.dim_f)
    return condition(network, stft.spectrogram(torch.from_numpy(sound)[None]))


def demucs_example(network: DemucsV2) -> Tensor:
    """Give as much music as `network` needs for a second, standardised."""
    sound = torch.from_numpy(music(network.valid_length(SAMPLE_RATE)))[None]
    return (sound - sound.mean()) / sound.std()


@torch.no_grad()
def condition(network: Network, example: Tensor) -> Network:
    """Give a network random weights with which sound neither fades nor grows from layer to layer.

    He's initialisation without biases, then every layer divided by the root mean square of what it
    gives for `example`. Silence gives silence. A change of the input by 60 dB less than the input
    changes what comes out by 52 to 54 dB less; by 57 to 62 dB in the starter's networks, which have
    been trained.

    Args:
        network: In evaluation mode, its BatchNorms as they are initialised.
        example: An input.

    Returns:
        The same network.
    """
    called: list[Any] = []

    def weigh(layer: Any, _inputs: object, output: Tensor) -> Tensor:
        called.append(layer)
        rms = root_mean_square(output)
        layer.weight.div_(rms)
        return output / rms

    for name, parameter in network.named_parameters():
        if "bias" in name:
            parameter.zero_()
    layers: list[Any] = [layer for layer in network.modules() if is_linear(layer)]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    hooks = [layer.register_forward_hook(weigh) for layer in layers]
    output = network(example)
    for hook in hooks:
        hook.remove()
    called[-1].weight.mul_(LOUDNESS * root_mean_square(example) / root_mean_square(output))
    return network


def is_linear(layer: nn.Module) -> bool:
    """Tell whether a layer's output is in proportion to its weight, without biases."""
    return isinstance(layer, LINEAR)


def root_mean_square(x: Tensor) -> Tensor:
    """Give the root of the mean of all squares."""
    return x.square().mean().sqrt()


def write_onnx(network: TfcTdf, config: TfcTdfConfig, path: Path) -> None:
    """Write a TFC-TDF network as ONNX."""
    export_onnx(
        network,
        path,
        dim_f=config.dim_f,
        num_frames=config.num_frames,
        metadata={"n_fft": str(config.n_fft)},
    )


def write_package(network: nn.Module, arguments: dict[str, Any], path: Path) -> None:
    """Write a network in the demucs package's format, weights in half precision."""
    package = {
        "klass": type(network),
        "args": (),
        "kwargs": arguments,
        "state": {name: value.half() for name, value in network.state_dict().items()},
    }
    torch.save(package, path)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        write_random_models(name, Path(sys.argv[1]) / name)
