"""Training of one network: resumable at any time, reproducible by its seed."""

import copy
import csv
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from my_submission.errors import DemixError
from my_submission.networks.tfc_tdf import TfcTdfSize
from my_submission.stems import STEMS, Stem
from my_submission.stft import HOP_LENGTH, Stft
from training.loss import relative_error
from training.mixing import MixingOptions, make_batch
from training.network import ScaledTfcTdf, bin_levels, start_as_mask
from training.songs import SongStore

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """All that determines a trained network, beside the songs.

    Attributes:
        stem: What is estimated.
        n_fft: Window of the transform in samples.
        size: The network's dimensions.
        num_frames: Frames of one example; it may be run on more, being convolutional in time.
        batch_size: Examples per step.
        steps: Number of steps, or None: as many as `minutes` of the clock allow.
        minutes: Time for training; the learning rate follows it.
        peak_lr: Highest learning rate.
        warmup_steps: Steps in which the learning rate rises.
        weight_decay: Of AdamW.
        ema_decay: Share that averaged weights keep per step.
        target_floor: Share of the mixture's power that is added to the target's in the loss.
        scale_power: See `bin_levels`.
        seed, mixing: Of the first weights and all examples; how examples are drawn.
        save_seconds, validate_seconds: Time between checkpoints, between validations.
        validation_songs: Songs kept out of training.
    """

    stem: Stem
    n_fft: int
    size: TfcTdfSize
    num_frames: int = 32
    batch_size: int = 4
    steps: int | None = None
    minutes: float = 5.0
    peak_lr: float = 5e-3
    warmup_steps: int = 50
    weight_decay: float = 1e-3
    ema_decay: float = 0.998
    target_floor: float = 0.1
    scale_power: float = 0.75
    seed: int = 1
    mixing: MixingOptions = field(default_factory=MixingOptions)
    save_seconds: float = 60.0
    validate_seconds: float = 240.0
    validation_songs: int = 4


