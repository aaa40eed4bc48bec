"""No network for a program but its own machine: by the system where it lets us, else by Python."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from submitting import loopback

UNSHARE = ("unshare", "--user", "--map-root-user", "--net")
"""A network of its own for a process, with nothing in it (``man 1 unshare``); needs no root."""

_GUARD = '''"""Keeps Python programs off the network: an audit hook cannot be removed."""

import socket
import sys

NAMES = {"socket.getaddrinfo", "socket.gethostbyname"}
CALLS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
OWN = {None, "", "localhost", "127.0.0.1", "::1"}


def refuse(event, arguments):
    if event in NAMES:
        host = arguments[0]
    elif event in CALLS and arguments[0].family in (socket.AF_INET, socket.AF_INET6):
        host = arguments[1][0] if arguments[1] else None  # without one it is connected already
    else:
        return
    if isinstance(host, (bytes, bytearray)):
        host = host.decode(errors="replace")
    if host not in OWN:
        raise OSError("there is no network during prediction")


sys.addaudithook(refuse)
'''


@dataclass(frozen=True)
class Guard:
    """How a program is kept off the network.

    Attributes:
        kind: For people.
        prefix: What its command is preceded by.
        environment: Variables that it needs.
    """

    kind: str
    prefix: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


def network_guard(folder: Path) -> Guard:
    """Choose what keeps a program off the network here.

    Args:
        folder: An empty one, for what Python imports when it starts.
    """
    try:
        # Programs of several processes, such as torch's, may speak to themselves.
        prefix = (*UNSHARE, sys.executable, "-I", str(Path(loopback.__file__)))
        done = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    except OSError:
        pass
    else:
        if done.returncode == 0:
            return Guard("no network (unshare)", prefix=prefix)
    (folder / "sitecustomize.py").write_text(_GUARD, encoding="utf-8")
    return Guard("no network for Python (audit hook)", environment={"PYTHONPATH": str(folder)})
