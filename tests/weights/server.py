"""A local server that behaves as badly as real ones do."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


@dataclass(frozen=True)
class Fault:
    """How an answer differs from a good server's."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None  # bytes sent before the connection is closed
    claim: int | None = None  # Content-Length; -1: none
    stall: bool = False  # say nothing after the headers


@dataclass
class Server:
    """Files by path, faults in the order of requests, and what was asked for."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    always: Fault = field(default_factory=Fault)
    knows_ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    stopped: Event = field(default_factory=Event)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one GET."""
        wanted = request.headers.get("Range")
        self.asked.append((request.path, wanted))
        fault = self.faults.pop(0) if self.faults else self.always
        content = self.files.get(request.path)
        status, body, headers = 200, content or b"", dict[str, str]()
        if fault.status not in (None, 206) or content is None:
            status, body = fault.status or 404, b"an answer for people"
        elif wanted is not None and self.knows_ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            status, body = 206, content[start:]
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            if not body:
                status, headers["Content-Range"] = 416, f"bytes */{len(content)}"
        if fault.claim != -1:
            headers["Content-Length"] = str(len(body) if fault.claim is None else fault.claim)
        request.send_response(status)
        for name, value in (headers | dict(fault.headers)).items():
            request.send_header(name, value)
        request.end_headers()
        if fault.stall:
            self.stopped.wait()
        else:
            request.wfile.write(body[: fault.cut])


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server until the end of the ``with``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        running = Server(f"http://127.0.0.1:{listener.server_port}")
        thread = Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield running
        finally:
            running.stopped.set()
            listener.shutdown()
            thread.join()
