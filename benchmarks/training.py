"""`make bench-train`: the throughput of phase 1, written to docs/training-benchmarks.md.

Each network is trained for a few steps on noise, by the code that trains it (Lightning included),
and the making of chunks is measured alone, so that one sees which of the two a training waits for.
A run takes about three minutes on two cores, because there the full-size networks get few steps and
one chunk per step. It replaces this machine's section of the page and leaves those of others.
"""

import argparse
import datetime
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.__main__ import commit
from benchmarks.machine import Environment, this_environment
from benchmarks.one_run import ROOT
from benchmarks.page import titled
from benchmarks.training_step import (
    PRECISIONS,
    Case,
    Step,
    make_module,
    measure_loading,
    measure_step,
)
from benchmarks.work import peak_flops
from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE

FULL_SIZE = ("ConvTDFNet_vocals", "ConvTDFNet_bass")
STARTER = ("starter_bass", "starter_drums", "starter_other", "starter_vocals")

PUBLISHED_BATCH = {"ConvTDFNet_bass": 8}
"""Chunks per step and GPU in the published training; 16 for the others."""
STARTER_BATCH = 4

LOADING_S = 3.0
"""Time for which the making of chunks is measured."""

HEAD = """# Training throughput

Written by `python -m benchmarks.training` (`make bench-train`), a section per machine.

- A step is that of phase 1 as Lightning runs it: transforms, network, loss, gradient, optimizer.
  Its batch is noise that is on the device already, so nothing is loaded. The first step is left
  out, and the time is the median of the others.
- A network's operations are 3 times those of its forward pass, as it is defined: the backward pass
  multiplies once more for the gradient of each layer's input and once for that of its weights.
  Transforms, norms and the optimizer are not counted. The share of the peak is these operations
  per second over what a product of two matrices of 4096 by 4096 reaches in the same precision.
- `bfloat16` and `float16` are Lightning's mixed precision. `float32` is torch's as it comes: on a
  GPU, convolutions round what they multiply to TF32, and can exceed the peak of float32.
- Chunks are made of the demo songs (`data/songs`) without changes on the fly, in batches of 4,
  while nothing is trained. `decoded` is the data module's `decoded_folder`.
"""


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is asked for and write the page; gives the exit status."""
    options = _arguments(words)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    device = options.device
    if device != "cpu" and not torch.cuda.is_available():
        print("error: there is no GPU that torch can use: give --device cpu", file=sys.stderr)
        return 1
    environment = this_environment(device)
    precisions = options.precisions or usual_precisions(environment)
    try:
        loading = [
            (frames, kind, workers, rate)
            for frames in _frames(options.models, options.options)
            for kind, workers, rate in _loading_rates(options.songs, frames, environment.cores)
        ]
        rows = []
        for model in options.models:
            for precision in precisions:
                batch_size = options.batch_size or usual_batch(model, device)
                case = Case(model, batch_size, precision, device, tuple(options.options))
                print(f"{model}, {precision}, {batch_size} per step", flush=True)
                rows.append(step_row(case, options.steps, loading))
    except DemixError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    path = options.docs / "training-benchmarks.md"
    write_section(path, environment.title, section(environment, rows, loading, words))
    print(f"written to {path}")
    return 0


Loading = tuple[int, str, int, float]
"""Frames of a chunk, what is read, processes that make chunks, chunks per second."""


def usual_precisions(environment: Environment) -> list[str]:
    """Give float32, and what else the machine multiplies in."""
    if environment.gpu:
        return list(PRECISIONS)
    has_bfloat16 = {"amx_bf16", "avx512_bf16", "bf16"} & set(environment.features)
    return ["float32", *(["bfloat16"] if has_bfloat16 else [])]


def usual_batch(model: str, device: str) -> int:
    """Give the chunks per step: the recipe's, but one of full size on a processor."""
    if model in STARTER:
        return STARTER_BATCH
    return 1 if device == "cpu" else PUBLISHED_BATCH.get(model, 16)


