"""Connections whose other end is slow, silent or wrong: none is kept for ever."""

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS_FOR_A_HEAD = 15.0
"""Until the head of a request has come; also until the rest of a body has come that was refused already."""
SECONDS_WITHOUT_READING = 30.0
"""For which a client may leave an answer unread."""
LEAST_READ = 1_000_000
"""Bytes of a large answer that count as reading in this time; a slow client is not a silent one."""


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with an end to patience."""

    _head_timer: asyncio.TimerHandle | None = None
    _reading_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for the head of a request."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Go on with a request; a head that has begun has to end."""
        super().data_received(data)
        self._expect()

    def on_response_complete(self) -> None:
        """Wait for what the client still sends of a body that was refused."""
        super().on_response_complete()
        self._expect(idle=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        for timer in (self._head_timer, self._reading_timer):
            if timer:
                timer.cancel()

    def pause_writing(self) -> None:
        """The client does not read its answer; that has to end, too."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """The client reads."""
        super().resume_writing()
        if self._reading_timer:
            self._reading_timer.cancel()

    def _expect_reading(self) -> None:
        """Look again after a while; break off if nearly as much is unread then."""
        unread = self.transport.get_write_buffer_size()

        def look() -> None:
            if self.transport.get_write_buffer_size() > unread - LEAST_READ:
                self.transport.abort()
            else:
                self._expect_reading()

        self._reading_timer = self.loop.call_later(SECONDS_WITHOUT_READING, look)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, as JSON; break off where an answer has begun already."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        body = json.dumps({"kind": "no_request", "message": f"{msg.rstrip('.')}: send HTTP/1.1."}).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _expect(self, *, idle: bool = False) -> None:
        """Set the timer while a head or the rest of a refused body is awaited, and only then."""
        rest = self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY
        head = self.conn.their_state is h11.IDLE and not idle  # after an answer uvicorn's own timer runs
        if self._head_timer and not (head or rest):
            self._head_timer.cancel()
            self._head_timer = None
        elif (head or rest) and not self._head_timer:
            self._head_timer = self.loop.call_later(SECONDS_FOR_A_HEAD, self.transport.abort)
