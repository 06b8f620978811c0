"""The whole life of a record through the served program: push, append, anchor, bundle, verify."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.errors import OverloadedError
from tests import factories
from tests.kit import Book
from tests.served import NDJSON, ORIGIN, Served

SUBMISSION = "application/vnd.hazledger.submission.v1+json"
pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with Served(tmp_path_factory.mktemp("served")) as served:
        yield served


def test_life__push_anchor_bundle_verify__anchored_dev_by_another_process(served, tmp_path):
    (book,) = served.enterprises(1)
    status, answer = served.post("/api/v1/records", book.next("stocktake"), SUBMISSION)
    assert status == 201, answer
    status, answer = served.post("/api/v1/records:batch", b"\n".join(book.next() for _ in range(20)) + b"\n", NDJSON)
    assert status == 200, answer
    record_id = book.prev
    from ledger.cli.token import make_token

    token = make_token(served.installation(), "auditor", None, 1)
    here = served.installation()
    served.wait_for(lambda: here.stores.anchor.anchor_covering(21), 20, "an anchor")
    status, bundle = served.get(f"/api/v1/records/{record_id}/bundle", token)
    assert status == 200, bundle
    path = tmp_path / "record.hzb.json"
    path.write_bytes(served.raw(f"/api/v1/records/{record_id}/bundle", token))
    verify = [sys.executable, "-m", "ledger.cli.main", "verify", "bundle", str(path), "--trust", str(served.config.trust_path)]
    done = subprocess.run([*verify, "--require", "ANCHORED-DEV", "--rpc", served.service.rpc_url], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ANCHORED-DEV" in done.stdout
    assert subprocess.run(verify, capture_output=True, text=True).returncode == 3


def test_precheck__store_of_another_book__told_before_the_act_as_at_the_door(served):
    (enrolled,) = served.enterprises(1)
    book, office = (Book(enrolled.key, enrolled.holder, "S2", name, ORIGIN) for name in ("acid", "office"))
    asked = book.payload("stocktake")
    assert served.post("/api/v1/precheck", asked, "application/json")[0] == 200
    place = factories.body("place")
    place["sites"][0]["site"], place["sites"][0]["stores"][0]["book"] = "S2", "base"
    assert served.post("/api/v1/records", office.next("place", body=place), SUBMISSION)[0] == 201
    for path, body in (("precheck", asked), ("records", book.sign(asked))):
        status, answer = served.post(f"/api/v1/{path}", body, "application/json")
        assert (status, answer["type"]) == (422, "urn:hazledger:store-not-bound")


def test_sequencer_restarted__first_caller_of_every_web_thread__is_answered(served):
    books = served.enterprises(12, book="later")

    def push(book):
        return served.post("/api/v1/records", book.next("stocktake"), SUBMISSION)[0]

    with ThreadPoolExecutor(12) as pool:  # so that the threads have a connection each
        assert set(pool.map(push, books)) == {201}
    served.service.kill("sequencer")
    here = served.installation()
    served.wait_for(lambda: _answers(here), 20, "the sequencer")
    here.appender.close()
    here.stores.close()
    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(push, books)) == {201}


def _answers(here):
    try:
        return here.appender.status()
    except OverloadedError:
        return None
