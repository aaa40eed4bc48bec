"""The command `python -m training`: train by configurations, make the starter, convert networks."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from my_submission.errors import DemixError
from my_submission.stems import STEMS
from training.converting import export_checkpoint, import_network
from training.evaluate import evaluate_starter, save_json, table_text
from training.export import NUM_FRAMES
from training.files import require_writable
from training.hydra_command import is_for_hydra, run
from training.songs import make_songs
from training.starter import StarterOptions, make_starter
from training.stopping import Children, StoppedError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; give the exit status.

    Arguments of Hydra's form (`is_for_hydra`) train a network of phase 1.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if is_for_hydra(arguments):
        return run(arguments)
    options = _parser().parse_args(arguments)
    try:
        if options.command == "starter":
            _starter(options)
        elif options.command == "export":
            print(
                export_checkpoint(
                    options.checkpoint,
                    options.out,
                    norm_groups=options.norm_groups,
                    num_frames=options.num_frames,
                    n_fft=options.n_fft,
                )
            )
        elif options.command == "import":
            print(import_network(options.file, options.out))
        else:
            if options.json:
                require_writable(options.json)
            result = evaluate_starter(options.songs, options.models)
            print(table_text(result))
            if options.json:
                save_json(result, options.json)
    except DemixError as error:
        print(error, file=sys.stderr)
        return error.status if isinstance(error, StoppedError) else 1
    return 0


def _starter(options: argparse.Namespace) -> None:
    # What is wrong in it is said before songs are made, which takes hours.
    starter = StarterOptions(
        songs=options.songs,
        decoded=options.decoded or options.songs.with_name(f"{options.songs.name}-decoded"),
        run=options.run,
        out=options.out,
        stems=options.stems,
        minutes=options.minutes,
        jobs=options.jobs,
        overrides=options.overrides,
    )
    with Children() as children:
        make_songs(options.songs, options.hours, options.seed, options.jobs, children)
        make_starter(starter, children)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description=__doc__,
        epilog="A first argument with a = trains by Hydra's grammar, such as "
        "`experiment=multigpu_vocals model=ConvTDFNet_vocals`; --cfg job shows what is configured, "
        "and --hydra-help all that Hydra can: see docs/training.md.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    starter = commands.add_parser("starter", help="make the starter's five files")
    starter.add_argument("--songs", type=Path, default=Path("songs/train"), help="training songs")
    starter.add_argument("--hours", type=float, default=3, help="of songs made where none are")
    starter.add_argument("--seed", type=int, default=91, help="of those")
    starter.add_argument("--decoded", type=Path, help="where songs are kept decoded")
    starter.add_argument("--run", type=Path, default=Path("runs/starter"), help="checkpoints")
    starter.add_argument("--out", type=Path, default=Path("models/starter"))
    starter.add_argument("--stems", nargs="+", choices=STEMS, default=STEMS)
    starter.add_argument("--minutes", type=float, help="for each network, instead of steps")
    starter.add_argument("-j", "--jobs", type=int, default=2, help="networks trained at once")
    starter.add_argument(
        "-o",
        "--override",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of experiment=starter, such as trainer.max_steps=1000; may be given several times",
    )

    evaluate = commands.add_parser("evaluate-starter", help="score it on songs it never heard")
    evaluate.add_argument("--songs", type=Path, required=True, help="folder of held-out songs")
    evaluate.add_argument("--models", type=Path, default=Path("models/starter"))
    evaluate.add_argument("--json", type=Path, help="write the scores here too")

    export = commands.add_parser("export", help="write a TFC-TDF checkpoint as ONNX")
    export.add_argument("checkpoint", type=Path, help="a .pt or .ckpt file, published or of a run")
    export.add_argument("out", type=Path, help="the .onnx file")
    told = "by default what the checkpoint says"
    export.add_argument("--n-fft", type=int, help=f"its window length in samples; {told}")
    export.add_argument("--num-frames", type=int, help=f"of one pass; {told}, else {NUM_FRAMES}")
    export.add_argument("--norm-groups", type=int, help="where it was trained with GroupNorm")

    importing = commands.add_parser("import", help="write an ONNX file as a checkpoint")
    importing.add_argument("file", type=Path, help="the .onnx file")
    importing.add_argument("out", type=Path, help="the .pt file, with the published names")
    return parser


if __name__ == "__main__":
    sys.exit(main())
