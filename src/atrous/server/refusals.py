"""Whatever a server does not do, it says in one sentence, as JSON."""

from collections.abc import Mapping
from typing import Literal

from atrous.errors import AtrousError

Kind = Literal[
    "no_request",
    "wrong_parameter",
    "wrong_form",
    "token_needed",
    "foreign_origin",
    "foreign_host",
    "not_found",
    "unknown_model",
    "wrong_method",
    "not_acceptable",
    "upload_too_slow",
    "upload_too_large",
    "picture_too_large",
    "answer_too_large",
    "wrong_type",
    "unreadable_picture",
    "busy",
    "client_gone",
    "stopping",
    "took_too_long",
    "fault",
]


class RefusedError(AtrousError):
    """A request that is not answered by a result; the text is one readable sentence."""

    def __init__(self, status: int, kind: Kind, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        """Take what the client is told.

        Args:
            status: Of HTTP.
            kind: For programs, which do not read sentences.
            sentence: For people: what is wrong, and what to do.
            headers: Those that belong to the status, such as Retry-After.
        """
        super().__init__(sentence)
        self.status, self.kind, self.headers = status, kind, dict(headers or {})


def busy(seconds: int) -> RefusedError:
    """The refusal of a server that has enough to do; it says when to come back."""
    wait = "a second" if seconds == 1 else f"{seconds} seconds"
    return RefusedError(
        429, "busy", f"The server has as many pictures as it takes: try again in {wait}.", {"Retry-After": str(seconds)}
    )
