"""Requests that nobody would write by hand: drawn from the OpenAPI document, and pictures with damage."""

import os
from collections import Counter
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from atrous.server.limits import Limits
from tests.server.serving import encoded, png_of, sent, serving, some_mask
from tests.tiny_data import noise
from tests.weights.fuzzing import mutants

REQUESTS = int(os.environ.get("ATROUS_FUZZ_REQUESTS", "200"))
"""Of each address and kind; docs/reliability.md says how many were sent."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
]
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")


@pytest.mark.long
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_the_document_allows_or_forbids_is_answered_as_it_says(
    client: httpx.Client, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_url(f"{client.base_url}openapi.json")
    asked = Counter[str]()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=REQUESTS,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: "schemathesis.Case[Any]") -> None:
            response = case.call(timeout=60)
            asked[f"{case.operation.path} {response.status_code}"] += 1
            case.validate_response(response, checks=CHECKS)

        try:
            ask()
        except Exception as error:
            if "Unsatisfiable" not in type(error).__name__:  # an address without parameters has nothing wrong to say
                raise
    assert sum(asked.values()) > REQUESTS
    assert client.get("healthz").status_code == 200


@pytest.mark.long
def test_damaged_pictures_are_answered_or_refused() -> None:
    picture = noise((24, 32), 0)
    with serving(limits=Limits(pixels=100_000)) as client:
        statuses = Counter(
            sent(client, content).status_code
            for content in mutants([encoded(picture, picture_format) for picture_format in FORMATS], REQUESTS, 0)
        )
        assert set(statuses) <= {200, 413, 422}
        assert statuses[422] > REQUESTS / 10
        assert sent(client, png_of(some_mask())).status_code == 200
