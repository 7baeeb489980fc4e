from collections.abc import Iterator

import httpx
import pytest

from tests.server.serving import serving


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving() as client:
        yield client
