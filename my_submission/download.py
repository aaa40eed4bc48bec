"""One address into one file, over connections that break."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import requests

from my_submission.errors import DemixError

Progress = Callable[[str, int, int | None], None]
"""Called with the name of what is downloaded, bytes so far and bytes in all (None: not known)."""

TRIES = 5
"""Tries in a row without a new byte, before a download is given up."""
FIRST_WAIT_S = 1.0
"""Seconds before the second try; each wait after it is twice as long."""
LONGEST_WAIT_S = 60.0

_TIMEOUT_S = (10.0, 60.0)  # to connect; between two bytes
_BLOCK_BYTES = 1 << 16
_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})


class _PassingError(Exception):
    """A try failed, and another one may succeed."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def download(
    url: str,
    part: Path,
    *,
    remedy: str,
    size: int | None = None,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Download ``url`` into ``part``, going on where an earlier download stopped.

    Whatever happens, ``part`` stays for the next call; its content is for the caller to check.

    Args:
        url: An http or https address.
        part: Where the bytes go; what is there already is taken as the beginning.
        remedy: What a person can do when it fails: the end of the error's line.
        size: Bytes in all, if known beforehand.
        progress: Called after every block.
        sleep: Waits between tries, in seconds.

    Returns:
        Whether the beginning came from an earlier call, so that it may be of another file.

    Raises:
        DemixError: The server says no, or gives another size, or cannot be reached in ``TRIES``.
        OSError: ``part`` cannot be written.
    """
    name = part.name.removeprefix(".").removesuffix(".part")

    def report(done: int, total: int | None) -> None:
        if progress is not None:
            progress(name, done, total)

    found = furthest = _bytes_in(part)
    tries = 0
    while True:
        try:
            _go_on(url, part, size, remedy, report)
        except _PassingError as error:
            # Only new bytes count as progress: a server that always starts anew and always stops
            # at the same place would otherwise be tried for ever.
            tries = 1 if _bytes_in(part) > furthest else tries + 1
            furthest = max(furthest, _bytes_in(part))
            if tries == TRIES:
                raise DemixError(
                    f"cannot fetch {url}: {error}; try again later to go on from there, or {remedy}"
                ) from error
            wait_s = max(FIRST_WAIT_S * 2.0 ** (tries - 1), error.wait_s)
            sleep(min(wait_s, LONGEST_WAIT_S))
        else:
            return found > 0


def _bytes_in(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _go_on(
    url: str, part: Path, size: int | None, remedy: str, report: Callable[[int, int | None], None]
) -> None:
    """Try once to bring ``part`` to its end."""
    done = _bytes_in(part)
    if size is not None and done > size:
        part.unlink()
        done = 0
    if done == size:
        return
    headers = {"Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    try:
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
            if response.status_code == 416 and _total(response) == done:
                return
            done, total = _place(response, part, url, remedy)
            if None not in (size, total) and total != size:
                raise DemixError(
                    f"cannot fetch {url}: it has {total} bytes instead of {size}, so it is "
                    f"another file; {remedy}"
                )
            total = total if size is None else size
            report(done, total)
            with part.open("ab" if done else "wb") as sink:
                for block in response.iter_content(_BLOCK_BYTES):
                    sink.write(block)
                    done += len(block)
                    report(done, total)
    except (ValueError, requests.TooManyRedirects) as error:  # requests' InvalidURL and the like
        raise DemixError(f"cannot fetch {url}: {_reason(error)}; {remedy}") from error
    except requests.RequestException as error:
        raise _PassingError(_reason(error)) from error
    if total is not None and done < total:
        raise _PassingError(f"the connection ended after {done} of {total} bytes")


def _place(
    response: requests.Response, part: Path, url: str, remedy: str
) -> tuple[int, int | None]:
    """Give where in the file the answer's bytes begin, and how long the file is, if it is known."""
    status = f"{response.status_code} {response.reason}"
    if response.status_code in _MAY_PASS:
        wait = response.headers.get("Retry-After", "")
        raise _PassingError(f"the server says {status}", float(wait) if wait.isdecimal() else 0.0)
    if response.status_code == 200:  # also the answer of a server that knows no ranges
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if response.status_code == 206 and start and int(start[1]) == _bytes_in(part):
        return int(start[1]), _total(response)
    if response.status_code in (206, 416):
        part.unlink(missing_ok=True)
        raise _PassingError(f"the server gives another range than was asked for ({status})")
    raise DemixError(f"cannot fetch {url}: the server says {status}; {remedy}")


def _total(response: requests.Response) -> int | None:
    total = re.search(r"/(\d+)$", response.headers.get("Content-Range", ""))
    return int(total[1]) if total else None


def _reason(error: BaseException) -> str:
    """Give the root of an error of ``requests``, which wraps it several times, in one line."""
    while error.__context__ is not None:
        error = error.__context__
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
