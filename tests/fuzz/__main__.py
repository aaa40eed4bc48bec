"""Long campaigns: ``python -m tests.fuzz [TARGET...] [--minutes N] [--seed S]``.

Files that gave neither sound nor one line are kept; the exit status is 1 then.
"""

import argparse
import sys
import time
from pathlib import Path

from tests.fuzz.campaign import Campaign

NAMES = """
headers wav flac mp3 other score onnx-auto onnx-numba onnx-openvino onnx-onnxruntime tfc-tdf
demucs-v2 demucs-package mixer
""".split()
CASES_AT_ONCE = {"headers": 10}
"""Cases of a worker, of which each begins anew with an empty memory."""


def main() -> None:
    """Run campaigns over the targets in turn, and print what came of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="The first case.")
    parser.add_argument("--count", type=int, help="Cases of each target, whatever --minutes says.")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"))
    arguments = parser.parse_args()
    names = arguments.targets or NAMES
    if unknown := set(names) - set(NAMES):
        parser.error(f"no targets: {', '.join(sorted(unknown))}")

    campaigns = {name: Campaign(name, arguments.seed, arguments.keep) for name in names}
    ends = time.monotonic() + 60 * arguments.minutes
    while True:
        for name, campaign in campaigns.items():
            count = arguments.count or CASES_AT_ONCE.get(name, 1000)
            before = len(campaign.failures)
            campaign.run(arguments.first + campaign.done, count)
            for failure in campaign.failures[before:]:
                print(failure, flush=True)
            if arguments.count is None and time.monotonic() > ends:
                break
        else:
            if arguments.count is None:
                continue
        break

    for name, campaign in campaigns.items():
        print(f"{name}: {campaign.done} cases, {len(campaign.failures)} broke the promise")
        for line, times in campaign.lines.most_common(8):
            print(f"  {times:6} {line}")
    sys.exit(1 if any(campaign.failures for campaign in campaigns.values()) else 0)


if __name__ == "__main__":
    main()
