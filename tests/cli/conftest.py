import pytest

from tests.cli.terminal import Terminal


@pytest.fixture
def atrous(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)
