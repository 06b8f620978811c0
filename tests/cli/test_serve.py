"""When `hazledger serve` says that portal and API are there."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ledger.cli.serve import PATIENCE_S, Door


class Web:
    """Answers /readyz as the test says: status and body."""

    def __init__(self):
        self.answer = (200, b"{}")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = outer.answer if self.path == "/readyz" else (404, b"")
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def waits_for(self, *parts):
        self.answer = (503, json.dumps({"reasons": [{"part": part} for part in parts]}).encode())

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def web():
    made = Web()
    yield made
    made.close()


LATE = PATIENCE_S + 1


def test_door__address__said_once_and_not_before_all_is_ready(web):
    door = Door(web.url, since=0.0)
    web.waits_for("sequencer")
    assert door.news(1.0) == []
    web.answer = (200, b"{}")
    assert door.news(2.0) == [f"ready; portal and API: {web.url}"]
    web.waits_for("chain")
    assert door.news(LATE) == []


def test_door__long_start__names_what_it_waits_for_and_again_when_that_changes(web):
    door = Door(web.url, since=0.0)
    web.waits_for("sequencer", "engine")
    (line,) = door.news(LATE)
    assert "sequencer, engine" in line and web.url in line
    assert door.news(LATE + 1) == []
    web.waits_for("engine")
    (line,) = door.news(LATE + 2)
    assert "waiting for: engine" in line
    web.answer = (200, b"{}")
    assert door.news(LATE + 3) == [f"ready; portal and API: {web.url}"]


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b'{"reasons": 7}', b'{"reasons": []}', b'{"reasons": [1]}'])
def test_door__answer_of_another_form__is_not_ready(web, body):
    web.answer = (503, body)
    door = Door(web.url, since=0.0)
    assert door.news(1.0) == []
    assert "waiting for: web" in door.news(LATE)[0]


def test_door__nobody_answers__is_not_ready(web):
    door = Door("http://127.0.0.1:1", since=0.0)
    assert door.news(1.0) == []
    assert "waiting for: web" in door.news(LATE)[0]
