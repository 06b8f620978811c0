"""A signer as web3signer is one, with the accounts of the tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.adapters.chain.conftest import STRANGER, SUBMITTER


class Signer(BaseHTTPRequestHandler):
    """Signs as web3signer does; `mood` makes it sign as another account or something else."""

    mood = "honest"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fields = {
            k: int(v, 16) if k not in ("to", "data", "from", "accessList") else v for k, v in asked["params"][0].items()
        }
        fields.pop("from")
        account = STRANGER if self.mood == "stranger" else SUBMITTER
        if self.mood == "other data":
            fields["data"] = "0x00"
        raw = account.sign_transaction(fields)
        result = "0x" + (b"\x02\xc0" if self.mood == "garbage" else raw).hex()
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def signer_url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Signer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Signer.mood = "honest"
    server.shutdown()
    server.server_close()
    thread.join()
