"""The starter's command ends its runs with itself, and lets them go on where one fails.

The runs are a small program that notes what happens to it.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from my_submission.errors import DemixError
from training.starter import StarterOptions, make_starter
from training.stopping import Children

ROOT = Path(__file__).parents[2]

COMMAND = """
import signal, sys
from training.__main__ import main

# As in a terminal, also where the tests themselves run in the background or under nohup.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
sys.executable = sys.argv[1]
sys.exit(main(sys.argv[2:]))
"""

RUN = """
import signal, sys, time
from pathlib import Path

asked = []

def note(word):
    with open("{log}", "a") as log:
        log.write(word + " " + sys.argv[4].removeprefix("model=starter_") + "\\n")

def receive(*_):
    note("asked")
    asked.append(1)

signal.signal(signal.SIGTERM, receive)
signal.signal(signal.SIGINT, receive)
signal.alarm(300)  # none is left behind by a test that fails
note("begun")
while not asked:
    time.sleep(0.05)
time.sleep(1)  # in which a second signal would be noted
note("ended")
sys.exit(143)
"""


def program(folder: Path, code: str) -> Path:
    """Write a program in Python; give its file."""
    script = folder / "run.py"
    script.write_text(code)
    file = folder / "run"
    file.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{script}' \"$@\"\n")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("number", "to_group", "status"),
    [
        pytest.param(signal.SIGINT, True, 130, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, False, 143, id="SIGTERM"),
        pytest.param(signal.SIGHUP, True, 129, id="the terminal's end"),
    ],
)
def test_a_signal_ends_the_runs_and_no_further_one_begins(
    number: signal.Signals, to_group: bool, status: int, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.touch()
    run = program(tmp_path, RUN.format(log=log))
    (tmp_path / "songs").mkdir()
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, run, "starter", "--songs", tmp_path / "songs"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while len(log.read_text().splitlines()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    (os.killpg if to_group else os.kill)(command.pid, number)
    _, errors = command.communicate(timeout=60)
    assert command.returncode == status
    assert errors == "stopped; the same command goes on with it\n"
    lines = log.read_text().splitlines()
    assert sorted(lines) == [
        f"{what} {stem}" for what in ("asked", "begun", "ended") for stem in ("bass", "drums")
    ]


def test_a_run_that_fails_lets_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.write_text(
        '#!/bin/sh\ncase "$4" in *bass) exit 1;; esac\n'
        f"folder='{tmp_path}/runs'/${{4#model=starter_}}/checkpoints\n"
        'mkdir -p "$folder"; echo network > "$folder/last.onnx"\n'
    )
    run.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(run))
    options = StarterOptions(
        songs=tmp_path, decoded=tmp_path, run=tmp_path / "runs", out=tmp_path / "out", jobs=1
    )
    with pytest.raises(DemixError, match="training of bass"), Children() as children:
        make_starter(options, children)
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == ["drums.onnx", "other.onnx", "vocals.onnx"]
