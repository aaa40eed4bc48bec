"""What a model's configuration says, checked where it is read."""

from dataclasses import dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from my_submission.errors import DemixError
from my_submission.networks.tfc_tdf import TfcTdfSize
from my_submission.separators.tfc_tdf import TfcTdfConfig
from my_submission.stems import Stem
from my_submission.stft import Stft
from training.loss import Loss

Optimizer = Literal["rmsprop", "adamw"]
Schedule = Literal["constant", "cosine"]

KIND_NAMES = {int: "a whole number", float: "a number", str: "a text", NoneType: "null"}


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """A network, what it is given and how it is trained.

    Attributes:
        target_name: The stem that it estimates.
        n_fft: Window of the transform in samples.
        dim_f: Bins of its spectrograms, the lowest ones.
        num_frames: Frames of a training chunk, which has `1024 * (num_frames - 1)` samples.
        inference_frames: Frames of a pass over a whole song, in validation and in the exported
            file; None for `num_frames`.
        trim: Samples dropped on each side of such a pass; None for `n_fft // 2`.
        num_blocks, num_layers, growth, bottleneck_factor, norm_groups: See `TfcTdfSize`.
        scale_power: None for the published network; a number for one that sees every bin at about
            its usual level (`ScaledTfcTdf`, `bin_levels`) and starts as a mask.
        band: None for a network on all bins; fewer than `dim_f` for one on the lowest `band`, above
            which each bin passes its usual share of the mixture (`WithTreble`).
        optimizer: ``rmsprop``, as published, or ``adamw``.
        lr: Learning rate; with a schedule, the highest.
        weight_decay: Of the optimizer.
        loss: ``mse`` of the sound, as published, ``l1`` of it, or ``relative``: error over power
            of the spectrogram (`relative_error`).
        target_floor: Share of the mixture's power in ``relative``.
        schedule: ``constant``, as published, or ``cosine`` to 0 at the end of the run.
        warmup_steps: Steps in which the learning rate rises from 0.
        init_from: File of a network to start from: ``.onnx``, ``.ckpt`` or ``.pt``; its sizes must
            be these.
    """

    target_name: Stem
    n_fft: int
    dim_f: int
    num_frames: int
    inference_frames: int | None = None
    trim: int | None = None
    num_blocks: int
    num_layers: int
    growth: int
    bottleneck_factor: int
    norm_groups: int | None = None
    scale_power: float | None = None
    band: int | None = None
    optimizer: Optimizer = "rmsprop"
    lr: float = 1e-4
    weight_decay: float = 0.0
    loss: Loss = "mse"
    target_floor: float = 0.1
    schedule: Schedule = "constant"
    warmup_steps: int = 0
    init_from: str | None = None

    @classmethod
    def checked(cls, values: dict[str, Any]) -> "ModelOptions":
        """Make options of a configuration's values.

        Raises:
            DemixError: A name is unknown or missing, or a value is not what it must be.
        """
        known = {item.name for item in fields(cls)}
        if wrong := sorted(set(values) - known):
            raise DemixError(f"model.{wrong[0]} is no option: there are {', '.join(sorted(known))}")
        try:
            options = cls(**values)
        except TypeError as error:
            raise DemixError(f"the model's options are incomplete: {error}") from error
        options.check()
        return options

    def check(self) -> None:
        """Refuse what fits no network or no training.

        Raises:
            DemixError: Says which value.
        """
        for name, hint in get_type_hints(ModelOptions).items():
            value = getattr(self, name)
            if get_origin(hint) is Literal:
                if value not in get_args(hint):
                    raise DemixError(
                        f"model.{name}={value}: choose one of {', '.join(get_args(hint))}"
                    )
                continue
            kinds = get_args(hint) or (hint,)
            accepted = (*kinds, int) if float in kinds else kinds
            if not isinstance(value, accepted) or isinstance(value, bool):
                named = " or ".join(KIND_NAMES[kind] for kind in kinds)
                raise DemixError(f"model.{name}={value}: give {named}")
        if not self.lr > 0:
            raise DemixError(f"model.lr={self.lr}: give a number above 0")
        if self.band is not None and not 0 < self.band < self.dim_f:
            raise DemixError(f"model.band={self.band}: give fewer than dim_f={self.dim_f} bins")
        Stft(self.n_fft, self.dim_f)
        factor = self.size.time_factor
        for name in ("num_frames", "inference_frames"):
            frames = getattr(self, name)
            if frames is not None and (frames < 1 or frames % factor):
                raise DemixError(
                    f"model.{name}={frames}: {self.num_blocks} blocks take multiples of {factor}"
                )
        for config in (self.inference, self.training):
            if config.chunk <= max(2 * config.trim, self.n_fft // 2):
                raise DemixError(
                    f"model.num_frames={config.num_frames}: chunks of {config.chunk} samples are "
                    f"too short for n_fft {self.n_fft} and a trim of {config.trim} on each side"
                )
        if self.init_from is not None and not Path(self.init_from).is_file():
            raise DemixError(f"model.init_from={self.init_from}: no such file")

    @property
    def size(self) -> TfcTdfSize:
        """Give the dimensions of the TFC-TDF network itself."""
        return TfcTdfSize(
            dim_f=self.dim_f if self.band is None else self.band,
            num_blocks=self.num_blocks,
            num_layers=self.num_layers,
            growth=self.growth,
            bottleneck_factor=self.bottleneck_factor,
            norm_groups=self.norm_groups,
        )

    @property
    def training(self) -> TfcTdfConfig:
        """Give the chunk that is trained on; nothing is trimmed, as published."""
        return TfcTdfConfig(n_fft=self.n_fft, dim_f=self.dim_f, num_frames=self.num_frames, trim=0)

    @property
    def inference(self) -> TfcTdfConfig:
        """Give the chunk of a pass over a whole song."""
        return TfcTdfConfig(
            n_fft=self.n_fft,
            dim_f=self.dim_f,
            num_frames=self.inference_frames or self.num_frames,
            trim=self.n_fft // 2 if self.trim is None else self.trim,
        )
