"""A fresh virtual environment made from ``requirements.txt``, kept for the next time.

It takes minutes and gigabytes, so it lies in the user's cache folder, by the hash of
``requirements.txt`` and the version of Python. An environment does not survive a renaming (its
programs name its folder), so a file that is written last tells that it is whole.
"""

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from my_submission.errors import DemixError

UNUSED_SECONDS = 30 * 86_400
"""After which an environment that no submission has used is removed when another one is made."""

OWN = (sys.executable, "-P", "-m")
"""To run a module of our own Python, with none of the working folder's in its way."""

_WHOLE = "demix-environment-is-whole"
_PIP = ("--disable-pip-version-check", "--no-input", "--quiet")

_VERSIONS = """
import json, platform, sys
from importlib.metadata import PackageNotFoundError, version
found = {"python": platform.python_version()}
for name in json.load(sys.stdin):
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def cache_folder() -> Path:
    """Give the folder of environments: in XDG_CACHE_HOME, else in ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "demix" / "environments"


def environment_key(requirements: bytes) -> str:
    """Give the name of the environment of a ``requirements.txt`` and this Python."""
    about = f"{sys.implementation.cache_tag} {platform.python_version()} {platform.machine()}\n"
    return hashlib.sha256(about.encode() + requirements).hexdigest()[:24]


def fresh_environment(requirements: Path, say: Callable[[str], None]) -> Path:
    """Make an environment with nothing but what is required, or take the one of an earlier call.

    Args:
        requirements: The file.
        say: Gets a line before what takes long.

    Returns:
        Its interpreter.

    Raises:
        DemixError: It cannot be made; the message says what pip complained of.
    """
    wanted = _with_included(requirements)
    root = cache_folder()
    folder = root / environment_key(wanted)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock"), say):
            if not (folder / _WHOLE).is_file():
                _remove_unused(root)
                shutil.rmtree(folder, ignore_errors=True)  # of a call that was stopped
                say(
                    f"making a fresh environment from {requirements.name} in {folder}: once for "
                    "each version of that file, and minutes where packages are fetched"
                )
                _make(folder, requirements)
            (folder / _WHOLE).touch()
    except OSError as error:
        raise DemixError(
            f"no environment can be made in {root}: {error.strerror}; free some space or give "
            "another XDG_CACHE_HOME"
        ) from error
    return folder / "bin" / "python"


def _with_included(requirements: Path) -> bytes:
    """Read the file, and those that it includes by ``-r`` and ``-c``."""
    try:
        text = requirements.read_bytes()
        names = re.findall(rb"(?m)^\s*(?:-[rc]|--requirement|--constraint)[\s=]*(\S+)", text)
        included = [(requirements.parent / name.decode()).read_bytes() for name in names]
    except (OSError, UnicodeDecodeError) as error:
        raise DemixError(f"{requirements.name} cannot be read: {error}") from error
    return b"\0".join([text, *included])


def _make(folder: Path, requirements: Path) -> None:
    try:
        # Our own pip installs into it: so it is as bare as can be, and needs no ensurepip.
        _run([*OWN, "venv", "--without-pip", str(folder)], requirements.parent)
        python = str(folder / "bin" / "python")
        pip = [*OWN, "pip", "--python", python, "install", *_PIP]
        lines = requirements.read_text(encoding="utf-8", errors="replace").splitlines()
        if any(line.strip() and not line.strip().startswith("#") for line in lines):
            _run([*pip, "-r", str(requirements)], requirements.parent)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _run(command: list[str], folder: Path) -> None:
    # Without what could make this project's packages part of the new environment.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines()]
        errors = [line.removeprefix("ERROR:").strip() for line in lines if "ERROR" in line]
        told = (errors or [line for line in lines if line] or ["no reason was given"])[-1]
        raise DemixError(f"{' '.join(command[3:4])} failed: {told}")


@contextmanager
def _locked(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Keep others from making the same environment; the lock ends with this process."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another submission is making the same environment: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_unused(root: Path) -> None:
    for path in root.iterdir():
        with suppress(OSError):
            used = (path / _WHOLE).stat().st_mtime
            if time.time() - used > UNUSED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def ask_python(python: Path, program: str, given: object) -> str:
    """Run a small program in an environment, with nothing of ours to import.

    Args:
        python: The environment's interpreter.
        program: Its source.
        given: What it gets as JSON on standard input.

    Returns:
        The last line of its standard output.

    Raises:
        DemixError: It failed.
    """
    done = subprocess.run(
        [str(python), "-I", "-c", program],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode or not done.stdout.strip():
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise DemixError(f"{python} failed: {(lines or ['no reason was given'])[-1]}")
    return done.stdout.strip().splitlines()[-1]


def unpinned(requirements: str) -> list[str]:
    """Give the packages of ``requirements.txt`` for which no version is set by ``==``."""
    lines = [line.partition("#")[0].strip() for line in requirements.splitlines()]
    packages = [line for line in lines if re.match("[A-Za-z0-9]", line)]
    loose = [line for line in packages if "==" not in line and " @ " not in line]
    return [re.split(r"[^A-Za-z0-9._-]", line)[0] for line in loose]


def installed_versions(python: Path, requirements: str) -> Mapping[str, str]:
    """Give the versions of Python and of what is required, as they are in an environment.

    Args:
        python: The environment's interpreter.
        requirements: The contents of ``requirements.txt``.

    Raises:
        DemixError: The interpreter failed.
    """
    names = re.findall(r"(?m)^\s*([A-Za-z0-9][A-Za-z0-9._-]*)", requirements)
    versions: dict[str, str] = json.loads(ask_python(python, _VERSIONS, names))
    return versions
