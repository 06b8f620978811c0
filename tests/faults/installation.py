"""A small installation with a row in every table and a file of every kind, built once by the served program."""

from __future__ import annotations

import secrets
import time
from functools import cache
from pathlib import Path

from ledger.catalogue import Catalogue
from ledger.adapters.keystore.signing import public_key_of
from ledger.adapters.chain.authority import EvmAuthority
from ledger.adapters.enrolments import save_enrolment
from ledger.cli.compose import AUTHORITY_ACCOUNT, PLATFORM_KEY
from ledger.cli.token import make_token
from ledger.core.disclosure import make_disclosure, make_sd
from ledger.core.ids import resident_id_for
from ledger.core.dsse import PAYLOAD_TYPE, encode_envelope, pae
from ledger.core.keys import PrivateKey, load_public_key
from ledger.core.record import record_id_of
from ledger.engine.rules import RuleSet
from ledger.evaluate import Evaluator, Platform, shipped_rules
from ledger.core.submission import SUBMISSION_TYPE
from ledger.core.tiles import TILE_WIDTH
from ledger.flow import Directory, Door, checked
from ledger.model import Enrolment, Role, Signature, UnixMs
from ledger.watch import watch
from tests import factories
from tests.faults.load import _after_the_count, _cas
from tests.kit import Book
from tests.served import ORIGIN, Served

RECORDS = 150
# With the alerts that they give more than a tile holds, so that a full tile stands beside a partial one.


def fill(served: Served, monkeypatch) -> None:
    """Everything that leaves a row somewhere. `served` runs without its engine, which works here with early snapshots."""
    books = served.enterprises(2)
    for book in books:
        _ok(served.post("/api/v1/records", book.next("stocktake"), SUBMISSION_TYPE), 201)
    first = books[0]
    office = Book(first.key, first.holder, book="office", origin=first.origin)
    place = factories.body("place")
    (site,) = place["sites"]
    site["stores"].append(site["stores"][0] | {"id": "R2", "book": "dip"})
    _ok(served.post("/api/v1/records", office.next("place", body=place), SUBMISSION_TYPE), 201)
    for n in range(RECORDS):
        book = books[n % 2]
        code = _cas(n % 2, n) if n % 40 == 7 else "7697-37-2"
        # A dip by event time alone: explained later, so its rule waits on a timer.
        direction = "out" if n % 3 else "in"
        reason = "sale" if direction == "out" else "purchase"
        body = factories.body("movement", direction=direction, reason=reason, lines=[factories.line(code=code, value="20")])
        _ok(served.post("/api/v1/records", book.next(body=body, event_time=_after_the_count(RECORDS - n)), SUBMISSION_TYPE), 201)
    _dip(served, first)
    _weigh(served, books[1])
    _disclose(served, first)
    _refused(served, books[1])
    _final(served, books[1])
    tick(served)
    _look_around(served, first.prev)
    _fold(served, monkeypatch)
    _supervise(served)
    _fold(served, monkeypatch)
    served.wait_for(lambda: _anchored(served), 30, "an anchor over everything")
    here = served.installation()
    size = here.stores.log.size()
    here.stores.close()
    assert size > TILE_WIDTH and size % TILE_WIDTH > 20, size


def _dip(served: Served, key: Book) -> None:
    """By event time the stock was below nothing for a while: the rule waits, so a timer stands."""
    book = Book(key.key, key.holder, book="dip", origin=key.origin)
    count = factories.body("stocktake", lines=[factories.line(value="100", store="R2")])
    _ok(served.post("/api/v1/records", book.next("stocktake", body=count), SUBMISSION_TYPE), 201)
    for direction, reason, value, at in (("in", "purchase", "100", 50), ("out", "sale", "150", 40)):
        body = factories.body("movement", direction=direction, reason=reason, lines=[factories.line(value=value, store="R2")])
        _ok(served.post("/api/v1/records", book.next(body=body, event_time=_after_the_count(at)), SUBMISSION_TYPE), 201)


def _weigh(served: Served, key: Book) -> None:
    """Three counts of bulk material, so that its stream has two balances and a scatter of its own."""
    book = Book(key.key, key.holder, book="scales", origin=key.origin)
    for seconds, value in enumerate(("100", "99.5", "99.8")):
        at = _after_the_count(10 * seconds)
        count = factories.body("stocktake", cut_off=at, lines=[factories.line(value=value, store="R9")])
        _ok(served.post("/api/v1/records", book.next("stocktake", body=count, event_time=at), SUBMISSION_TYPE), 201)


def tick(served: Served):
    """Have the sequencer write a tick; None when the last is younger than a minute."""
    here = served.installation()
    try:
        return here.appender.tick(UnixMs(0))
    finally:
        here.appender._drop()
        here.stores.close()


def _disclose(served: Served, book: Book) -> None:
    """Two ID numbers; one of them is erased."""
    here = served.installation()
    for n in range(2):
        shown = [make_disclosure("/body/handlers/0/id_number", resident_id_for("11010519491231002"), bytes([n + 1]) * 16)]
        payload = book.payload(
            _sd=make_sd(shown, secrets.token_bytes), _sd_alg="sha-256", event_time=_after_the_count(900 + n)
        )
        book.took(payload)
        submission = b'{"envelope":%b,"disclosures":["%b"]}' % (book.sign(payload), shown[0].text.encode())
        _ok(served.post("/api/v1/records", submission, SUBMISSION_TYPE), 201)
    body = {"digests": [shown[0].digest], "basis": "cn591.retention.sales"}
    here.appender.append_platform("erasure", "erasures", body)
    here.appender._drop()
    here.stores.close()


