"""A server from its first second to its last: it takes a port, answers, and finishes what it took on."""

import signal
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from atrous.errors import ConfigError
from atrous.server.connections import PatientProtocol

MORE_SECONDS = 10
"""Beyond the time limit of a request, for the answers that are still read when the server is stopped."""
MOST_CONNECTIONS = 128
"""That may wait for the system to take them on."""


def bound_socket(host: str, port: int) -> socket.socket:
    """Take a port; 0 takes a free one.

    Raises:
        ConfigError: If the port is taken, or the host is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        taken = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"--host {host} is no address of this machine ({error.strerror}).") from None
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except OSError as error:
        taken.close()
        raise ConfigError(
            f"The server cannot listen at {host}, port {port} ({error.strerror}): choose others with --host, --port."
        ) from None
    return taken


def url_of(taken: socket.socket) -> str:
    """Where a browser on this machine finds the server."""
    host, port = taken.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def run(app: FastAPI, taken: socket.socket, seconds: float) -> None:
    """Answer until SIGTERM or Ctrl-C; then finish what was taken on, and return.

    Args:
        app: What `create_app` returned.
        taken: What `bound_socket` returned.
        seconds: The time limit of a request; a second Ctrl-C waits for none.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")  # what a client sends is no matter of the log
    with _ending_well():
        uvicorn.Server(configured(app, seconds)).run(sockets=[taken])


def configured(app: FastAPI, seconds: float) -> uvicorn.Config:
    """How uvicorn runs the application: on its own where it listens, quiet, and patient for as long as is said."""
    return uvicorn.Config(
        app,
        http=PatientProtocol,
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=MOST_CONNECTIONS,
        timeout_graceful_shutdown=round(seconds) + MORE_SECONDS,
    )


@contextmanager
def _ending_well() -> Iterator[None]:
    """A server that was asked to stop has not failed: uvicorn raises the signals again when it has stopped."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    older = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in older.items():
            signal.signal(number, handler)