class Fit:
    """A training run that lives in a folder: `STEM.pt` is its checkpoint, `STEM.csv` its curve.

    Args:
        options: What is trained.
        store: The songs; the first `options.validation_songs` are kept out.
        folder: Where the run lives; a checkpoint there is taken up.
        report: Takes lines of progress.

    Raises:
        DemixError: The checkpoint is of a run with other options, or there are too few songs.
    """

    def __init__(
        self, options: FitOptions, store: SongStore, folder: Path, report: Report = print
    ) -> None:
        self.options, self.store, self.report = options, store, report
        songs = range(len(store))
        self._valid = songs[: options.validation_songs]
        self._train = songs[options.validation_songs :]
        if not self._train:
            raise DemixError(f"{len(store)} songs are too few: {len(self._valid)} are kept out")
        folder.mkdir(parents=True, exist_ok=True)
        self.checkpoint = folder / f"{options.stem}.pt"
        self._curve = folder / f"{options.stem}.csv"
        self._stft = Stft(options.n_fft, options.size.dim_f)
        self._target = STEMS.index(options.stem)
        self.step, self.seconds = 0, 0.0

        torch.manual_seed(options.seed)
        levels = bin_levels(self._spectrograms(-1, batch_size=48)[0], options.scale_power)
        self.network = ScaledTfcTdf(options.size, levels)
        start_as_mask(self.network.network)
        self._optimizer = torch.optim.AdamW(
            self.network.parameters(), options.peak_lr, weight_decay=options.weight_decay
        )
        self.average = copy.deepcopy(self.network)
        if self.checkpoint.exists():
            self._load()

    def narrow_from(self, wide: Path) -> None:
        """Start from a run in a wider band: its weights, cut to the lowest bins of this one.

        Only the TDF's outer layers and the scale have an axis of bins; the hidden layers must be
        equally large. A run that has begun is left as it is.

        Args:
            wide: The other run's checkpoint.

        Raises:
            DemixError: The two networks differ in more than their band.
        """
        if self.step:
            return
        state = torch.load(wide, weights_only=True)
        for network, name in ((self.network, "network"), (self.average, "average")):
            cut = {}
            for key, own in network.state_dict().items():
                other = state[name].get(key)
                if other is None or other.ndim != own.ndim:
                    raise DemixError(f"{wide}: {key} is not that of a network of the same kind")
                cut[key] = other[tuple(slice(length) for length in own.shape)]
                if cut[key].shape != own.shape:
                    raise DemixError(f"{wide}: {key} is smaller than that of the narrower network")
            network.load_state_dict(cut)

    @property
    def progress(self) -> float:
        """Done share of the run, 0 to 1."""
        if self.options.steps is not None:
            return min(1.0, self.step / self.options.steps)
        return min(1.0, self.seconds / (60 * self.options.minutes))

    def run(self, max_steps: int | None = None) -> None:
        """Train to the end, or `max_steps` from here, and leave a checkpoint."""
        first_step, losses = self.step, []
        saved = validated = time.monotonic()
        while self.progress < 1 and self.step - first_step != max_steps:
            started = time.monotonic()
            losses.append(self._train_step())
            now = time.monotonic()
            self.seconds += now - started
            if now - saved > self.options.save_seconds:
                self._save()
                saved = now
                self.report(f"{self._where()} loss {sum(losses[-100:]) / len(losses[-100:]):.4f}")
            if now - validated > self.options.validate_seconds:
                self._log(losses)
                losses.clear()
                validated = time.monotonic()
        self._log(losses)
        self._save()

    def finished_network(self, batches: int = 60) -> ScaledTfcTdf:
        """Give the averaged weights with batch statistics measured anew for them."""
        network = copy.deepcopy(self.average)
        norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over the batches that follow
        network.train()
        with torch.no_grad():
            for index in range(batches):
                network(self._spectrograms(-2 - index, batch_size=self.options.batch_size)[0])
        return network.eval()

    def validation_sdr(self, network: nn.Module, parts: int = 3) -> float:
        """Score the songs kept out: mean over songs of 10 log10 (target / error), in the band.

        An estimate of zero scores 0 dB. Songs without the target are left out.

        Args:
            network: In evaluation mode.
            parts: Chunks of 256 frames per song, spread evenly.
        """
        length = HOP_LENGTH * (256 - 1)
        scores = []
        for song in self._valid:
            stems = self.store.stems(song)
            error, power = 0.0, 0.0
            for part in range(parts):
                start = max(0, stems.shape[-1] - length) * part // max(1, parts - 1)
                chunk = torch.from_numpy(stems[None, :, :, start : start + length])
                mixture, target = self._transform(chunk)
                factor = self.options.size.time_factor
                frames = mixture.shape[-1] // factor * factor
                mixture, target = mixture[..., :frames], target[..., :frames]
                with torch.no_grad():
                    error += (network(mixture) - target).square().sum().item()
                power += target.square().sum().item()
            if power > 0:
                scores.append(10 * math.log10(power / max(error, 1e-9)))
        return sum(scores) / len(scores) if scores else math.nan

    def examples(self, count: int, stft: Stft) -> tuple[Tensor, Tensor]:
        """Draw examples as training does, none of which it has seen.

        Returns:
            Spectrograms by `stft` of the targets and of the mixtures, `[count, 4, dim_f, frames]`.
        """
        mixture, target = self._spectrograms(-1000, count, stft)
        return target, mixture

    def _train_step(self) -> float:
        options = self.options
        rate = options.peak_lr * min(1.0, (self.step + 1) / options.warmup_steps)
        rate *= 0.5 * (1 + math.cos(math.pi * self.progress))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        mixture, target = self._spectrograms(self.step, options.batch_size)
        self.network.train()
        # Measured 1.7 times as fast as float32 where the processor has bfloat16.
        with torch.autocast("cpu", torch.bfloat16):
            estimate = self.network(mixture)
        loss = relative_error(estimate, target, mixture, options.target_floor)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimizer.step()
        self.step += 1
        keep = min(options.ema_decay, self.step / (self.step + 10))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        return float(loss.item())

    def _spectrograms(
        self, step: int, batch_size: int, stft: Stft | None = None
    ) -> tuple[Tensor, Tensor]:
        # Seeds are not negative: batches for other uses lie far behind all steps.
        number = step if step >= 0 else 2**40 - step
        stems = make_batch(
            (self.options.seed, self._target, number),
            self.store,
            self._train,
            batch_size=batch_size,
            num_samples=HOP_LENGTH * (self.options.num_frames - 1),
            options=self.options.mixing,
        )
        return self._transform(torch.from_numpy(stems), stft)

    def _transform(self, stems: Tensor, stft: Stft | None = None) -> tuple[Tensor, Tensor]:
        stft = stft or self._stft
        return stft.spectrogram(stems.sum(dim=1)), stft.spectrogram(stems[:, self._target])

    def _where(self) -> str:
        return f"{self.options.stem} step {self.step} {self.seconds:.0f} s {self.progress:.0%}"

    def _log(self, losses: Sequence[float]) -> None:
        loss = sum(losses) / len(losses) if losses else math.nan
        score = self.validation_sdr(self.finished_network(20))
        self.report(f"{self._where()} loss {loss:.4f} validation {score:.2f} dB")
        is_new = not self._curve.exists()
        with self._curve.open("a", newline="") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(["step", "seconds", "loss", "validation_sdr_db"])
            writer.writerow([self.step, f"{self.seconds:.0f}", f"{loss:.4f}", f"{score:.3f}"])

    def _save(self) -> None:
        state: dict[str, Any] = {
            "identity": _identity(self.options),
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }
        temporary = self.checkpoint.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(self.checkpoint)

    def _load(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True)
        if state["identity"] != _identity(self.options):
            raise DemixError(
                f"{self.checkpoint}: is of a run with other options; choose another folder"
            )
        self.step, self.seconds = state["step"], state["seconds"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.report(f"{self._where()} taken up")


def _identity(options: FitOptions) -> dict[str, Any]:
    """Give what a checkpoint must agree in: not length, speed or saving of the training."""
    free = ("steps", "minutes", "peak_lr", "save_seconds", "validate_seconds")
    return {name: value for name, value in asdict(options).items() if name not in free}