def step_row(case: Case, steps: int, loading: Sequence[Loading]) -> list[str]:
    """Measure a case and give its row of the table."""
    frames = make_module(case).options.num_frames
    columns = [f"`{case.model}`", case.precision, str(case.batch_size), str(frames)]
    try:
        # A GPU is fast, and its clock takes a while to rise.
        step = measure_step(case, steps if case.device == "cpu" else 10 * steps)
    except torch.OutOfMemoryError:
        return [*columns, "out of memory", *["–"] * 5]
    dtype = PRECISIONS[case.precision][1]
    peak = peak_flops(dtype, case.device)
    made = max(rate for its_frames, _, _, rate in loading if its_frames == frames)
    return [*columns, *_figures(case, step, peak, made)]


def _figures(case: Case, step: Step, peak: float, chunks_made: float) -> list[str]:
    per_second = case.batch_size / step.seconds
    return [
        f"{step.seconds:.3g}",
        f"{per_second:.3g}",
        f"{step.flops / case.batch_size / 1e9:.4g}",
        f"{100 * step.flops / step.seconds / peak:.0f} % of {peak / 1e12:.3g}",
        f"{step.gpu_bytes / 1e9:.1f}" if step.gpu_bytes else "–",
        "the step" if per_second < chunks_made else "loading",
    ]


def _frames(models: Sequence[str], overrides: Sequence[str]) -> list[int]:
    cases = [Case(model, 1, "float32", overrides=tuple(overrides)) for model in models]
    return sorted({make_module(case).options.num_frames for case in cases})


def _loading_rates(songs: Path, frames: int, cores: int) -> list[tuple[str, int, float]]:
    """Measure the making of chunks, by kind of file and number of processes."""
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, decoded in (("FLAC", None), ("decoded", Path(folder))):
            for workers in (0, cores):
                rate = measure_loading(
                    songs,
                    1024 * (frames - 1),
                    workers=workers,
                    decoded=decoded,
                    seconds=LOADING_S,
                )
                rates.append((kind, workers, rate))
    return rates


def section(
    environment: Environment,
    rows: Sequence[Sequence[str]],
    loading: Sequence[Loading],
    words: Sequence[str] | None,
) -> str:
    """Write what was measured on a machine."""
    step_columns = ["model", "precision", "chunks per step", "frames", "s per step", "chunks per s"]
    step_columns += ["GFLOP per chunk", "share of peak, TFLOP/s", "GPU GB", "waits for"]
    loading_columns = ["frames", "s of sound", "songs", "processes", "chunks per s"]
    loading_rows = [
        [
            str(frames),
            f"{1024 * (frames - 1) / SAMPLE_RATE:.1f}",
            kind,
            str(workers) if workers else "the one that trains",
            f"{rate:.3g}",
        ]
        for frames, kind, workers, rate in loading
    ]
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    return "\n".join(
        [
            f"## {environment.title}\n",
            f"{environment.describe()} Measured {day} by `{_command(words)}` at "
            f"{commit() or 'no commit'}.\n",
            titled("Steps", step_columns, rows, "`waits for`: beside the fastest loading below.\n"),
            titled("Loading", loading_columns, loading_rows),
        ]
    )


def write_section(path: Path, title: str, text: str) -> None:
    """Put a section into the page, instead of an earlier one of that title; whole or not at all."""
    sections = path.read_text().split("\n## ")[1:] if path.is_file() else []
    others = [f"## {other.strip()}\n" for other in sections if other.split("\n")[0] != title]
    partial = path.with_name(f".{path.name}.part")
    partial.write_text("\n".join([HEAD, text.strip() + "\n", *others]))
    partial.replace(path)


def _command(words: Sequence[str] | None) -> str:
    """Give the command that runs, less the folders, which are this machine's affair."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--docs")
    parser.add_argument("--songs")
    return " ".join(["python -m benchmarks.training", *parser.parse_known_args(words)[1]])


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", nargs="+", default=[*FULL_SIZE, *STARTER])
    parser.add_argument(
        "--options", nargs="+", default=[], help="of all models, such as model.growth=16"
    )
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, help="default: all it has")
    parser.add_argument("--batch-size", type=int, help="chunks per step; default: the recipe's")
    parser.add_argument(
        "--steps", type=int, default=2, help="steps timed; ten times so many on a GPU"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--songs", type=Path, default=ROOT / "data" / "songs")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder to write into")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
