from collections.abc import Iterator

import httpx
import pytest

from tests.server.serving import png_of, refusal, sent, serving, some_mask

PICTURE = png_of(some_mask())
FRIEND = "https://pages.example.org"


@pytest.fixture(scope="module")
def guarded() -> Iterator[httpx.Client]:
    with serving(token="a long random word", origins=[FRIEND]) as client:
        yield client


@pytest.mark.parametrize("path", ["v1/model", "metrics"])
def test_who_does_not_know_the_token_learns_nothing(guarded: httpx.Client, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic a"}, {"Authorization": "Bearer é"}):
        answer = guarded.get(path, headers=[(name.encode(), value.encode()) for name, value in headers.items()])
        refusal(answer, 401, "token_needed")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert guarded.get(path, headers={"Authorization": "Bearer a long random word"}).status_code == 200


def test_pictures_need_the_token_too(guarded: httpx.Client) -> None:
    refusal(sent(guarded, PICTURE), 401, "token_needed")
    refusal(sent(guarded, PICTURE, anwser="x"), 401, "token_needed")
    headers = {"Authorization": "Bearer a long random word", "Content-Type": "image/png"}
    assert guarded.post("v1/segment", content=PICTURE, headers=headers).status_code == 200


def test_the_page_and_the_health_need_no_token(guarded: httpx.Client) -> None:
    for path in ("/", "app.js", "style.css", "healthz", "openapi.json"):
        assert guarded.get(path).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "https://[", "file://"])
def test_pages_of_other_sites_may_not_send_pictures(client: httpx.Client, origin: str) -> None:
    headers = {"Origin": origin, "Content-Type": "image/png"}
    answer = client.post("v1/segment", content=PICTURE, headers=headers)
    refusal(answer, 403, "foreign_origin")
    assert "access-control-allow-origin" not in answer.headers
    asked = client.options("v1/segment", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    assert "access-control-allow-origin" not in asked.headers


def test_the_own_page_may_send_pictures(client: httpx.Client) -> None:
    own = str(client.base_url).rstrip("/")
    headers = {"Origin": own, "Content-Type": "image/png"}
    assert client.post("v1/segment", content=PICTURE, headers=headers).status_code == 200


def test_a_page_that_was_named_may_use_the_server(guarded: httpx.Client) -> None:
    asked = guarded.options(
        "v1/segment",
        headers={
            "Origin": FRIEND,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        },
    )
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == FRIEND
    headers = {"Origin": FRIEND, "Authorization": "Bearer a long random word", "Content-Type": "image/png"}
    answer = guarded.post("v1/segment", content=PICTURE, headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, FRIEND)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[", ""])
def test_a_server_of_this_machine_answers_to_no_foreign_name(client: httpx.Client, host: str) -> None:
    refusal(client.get("v1/model", headers={"Host": host}), 403, "foreign_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:8000"])
def test_a_server_of_this_machine_answers_to_its_names(client: httpx.Client, host: str) -> None:
    assert client.get("v1/model", headers={"Host": host}).status_code == 200


def test_every_answer_tells_browsers_to_be_careful(client: httpx.Client) -> None:
    for path in ("/", "v1/model", "nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] in ("no-store", "no-cache")
        assert "server" not in headers
