"""Runs a program after its network's loopback device is switched on: a new network has it off."""

import fcntl
import os
import socket
import struct
import sys
from contextlib import suppress

SET_FLAGS = 0x8914
"""Of a device (``man 7 netdevice``, SIOCSIFFLAGS)."""

UP_AND_RUNNING = 0x41
"""IFF_UP and IFF_RUNNING."""


def main() -> None:
    """Switch it on where that is possible, and become the program that the arguments name."""
    request = struct.pack("16sh22x", b"lo", UP_AND_RUNNING)
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SET_FLAGS, request)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
