"""What every request passes on its way in and out: whose page it comes from, headers of safety, and the counting."""

import logging
import time
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atrous.server.metrics import Metrics
from atrous.server.refusals import RefusedError
from atrous.server.schemas import Problem

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
READING = ("GET", "HEAD", "OPTIONS")
METHODS = (*READING, "POST", "PUT", "PATCH", "DELETE", "TRACE")
CLIENT_GONE = 499
"""What is counted for a request that nobody waits for any more."""
NOT_BEGUN = 0
FAULT = RefusedError(500, "fault", "The server failed at this request: its log says how.")
LOG = logging.getLogger(__name__)
SAFETY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def problem_response(refusal: RefusedError) -> Response:
    """The refusal as JSON."""
    problem = Problem(kind=refusal.kind, message=str(refusal))
    return Response(problem.model_dump_json(), refusal.status, refusal.headers, media_type="application/json")


class Gate:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, metrics: Metrics, origins: Collection[str], *, own_names_only: bool) -> None:
        """Stand before an application.

        Args:
            app: What answers.
            metrics: Where answers are counted.
            origins: The web pages, such as https://example.org, that may send pictures beside the server's own.
            own_names_only: Answer only to names of this machine and of the origins. Else a web page could give its own
                name this machine's address, and read what a server answers that nobody but this machine can reach.
        """
        self._app, self._metrics, self._origins = app, metrics, frozenset(origins)
        hosts = {urlsplit(origin).hostname or "" for origin in origins}
        self._names = LOOPBACK_NAMES | hosts if own_names_only else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), NOT_BEGUN

        async def send_safely(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SAFETY.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            self._require_friend(scope["method"], Headers(scope=scope))
            await self._app(scope, receive, send_safely)
        except RefusedError as refusal:
            await problem_response(refusal)(scope, receive, send_safely)
        except Exception:
            if status != NOT_BEGUN:
                raise  # the connection is closed, which tells the client that the answer is not whole
            LOG.exception("A request failed.")
            await problem_response(FAULT)(scope, receive, send_safely)
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            path = getattr(scope.get("route"), "path", "other")
            self._metrics.count_request(method, path, status, time.perf_counter() - began)

    def _require_friend(self, method: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if self._names is not None and _name_of(host) not in self._names:
            raise RefusedError(
                403,
                "foreign_host",
                "This server answers only to names of its own machine: open it as http://localhost, or start it with "
                "--origin and the address that it is reached by.",
            )
        origin = headers.get("origin")
        if method in READING or origin is None or origin in self._origins:
            return
        if origin not in (f"http://{host}", f"https://{host}"):
            raise RefusedError(
                403,
                "foreign_origin",
                "Pages of other sites may not send pictures here: start the server with --origin and their address.",
            )


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # brackets that do not close
        return ""
