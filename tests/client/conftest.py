"""A platform without sockets: the real web application over a real log, behind a client that can be told to fail."""

from __future__ import annotations

import pytest

from ledger.client.book import Book, Head
from ledger.client.http import Answer, UnreachableError
from ledger.client.push import Pusher
from ledger.client.receipts import ReceiptChecker
from ledger.client.spool import Spool
from ledger.core.keys import PrivateKey
from ledger.core.note import VerifierKey
from ledger.core.receipt import receipt_key_name
from ledger.core.trust import TrustFile
from tests import factories
from tests.kit import ORIGIN
from tests.webapp.desk import Desk


class LocalClient:
    """The interface of client.http.Client, straight into the application. `faults` are called, one a request."""

    def __init__(self, desk):
        self._http = desk.app.test_client()
        self.url, self.requests, self.faults = "http://here", [], []

    def request(self, method, path, body=None, headers=None):
        self.requests.append((method, path, body))
        fault = self.faults.pop(0) if self.faults else None

        def forward():
            r = self._http.open(path, method=method, data=body, headers=headers or {})
            return Answer(r.status_code, {k.lower(): v for k, v in r.headers.items()}, r.data)

        return fault(forward) if fault else forward()

    def close(self):
        pass


def lost_before(forward):
    raise UnreachableError("refused")


def lost_after(forward):
    forward()
    raise UnreachableError("cut")


def answer(status, body=b"{}", **headers):
    return lambda forward: Answer(status, {k.replace("_", "-"): v for k, v in headers.items()}, body)


class Here:
    def __init__(self, path):
        self.path = path
        self.desk = Desk(path / "log")
        self.client = LocalClient(self.desk)
        self.slept = []
        self.now = 0.0
        log = self.desk.log
        vkey = VerifierKey.parse(log.identity.receipt.verifier.to_vkey())
        assert vkey.name == receipt_key_name(ORIGIN)
        self.trust = TrustFile(ORIGIN, (), (vkey,), (), b"\0" * 32)
        self.holder = self.desk.acid.holder
        self.key = self.desk.acid.key
        self.place = (self.holder, "S1", "acid")

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def book(self, name="acid", head=None):
        return Book(log=ORIGIN, holder=self.holder, site="S1", book=name, signers=[self.key], head=head)

    def spool(self, **kwargs):
        return Spool(self.path / "spool", **kwargs)

    def fill(self, spool, count, name="acid"):
        """`count` records into the spool: an opening stock-take, then movements."""
        place = (self.holder, "S1", name)
        if spool.head(place) is None:
            spool.begin(place, Head())
        book = self.book(name, spool.head(place))
        made = []
        for _ in range(count):
            made.append(record(book))
            spool.add(made[-1])
        return made

    def pusher(self, spool, **kwargs):
        return Pusher(
            spool,
            self.client,
            ReceiptChecker(self.trust),
            sleep=self.sleep,
            monotonic=lambda: self.now,
            random=lambda: 0.5,
            **kwargs,
        )

    def log_ids(self, name="acid"):
        """record_ids of a book as the log has them, in order."""
        return [
            r.record_id for r in self.desk.stores.log.records(0, 10_000) if (r.holder, r.book) == (self.holder, name)
        ]


def record(book, kind=None, **more):
    kind = kind or ("stocktake" if book.head.seq == 0 else "movement")
    made = book.build(kind, factories.body(kind), event_time=factories.TIME, **more)
    book.took(made)
    return made


@pytest.fixture
def here(tmp_path):
    made = Here(tmp_path)
    yield made
    made.desk.close()


@pytest.fixture
def key():
    return PrivateKey.generate("ES256")
