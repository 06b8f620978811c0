"""The really served program for tests: `hazledger init` and all its processes, over HTTP, on free ports."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from pathlib import Path

from ledger.adapters.chain.authority import EvmAuthority
from ledger.adapters.enrolments import save_enrolment
from ledger.cli.compose import AUTHORITY_ACCOUNT, Installation
from ledger.cli.init import make
from ledger.cli.serve import PROCESSES, Service
from ledger.cli.token import make_token
from ledger.config import load
from ledger.core.ids import credit_code_for
from ledger.core.keys import PrivateKey
from ledger.model import Enrolment, Role
from tests.kit import Book

ORIGIN = "county.test/haz"
NDJSON = "application/x-ndjson"


class Served:
    """One installation and its processes. Use as a context manager."""

    def __init__(self, state: Path, database: str = "sqlite", *, names=PROCESSES, environment=None, anchor_every_s=0.5):
        self.state = state
        self._token: str | None = None
        self.code = make(
            state, origin=ORIGIN, database=database, port=0, chain_port=0, anchor_every_s=anchor_every_s
        )
        self.config = load(state)
        self.service = Service(
            self.config, tuple(names), log_path=state / "processes.log", extra_environment=environment or {}
        )

    def __enter__(self) -> Served:
        try:
            self.service.start()
            self.wait_ready()
        except BaseException:
            # Nobody calls __exit__ then, and what still runs would be found, and blamed on, by a later test.
            self.service.stop()
            raise
        return self

    def __exit__(self, *_exc) -> None:
        self.service.stop()

    @property
    def url(self) -> str:
        return self.service.url

    @property
    def log_text(self) -> str:
        path = self.state / "processes.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def installation(self) -> Installation:
        """A fresh view on the state, with the chain's present endpoint."""
        return Installation(
            load(self.state, {"HAZLEDGER_CHAIN_ENDPOINTS": self.service.rpc_url} if self.service.node else {})
        )

    def wait_ready(self, within_s: float = 90.0) -> None:
        self.wait_for(lambda: self.get("/readyz")[0] == 200, within_s, "ready")

    def wait_for(self, condition, within_s: float = 20.0, what: str = "the condition"):
        """Watch the processes until `condition()` is truthy; its value."""
        until = time.monotonic() + within_s
        while True:
            self.service.watch()
            try:
                value = condition()
            except (OSError, http.client.HTTPException):
                value = None
            if value:
                return value
            if time.monotonic() > until:
                raise AssertionError(f"{what} not within {within_s} s; the processes said:\n{self.log_text[-4000:]}")
            time.sleep(0.05)

    def get(self, path: str, token: str | None = None, headers=None):
        return self.request("GET", path, token=token, headers=headers)

    def raw(self, path: str, token: str | None = None) -> bytes:
        """The exact bytes of a 200 answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=headers), timeout=20) as answer:
            return answer.read()

    def post(self, path: str, body: bytes, content_type: str):
        return self.request("POST", path, body, {"Content-Type": content_type})

    def request(self, method, path, body=None, headers=None, token=None):
        """(status, parsed JSON or bytes). Raises OSError when nobody answers."""
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                status, data, kind = answer.status, answer.read(), answer.headers.get("Content-Type", "")
        except urllib.error.HTTPError as error:
            status, data, kind = error.code, error.read(), error.headers.get("Content-Type", "")
        except urllib.error.URLError as error:
            raise OSError(str(error.reason)) from error
        return status, (json.loads(data) if "json" in kind and "ndjson" not in kind else data)

    def reasons(self) -> list[dict]:
        """Why it is not ready, as an auditor's token hears it; none while it is."""
        status, answer = self.get("/readyz", self._token)
        if status == 200:
            return []
        if any("detail" not in reason for reason in answer["reasons"]):
            here = self.installation()  # no token yet, or a restored store has it not
            self._token = make_token(here, "auditor", None, 1)
            here.stores.close()
            answer = self.get("/readyz", self._token)[1]
        return answer.get("reasons", [])

    def enterprises(self, count: int = 1, book: str = "acid") -> list[Book]:
        """Enrol `count` enterprises on the chain and wait until the platform knows their grants."""
        here = self.installation()
        authority = EvmAuthority(here.chain(account=here.account(AUTHORITY_ACCOUNT), journal=here.stores.anchor))
        books, enrolments = [], []
        for n in range(count):
            key, holder = PrivateKey.generate(), credit_code_for(f"91320100MA1P{n:05d}")
            enrolment = Enrolment(key.keyid, key.spki, holder, "", Role.ENTERPRISE)
            save_enrolment(self.config.enrolments_dir, ORIGIN, enrolment)
            enrolments.append(enrolment)
            books.append(Book(key, holder, book=book, origin=ORIGIN))
        authority.enrol_many(enrolments)
        wanted = {b.key.keyid for b in books}
        self.wait_for(lambda: wanted <= {g.keyid for g in here.stores.log.grants()}, 20, "the grants")
        here.stores.close()
        return books