def _refused(served: Served, book: Book) -> None:
    """A fork (409) and a first movement in an unopened book (422): both kept with their notes."""
    seq, prev = book.seq, book.prev
    book.seq -= 1
    _ok(served.post("/api/v1/records", book.sign(book.payload()), SUBMISSION_TYPE), 409)
    book.seq, book.prev = seq, prev
    unopened = Book(book.key, book.holder, book="new", origin=book.origin)
    _ok(served.post("/api/v1/records", unopened.sign(unopened.payload()), SUBMISSION_TYPE), 422)


def _final(served: Served, book: Book) -> None:
    body = factories.body("close", final=True, last_seq=book.seq)
    _ok(served.post("/api/v1/records", book.next("close", body=body, event_time=_after_the_count(1000)), SUBMISSION_TYPE), 201)


def _supervise(served: Served) -> None:
    """A supervisor puts the newest alert under an order."""
    here = served.installation()
    key, issuer = PrivateKey.generate("Ed25519"), "supervisor.test"
    enrolment = Enrolment(key.keyid, key.spki, issuer, "", Role.SUPERVISOR)
    save_enrolment(served.config.enrolments_dir, ORIGIN, enrolment)
    authority = EvmAuthority(here.chain(account=here.account(AUTHORITY_ACCOUNT), journal=here.stores.anchor))
    authority.enrol_many([enrolment])
    served.wait_for(lambda: key.keyid in {g.keyid for g in here.stores.log.grants()}, 20, "the grant")
    ((_, alert),) = here.stores.engine.newest_alerts(limit=1)
    order = factories.body("order", holder=alert.holder, alerts=[alert.alert_id], due="2026-03-09T18:00:00+08:00")
    order_id = _signed(served, key, issuer, "order", order)
    move = {"alert": alert.alert_id, "from": "open", "to": "order_issued", "order": order_id}
    _signed(served, key, issuer, "alert_transition", move)
    here.stores.close()


def _signed(served: Served, key: PrivateKey, issuer: str, kind: str, body: dict) -> str:
    """Push the first record of a book of its own; its record_id."""
    document = factories.payload(kind, log=ORIGIN, issuer=issuer, signers=[key.keyid], body=body)
    document.pop("seen", None)
    payload = factories.encode(document)
    envelope = encode_envelope(payload, [Signature(key.keyid, key.sign(pae(PAYLOAD_TYPE, payload)))])
    _ok(served.post("/api/v1/records", envelope, SUBMISSION_TYPE), 201)
    return record_id_of(payload)


def _fold(served: Served, monkeypatch) -> None:
    monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 100)
    here = served.installation()
    log = here.stores.log
    door = Door(here.config.origin, Directory(log), log, here.appender)
    platform = Platform(here.config.issuer, load_public_key(public_key_of(here.config.keys_dir / PLATFORM_KEY)).keyid)
    evaluator = Evaluator(
        log_reader=log,
        store=here.stores.engine,
        appender=here.appender,
        admit=lambda envelope: checked(envelope, SUBMISSION_TYPE, door),
        rules=_rules(),
        classifier=Catalogue.load(),
        platform=platform,
        clock=lambda: UnixMs(0),
    )
    while evaluator.evaluate_once() or here.stores.engine.cursor() < log.size():
        pass
    here.appender._drop()
    here.stores.close()


@cache
def _rules() -> RuleSet:
    """Read once: reading them all takes seconds, and this folds twice."""
    return shipped_rules()


def _look_around(served: Served, record_id: str) -> None:
    """A token, a session, rows of the access log."""
    here = served.installation()
    now = time.time_ns() // 1_000_000
    token = make_token(here, "auditor", None, 1)
    here.stores.portal.count_attempt("address:203.0.113.9", now, lambda failed: 0, 1000)
    here.stores.portal.create_session("5" * 64, "supervisor", now, now + 10**6)
    served.wait_for(lambda: here.stores.anchor.latest_anchor(), 20, "an anchor")
    for _ in range(3):
        here.stores.portal.log_access("auditor", "bundle", record_id, now)
    watch(portal=here.stores.portal, log=here.stores.log, appender=here.appender, issuer=here.config.issuer)
    here.appender._drop()
    assert served.get(f"/api/v1/records/{record_id}", token)[0] == 200
    here.stores.close()


def _anchored(served: Served) -> bool:
    here = served.installation()
    newest = here.stores.anchor.latest_anchor()
    done = newest is not None and newest.size == here.stores.log.size() == here.stores.engine.cursor()
    here.stores.close()
    return done


def _ok(answer, status: int) -> None:
    assert answer[0] == status, answer


def chain_endpoint(served: Served) -> str:
    return served.service.rpc_url


def files_of(state: Path) -> list[str]:
    """Every file in the state directory, by relative path."""
    return sorted(str(path.relative_to(state)) for path in state.rglob("*") if path.is_file() or path.is_symlink())
