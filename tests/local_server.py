"""A server on this machine that serves bytes, and fails in the ways that servers fail."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """One file, and how it is served."""

    content: bytes
    etag: str | None = '"1"'
    ranges: bool = True
    kind: str = "application/octet-stream"
    failures: list[int] = field(default_factory=list)
    """Status codes of the next answers, before it is served; 0 breaks off in the middle."""
    redirect: str | None = None
    claimed: int | str | None = None
    """The length that it is said to have."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class LocalServer:
    """Files by path, and the requests that came."""

    address: str
    files: dict[str, Served]
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and range of each."""

    def __call__(self, path: str) -> str:
        """The address of a file."""
        return f"{self.address}/{path}"


@contextmanager
def serving(**files: Served) -> Iterator[LocalServer]:
    """Serve files by name; `_` stands for the dot before a suffix."""
    with serving_paths({name.replace("_", "."): file for name, file in files.items()}) as server:
        yield server


@contextmanager
def serving_paths(files: dict[str, Served]) -> Iterator[LocalServer]:
    """Serve files by path."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._serve(body=False)

        def do_GET(self) -> None:
            self._serve(body=True)

        def _serve(self, *, body: bool) -> None:
            path = self.path.lstrip("/").split("?")[0]
            server.requests.append((path, self.headers.get("Range")))
            file = files.get(path)
            status = 404 if file is None else file.failures.pop(0) if file.failures else 200
            if file is None or status not in (0, 200):
                self._answer(status, b"", {} if file is None else file.headers)
                return
            if file.redirect is not None:
                self._answer(302, b"", {"Location": file.redirect})
                return
            headers = {"Content-Type": file.kind, **file.headers}
            if file.etag:
                headers["ETag"] = file.etag
            content, code = file.content, file.status
            wanted = self.headers.get("Range")
            if wanted and file.ranges and self.headers.get("If-Range", file.etag) == file.etag:
                start, last = (int(end or len(content)) for end in wanted.removeprefix("bytes=").split("-"))
                stop = min(last + 1, len(content))
                if start >= len(content):
                    self._answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
                    return
                headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
                content, code = content[start:stop], 206
            length = file.claimed or len(content)
            if status == 0:
                content = content[: len(content) // 2]
            self._answer(code, content if body else b"", headers, length)
            if status == 0:
                self.close_connection = True

        def _answer(self, code: int, content: bytes, headers: dict[str, str], length: int | str | None = None) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Transfer-Encoding" not in headers:
                self.send_header("Content-Length", str(len(content) if length is None else length))
            with suppress(BrokenPipeError, ConnectionResetError):  # whoever asked has heard enough
                self.end_headers()
                self.wfile.write(content)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = LocalServer(f"http://127.0.0.1:{http.server_port}", files)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
