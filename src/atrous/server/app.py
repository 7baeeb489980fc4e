"""The application: which addresses there are, and how whatever goes wrong is told."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from atrous import __version__
from atrous.server.answers import MEDIA_TYPES
from atrous.server.gate import CLIENT_GONE, Gate, problem_response
from atrous.server.refusals import Kind, RefusedError
from atrous.server.schemas import PICTURE_BODY, ModelCard, Problem, SegmentAnswer
from atrous.server.service import Service

PAGE = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    "/app.js": ("app.js", "text/javascript"),
    "/camera.js": ("camera.js", "text/javascript"),
    "/paint.js": ("paint.js", "text/javascript"),
    "/server.js": ("server.js", "text/javascript"),
    "/png.js": ("png.js", "text/javascript"),
}
BINARY = {"schema": {"type": "string", "format": "binary"}}
ABOUT = "Which class is each pixel of a picture? Send one to `/v1/segment`; the page at `/` does the same for people."
REASONS = {
    400: "The request or its form is damaged.",
    401: "The token is missing or wrong.",
    403: "The request comes from a page of another site, or under a foreign name.",
    404: "There is no such model.",
    405: "The address has no such method.",
    406: "There is no such type of answer.",
    408: "The upload took too long.",
    413: "The upload, the picture or the answer is too large.",
    415: "The body is no picture and no form.",
    422: "A parameter is wrong, or the picture cannot be read.",
    429: "The server has enough to do; Retry-After says when to come again.",
    500: "A fault of the server.",
    503: "It took too long, or the server is being stopped.",
}
STATUS_KINDS: dict[int, tuple[Kind, str]] = {
    404: ("not_found", "There is nothing at this address: pictures go to POST /v1/segment."),
    405: ("wrong_method", "This address knows no such method: the header Allow says which it knows."),
}


def create_app(service: Service, origins: Collection[str] = (), *, own_names_only: bool = False) -> FastAPI:
    """Return the application for uvicorn, or any other server of ASGI.

    Args:
        service: The models and their limits.
        origins: Web pages, such as https://example.org, that may use the server beside its own.
        own_names_only: Answer only to names of this machine and of the origins; for servers on loopback.
    """

    @asynccontextmanager
    async def until_stopped(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.worker.stop()

    app = FastAPI(
        title="atrous", version=__version__, description=ABOUT, lifespan=until_stopped, docs_url=None, redoc_url=None
    )
    app.include_router(_guarded_routes(service))
    app.get("/healthz", tags=["server"], operation_id="health", responses=_reasons(403, 405))(service.health)
    for path in PAGE:
        app.get(path, include_in_schema=False)(_page(path))
    _add_handlers(app)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Retry-After"],
        )
    app.add_middleware(Gate, metrics=service.metrics, origins=origins, own_names_only=own_names_only)
    return app


def _guarded_routes(service: Service) -> APIRouter:
    """What asks for the token, where there is one."""
    router = APIRouter(dependencies=[Depends(service.require_token)], responses=_reasons(401, 403, 405, 500))
    answers: dict[str, Any] = {media: BINARY for media in MEDIA_TYPES if media != "application/json"}
    router.post(
        "/v1/segment",
        tags=["pictures"],
        operation_id="segment",
        response_class=Response,
        responses={
            200: {"description": "What was asked for.", "model": SegmentAnswer, "content": answers},
            **_reasons(400, 404, 406, 408, 413, 415, 422, 429, 503),
        },
        openapi_extra={"requestBody": PICTURE_BODY},
    )(service.segment)
    router.get(
        "/v1/model",
        tags=["models"],
        operation_id="model",
        response_model=ModelCard,
        responses=_reasons(404, 422),
    )(service.card)
    router.get(
        "/metrics",
        tags=["server"],
        operation_id="metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )(service.counted)
    return router


def _reasons(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"description": REASONS[status], "model": Problem} for status in statuses}


def _page(path: str) -> Any:
    name, media_type = PAGE[path]
    content = (files("atrous.server") / "static" / name).read_bytes()

    async def page() -> Response:
        return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})

    return page


def _add_handlers(app: FastAPI) -> None:
    @app.exception_handler(RefusedError)
    async def refused(_: Request, refusal: RefusedError) -> Response:
        return problem_response(refusal)

    @app.exception_handler(HTTPException)
    async def not_there(_: Request, error: HTTPException) -> Response:
        kind, sentence = STATUS_KINDS.get(error.status_code, ("fault", str(error.detail)))
        return problem_response(RefusedError(error.status_code, kind, sentence, error.headers))

    @app.exception_handler(RequestValidationError)
    async def wrong_parameter(_: Request, error: RequestValidationError) -> Response:
        return problem_response(RefusedError(422, "wrong_parameter", _sentence(error)))

    @app.exception_handler(ClientDisconnect)
    async def client_gone(_: Request, __: ClientDisconnect) -> Response:
        return problem_response(RefusedError(CLIENT_GONE, "client_gone", "The client went away."))


def _sentence(error: RequestValidationError) -> str:
    """The first of the faults, in words."""
    fault = error.errors()[0]
    name = str(fault["loc"][-1])[:80]
    if fault["type"] == "extra_forbidden":
        return f"There is no parameter `{name}`: GET /openapi.json lists them."
    return (
        f"The parameter `{name}` is wrong ({str(fault['msg'])[:300].lower()}): GET /openapi.json says what it can be."
    )
