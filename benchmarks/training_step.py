"""What a step of phase 1 takes, and what making its chunks takes, each measured alone."""

import copy
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.errors import HydraException
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from omegaconf import OmegaConf
from torch import Tensor

from benchmarks.work import count_flops
from my_submission.errors import DemixError
from my_submission.stft import HOP_LENGTH
from training.data.module import StemsDataModule
from training.hydra_command import CONFIGS
from training.phase1.conv_tdf_net import ConvTDFNet

PASSES = 3
"""Operations of a training step over those of its forward pass: the backward pass multiplies once
more for the gradient of each layer's input and once for that of its weights. The first layer needs
none for its input, and what is not a product of matrices is not counted."""

PRECISIONS = {
    "float32": ("32-true", torch.float32),
    "bfloat16": ("bf16-mixed", torch.bfloat16),
    "float16": ("16-mixed", torch.float16),
}
"""Lightning's name of each, and the numbers whose products are the peak."""


@dataclass(frozen=True)
class Case:
    """What is trained, and how.

    Attributes:
        model: Name of the model's configuration.
        batch_size: Chunks per step.
        precision: One of `PRECISIONS`.
        device: ``cpu`` or ``cuda``.
        overrides: Options that are not the configuration's, such as ``model.growth=16``.
    """

    model: str
    batch_size: int
    precision: str
    device: str = "cpu"
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """What was found.

    Attributes:
        seconds: Median time of a step: transforms, network, loss, gradient and optimizer, with the
            batch on the device already.
        flops: Operations of a step as the network is defined.
        gpu_bytes: Most memory that tensors took on a GPU; 0 on a processor.
    """

    seconds: float
    flops: float
    gpu_bytes: int = 0


def make_module(case: Case) -> ConvTDFNet:
    """Make the network that `python -m training model=MODEL OVERRIDES` trains.

    Raises:
        DemixError: There is no such model or option.
    """
    try:
        with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
            config = hydra.compose("config", [f"model={case.model}", *case.overrides])
    except HydraException as error:
        reason = " ".join(str(error).split())
        raise DemixError(f"{case.model}: no model of that name or with {reason}") from error
    # Not instantiated: Hydra would hide the line that says which value is wrong.
    options: Any = OmegaConf.to_container(config.model, resolve=True)
    return ConvTDFNet(**{name: value for name, value in options.items() if name != "_target_"})


def chunk_samples(module: ConvTDFNet) -> int:
    """Give the samples of the chunks that a network is trained on."""
    return HOP_LENGTH * (module.options.num_frames - 1)


def step_flops(module: ConvTDFNet, batch_size: int) -> float:
    """Count the operations of a step's network: `PASSES` times those of a forward pass."""
    network = copy.deepcopy(module.network).to("meta").eval()
    options = module.options
    forward = count_flops(network, batch_size, 4, options.dim_f, options.num_frames)
    return PASSES * forward


def measure_step(case: Case, steps: int) -> Step:
    """Train on noise and time it.

    Args:
        case: What to train.
        steps: Steps that are timed; one more comes first.

    Raises:
        torch.OutOfMemoryError: It does not fit on the GPU.
    """
    module = make_module(case)
    clock = _Clock()
    trainer = Trainer(
        accelerator="cpu" if case.device == "cpu" else "gpu",
        devices=1,
        precision=PRECISIONS[case.precision][0],  # type: ignore[arg-type]  # one of its names
        max_steps=1 + steps,
        callbacks=[clock],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    if case.device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    trainer.fit(module, datamodule=_Noise(case.batch_size, chunk_samples(module), 1 + steps))
    return Step(
        statistics.median(clock.seconds[1:]),
        step_flops(module, case.batch_size),
        0 if case.device == "cpu" else torch.cuda.max_memory_allocated(),
    )


class _Noise(LightningDataModule):
    """One batch of noise, again and again."""

    def __init__(self, batch_size: int, num_samples: int, batches: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self._batch = 0.1 * torch.randn(batch_size, 4, 2, num_samples, generator=generator)
        self._batches = batches

    def train_dataloader(self) -> "_Noise":
        return self

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[Tensor]:
        for _ in range(self._batches):
            yield self._batch


class _Clock(Callback):
    """Times steps, from when the batch is there to when the weights are changed."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_start(self, trainer: Trainer, *_step: Any) -> None:
        self._began = _now(trainer)

    def on_train_batch_end(self, trainer: Trainer, *_step: Any) -> None:
        self.seconds.append(_now(trainer) - self._began)


def _now(trainer: Trainer) -> float:
    module: LightningModule = trainer.lightning_module
    if module.device.type == "cuda":
        torch.cuda.synchronize(module.device)
    return time.perf_counter()


def measure_loading(
    songs: Path, num_samples: int, *, workers: int, decoded: Path | None, seconds: float
) -> float:
    """Measure how many chunks per second the data module makes while nothing is trained.

    Args:
        songs: Folder of songs.
        num_samples: Length of a chunk.
        workers: Processes that make chunks; 0: this one.
        decoded: Where songs are kept decoded; None for reading their files.
        seconds: Time that is measured, after the first batch.
    """
    data = StemsDataModule(
        folders=songs,
        validation_songs=0,
        decoded_folder=decoded,
        chunk_samples=num_samples,
        batch_size=4,
        num_workers=workers,
    )
    data.setup()
    loader = data.train_dataloader()
    count, began = 0, 0.0
    while True:  # an epoch of a few songs is short
        for batch in loader:
            if not began:
                began = time.perf_counter()  # songs are decoded and workers run by now
                continue
            count += len(batch)
            taken = time.perf_counter() - began
            if taken >= seconds:
                return count / taken
