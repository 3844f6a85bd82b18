"""Whether the hub answers, asked of servers that answer, refuse, or keep silent."""

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest
from huggingface_hub import constants

from workloads.support import hub_answers as hub


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub.hub_answers.cache_clear()
    yield
    hub.hub_answers.cache_clear()


def test_hub_answers_any_status_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.handle_request, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    assert hub.hub_answers()
    server.server_close()


def test_hub_answers_a_silent_or_closed_port_is_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert not hub.hub_answers()
    hub.hub_answers.cache_clear()
    assert not hub.hub_answers()
    hub.hub_answers.cache_clear()
    monkeypatch.setattr(constants, "ENDPOINT", "no address")
    assert not hub.hub_answers()


def test_hub_answers_switched_off_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "ENDPOINT", None)
    assert not hub.hub_answers()
