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
    Literal["exact", "fast"],
    typer.Option(help="exact: float32. There is no fast path yet: fast is exact too."),
]
OutOption = Annotated[Path, typer.Option("-o", "--out", help="Folder for the stems.")]
SkipExistingOption = Annotated[
    bool, typer.Option("--skip-existing", help="Leave songs alone whose stems are all there.")
]
