"""Options that several commands share, so that they read the same everywhere."""

from pathlib import Path
from typing import Annotated, Literal

import typer

NameOption = Annotated[
    str, typer.Option("-n", "--name", metavar="SYSTEM", help="System; see --list-systems.")
]
DeviceOption = Annotated[
    str,
    typer.Option("-d", "--device", help="cpu, cuda, cuda:N, or auto: a GPU that works, else cpu."),
]
ModelsOption = Annotated[
    Path | None,
    typer.Option(
        "--models",
        envvar="DEMIX_MODELS",
        show_default="models/",
        help="Folder with one folder of weights per system.",
    ),
]
PrecisionOption = Annotated[
    Literal["auto", "exact", "fast"],
    typer.Option(
        help="exact: float32; fast: what takes the least time, rounded more; auto: fast where "
        "low precision is fast on the device, else exact (see demix info)."
    ),
]
BackendOption = Annotated[
    Literal["auto", "onnxruntime", "openvino", "numba", "torch"],
    typer.Option(
        help="What must run TFC-TDF networks; auto: for each file the fastest that can (see demix "
        "info)."
    ),
]
OutOption = Annotated[Path, typer.Option("-o", "--out", help="Folder for the stems.")]
SkipExistingOption = Annotated[
    bool,
    typer.Option("--skip-existing", help="Leave songs alone whose stems are all there and whole."),
]
JobsOption = Annotated[int, typer.Option("-j", "--jobs", min=1, help="Songs at a time.")]
