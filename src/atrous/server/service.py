"""What a server does with a picture, from one request to its answer; addresses are given to this in `app.py`."""

import asyncio
import hmac
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Annotated

import numpy as np
from fastapi import Depends, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import ClientDisconnect

from atrous.config import nearest
from atrous.server.answers import Answer, require_room_for, wanted_by
from atrous.server.computing import Size, Task, answers_of, batch_limit
from atrous.server.limits import Limits
from atrous.server.metrics import CONTENT_TYPE, Metrics, resident_bytes
from atrous.server.refusals import RefusedError
from atrous.server.schemas import ClassCard, Health, ModelCard, ModelOptions, SegmentOptions
from atrous.server.uploads import HeldBytes, PictureBytes, read_upload
from atrous.server.worker import Worker

if TYPE_CHECKING:
    from atrous.inference.sliding_window import AnyPredictor

SMALL = (64, 64, 3)
TOKEN = HTTPBearer(auto_error=False, description="The token that the server was started with, if there is one.")


class Service:
    """The models of a server, and what its requests share."""

    def __init__(
        self, models: "Mapping[str, AnyPredictor]", limits: Limits | None = None, token: str | None = None
    ) -> None:
        """Take models under the names that requests call them by; the first one answers where none is named.

        Args:
            models: At least one.
            limits: What the server takes on.
            token: What clients have to know, if anything.

        Raises:
            ValueError: If there is no model.
        """
        if not models:
            raise ValueError("a server needs at least one model")
        self.models, self.limits, self._token = dict(models), limits or Limits(), token
        self.worker, self.held = Worker(self._computed, self.limits.waiting), HeldBytes(self.limits.held_bytes)
        self._header = asyncio.Lock()
        self.metrics = Metrics(
            {
                "atrous_waiting": ("Pictures that wait.", lambda: self.worker.waiting),
                "atrous_held_bytes": ("Bytes of uploads in memory.", lambda: self.held.count),
                "process_resident_memory_bytes": ("Memory of the process.", resident_bytes),
            }
        )

    def warm_up(self) -> None:
        """Segment a small picture with each model, so that no client waits for what is compiled at first."""
        for predictor in self.models.values():
            prediction = predictor(np.zeros(SMALL, np.uint8))
            prediction.polygons()
            _ = prediction.probabilities

    def require_token(self, given: Annotated[HTTPAuthorizationCredentials | None, Depends(TOKEN)]) -> None:
        """Refuse who does not know the token, where there is one.

        Raises:
            RefusedError: Status 401.
        """
        shown = given.credentials if given else ""
        if self._token is not None and not hmac.compare_digest(shown.encode(), self._token.encode()):
            raise RefusedError(
                401,
                "token_needed",
                "This server asks for its token: send it as `Authorization: Bearer TOKEN`.",
                {"WWW-Authenticate": "Bearer"},
            )

    async def health(self) -> Health:
        """That the server is there, and how many pictures wait."""
        return Health(waiting=self.worker.waiting)

    async def counted(self) -> Response:
        """What the server has done, for Prometheus."""
        return Response(self.metrics.text(), media_type=CONTENT_TYPE)

    async def card(self, options: Annotated[ModelOptions, Query()]) -> ModelCard:
        """A model's classes with their colours, the names of all models, and what the server takes."""
        name = self._name_of(options.model)
        labels = self.models[name].labels
        return ModelCard(
            name=name,
            title=self.models[name].name,
            classes=[
                ClassCard(index=index, name=class_name, color=color)
                for index, (class_name, color) in enumerate(zip(labels.names, labels.colors, strict=True))
            ],
            ignore_index=labels.ignore_index,
            models=list(self.models),
            limits=self.limits,
        )

    async def segment(self, request: Request, options: Annotated[SegmentOptions, Query()]) -> Response:
        """Say which class each pixel of a picture is.

        The picture is turned upright as its EXIF says; a mask has exactly its size. Pictures wait in a queue with an
        end; where too many wait, the answer is 429, and its Retry-After says when to come again.
        """
        name = self._name_of(options.model)
        wanted = wanted_by(options, request.headers.get("accept", ""))
        self.worker.require_place()  # else the upload would be for nothing
        with self.held.one_upload() as upload:
            picture = await read_upload(request, upload, self.limits)
            size = await self._checked_size(picture)
            require_room_for(wanted, size, self.models[name].labels.num_classes, self.limits)
            together = batch_limit(size, self.limits, on_gpu=self.models[name].on_gpu)
            task = Task(picture, size, name, wanted, options)
            answer = await self._finished(request, self.worker.submit(task, (name, size), together))
        return Response(answer.content, media_type=answer.media_type)

    def _name_of(self, model: str | None) -> str:
        name = next(iter(self.models)) if model is None else model
        if name not in self.models:
            raise RefusedError(404, "unknown_model", f"There is no such model here: {nearest(name[:80], self.models)}.")
        return name

    async def _checked_size(self, picture: PictureBytes) -> Size:
        """What its header says, before it takes a place; one after the other, as headers can be large, too."""
        async with self._header:
            return await asyncio.to_thread(picture.size, self.limits)

    def _computed(self, tasks: Sequence[Task]) -> Iterator[Answer | Exception]:
        return answers_of(tasks, self.models[tasks[0].model], self.limits, self.metrics)

    async def _finished(self, request: Request, job: "Future[Answer]") -> Answer:
        """Wait for an answer, as long as somebody waits for it."""
        answer = asyncio.wrap_future(job)
        gone = asyncio.create_task(_client_gone(request))
        try:
            await asyncio.wait((answer, gone), timeout=self.limits.seconds, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            if gone.done():
                raise ClientDisconnect
            raise RefusedError(
                503,
                "took_too_long",
                f"The picture was not done in {self.limits.seconds:g} seconds: try again, or send a smaller one.",
                {"Retry-After": "5"},
            )
        finally:
            answer.cancel()  # a job that still waits gives up its place
            gone.cancel()


async def _client_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
