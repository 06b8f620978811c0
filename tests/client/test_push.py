"""Pushing: the same bytes until they are answered; each receipt checked; a refused book stops, the others go on."""

import json
from datetime import UTC, datetime

import pytest

from ledger.client.book import Head
from ledger.client.http import AnswerError, UnreachableError
from ledger.client.push import MAX_BATCH_BYTES, ask_head, batches, retry_after_s
from ledger.client.receipts import ReceiptChecker
from ledger.client.spool import Spooled
from ledger.core.keys import PrivateKey
from ledger.core.note import NoteSigner, VerifierKey
from ledger.core.receipt import ReceiptNote, parse_receipt, receipt_key_name
from ledger.errors import VerificationError
from tests.client.conftest import answer, lost_after, lost_before, record
from tests.kit import ORIGIN


AFTER = "urn:hazledger:after-refused-line"


def test_push__many__all_receipted_in_batches_and_in_the_log(here):
    with here.spool() as spool:
        made = here.fill(spool, 5) + here.fill(spool, 3, "base")
        said = []
        done = here.pusher(spool).push(said.append)
        assert (done.accepted, done.repeats, done.waiting, done.refused) == (8, 0, 0, [])
        assert said == [8]
        assert len(here.client.requests) == 1 and here.client.requests[0][1].endswith("records:batch")
        assert here.log_ids() == [m.record_id for m in made[:5]]
        for spooled in spool.sent():
            stored = here.desk.stores.log.record_by_id(spooled.record_id)
            assert spool.receipt(spooled) == stored.receipt


def test_push__one__goes_single(here):
    with here.spool() as spool:
        here.fill(spool, 1)
        assert here.pusher(spool).push().accepted == 1
    assert here.client.requests[0][1] == "/api/v1/records"


def test_push__nothing__asks_nobody(here):
    with here.spool() as spool:
        assert here.pusher(spool).push().accepted == 0
    assert here.client.requests == []


@pytest.mark.parametrize("count", [1, 4])
def test_push__connection_lost_before_and_after__sends_the_same_bytes_and_doubles_nothing(here, count):
    with here.spool() as spool:
        made = here.fill(spool, count)
        here.client.faults = [lost_before, lost_after, lost_before]
        done = here.pusher(spool).push()
        assert (done.accepted, done.repeats, done.waiting) == (count, count, 0)
        assert here.log_ids() == [m.record_id for m in made]
    bodies = {body for _, _, body in here.client.requests}
    assert len(here.client.requests) == 4 and len(bodies) == 1
    assert here.slept == sorted(here.slept) and here.slept[0] > 0, "backs off"


@pytest.mark.parametrize("status", [429, 503])
def test_push__told_to_wait__waits_as_long_as_asked(here, status):
    with here.spool() as spool:
        here.fill(spool, 2)
        here.client.faults = [answer(status, retry_after="17")]
        assert here.pusher(spool).push().accepted == 2
    assert here.slept == [17.0]


def test_push__never_answered__gives_up_and_keeps_everything(here):
    with here.spool() as spool:
        made = here.fill(spool, 3)
        here.client.faults = [lost_before] * 100
        with pytest.raises(UnreachableError):
            here.pusher(spool, give_up_s=60).push()
        assert here.now <= 60
        assert [s.submission() for s in spool.waiting()] == [m.submission for m in made]


def test_push__server_that_is_no_ledger__says_so(here):
    with here.spool() as spool:
        here.fill(spool, 1)
        for fault in (answer(200, b"<html>"), answer(404, b'{"error": 1}'), answer(301), answer(200, b"[]")):
            here.client.faults = [fault]
            with pytest.raises((AnswerError, VerificationError)):
                here.pusher(spool).push()
        assert len(list(spool.waiting())) == 1


def test_push__batch_answer_with_a_line_missing__is_not_believed(here):
    with here.spool() as spool:
        here.fill(spool, 3)

        def short(forward):
            whole = forward()
            document = json.loads(whole.body)
            document["results"].pop()
            return type(whole)(200, whole.headers, json.dumps(document).encode())

        here.client.faults = [short]
        with pytest.raises(AnswerError):
            here.pusher(spool).push()
        assert len(list(spool.waiting())) == 3
        assert here.pusher(spool).push().repeats == 3


def test_push__killed_between_answer_and_receipt__gets_the_same_receipt_again(here):
    class Killed(BaseException):
        pass

    def dies(name):
        if name == "before-receipt":
            raise Killed

    with here.spool() as spool:
        here.fill(spool, 3)
    with here.spool(step=dies) as spool, pytest.raises(Killed):
        here.pusher(spool).push()
    before = [r.receipt for r in here.desk.stores.log.records(0, 100)]
    with here.spool() as spool:
        done = here.pusher(spool).push()
        assert (done.accepted, done.repeats) == (3, 3)
        assert all(spool.receipt(s) in before for s in spool.sent())


def test_push__refused_payload__stops_its_book_and_no_other(here):
    with here.spool() as spool:
        spool.begin(here.place, Head())
        book = here.book()
        spool.add(record(book, "movement"))  # the book is not opened yet
        spool.add(record(book, "movement"))
        here.fill(spool, 2, "base")
        done = here.pusher(spool).push()
        assert (done.accepted, done.waiting) == (2, 2)
        (refused,) = done.refused
        assert (refused.status, refused.code, refused.spooled.seq) == (422, "book-not-opened", 1)
        assert "--set-aside" in refused.advice
        kept = json.loads(spool.problem(refused.spooled))
        assert kept["status"] == 422 and kept["refusal"].startswith("hazledger/"), "the signed note is evidence"


@pytest.mark.parametrize("said", ["\ud800", "\x1b[2J\nhazledger: 2 receipted", "\u202e\x00"])
def test_push__refusal_in_odd_signs__is_kept_and_cannot_write_on_the_terminal(here, said):
    row = {"status": 422, "type": f"urn:hazledger:{said}", "note": said, "pointer": said}
    with here.spool() as spool:
        here.fill(spool, 2)
        here.client.faults = [answer(200, json.dumps({"results": [row, {"status": 409, "type": AFTER}]}).encode())]
        (refused,) = here.pusher(spool).push().refused
        assert all(text.isprintable() for text in (refused.code, refused.detail, refused.pointer))
        assert json.loads(spool.problem(refused.spooled))["note"] == said


@pytest.mark.parametrize("status", [200, 503])
def test_push__answer_nested_without_end__is_no_answer_of_a_ledger(here, status):
    with here.spool() as spool:
        here.fill(spool, 2)
        here.client.faults = [answer(status, b"[" * 100_000)] * 50
        with pytest.raises((AnswerError, UnreachableError)):
            here.pusher(spool, give_up_s=1).push()


def test_push__fork__names_the_logs_head_and_what_to_do(here):
    with here.spool() as spool:
        made = here.fill(spool, 2)
        here.pusher(spool).push()
    other = here.book(head=made[0].head)
    with here.spool() as spool:
        # A second writer: another spool that never saw seq 2.
        pass
    from ledger.client.spool import Spool

    with Spool(here.path / "other") as second:
        second.begin(here.place, made[0].head)
        second.add(record(other))
        done = here.pusher(second).push()
        (refused,) = done.refused
        assert (refused.status, refused.code) == (409, "fork")
        assert refused.expected == made[1].head
        assert "hazledger head" in refused.advice and "one writer" in refused.advice
        # The way out: aside, begin where the log stands, sign again.
        second.set_aside(refused.spooled)
        token = here.desk.bearer("enterprise", here.holder)
        token = token["Authorization"].removeprefix("Bearer ") if isinstance(token, dict) else token
        head, closed = ask_head(here.client, here.place, token)
        assert (head, closed) == (made[1].head, False)
        second.begin(here.place, head)
        second.add(record(here.book(head=head)))
        assert here.pusher(second).push().accepted == 1


def test_push__unknown_key__says_enrol(here):
    stranger = PrivateKey.generate("ES256")
    from ledger.client.book import Book

    with here.spool() as spool:
        spool.begin(here.place, Head())
        book = Book(log=ORIGIN, holder=here.holder, site="S1", book="acid", signers=[stranger])
        spool.add(record(book))
        (refused,) = here.pusher(spool).push().refused
        assert refused.status == 401 and "enrolled" in refused.advice
        assert "not final on the chain yet" in refused.detail and "final on the chain" in refused.advice
        assert len(list(spool.waiting())) == 1


def test_push__grant_not_in_force_yet__is_sent_again(here):
    body = json.dumps({"type": "urn:hazledger:not-yet-granted", "status": 403, "title": "t", "detail": "d"}).encode()
    with here.spool() as spool:
        here.fill(spool, 1)
        here.client.faults = [answer(403, body)] * 2
        assert here.pusher(spool).push().accepted == 1
    assert len(here.slept) == 2


def test_receipt__of_another_key__is_refused_and_not_kept(here):
    forger = PrivateKey.generate("Ed25519")
    here.trust = type(here.trust)(
        ORIGIN,
        (),
        (VerifierKey.parse(NoteSigner(receipt_key_name(ORIGIN), forger).verifier.to_vkey()),),
        (),
        b"\0" * 32,
    )
    with here.spool() as spool:
        here.fill(spool, 1)
        with pytest.raises(VerificationError) as refused:
            here.pusher(spool).push()
        assert refused.value.check == 12
        assert len(list(spool.waiting())) == 1 and not list(spool.sent())


@pytest.mark.parametrize("lie", ["leaf", "record", "received", "origin"])
def test_receipt__that_promises_something_else__is_refused(here, lie):
    """Signed by the right key, and still not what this envelope makes."""
    with here.spool() as spool:
        (made, other) = here.fill(spool, 2)
        here.pusher(spool).push()
        note = here.desk.stores.log.record_by_id(made.record_id).receipt
        said = parse_receipt(note, here.trust.receipt_keys)
        parts = dict(
            origin=said.origin, record_id=said.record_id, leaf_hash=said.leaf_hash, index=said.index,
            received=said.received, merge_by=said.merge_by,
        )  # fmt: skip
        parts |= {
            "leaf": {"leaf_hash": b"\1" * 32},
            "record": {"record_id": other.record_id},
            "received": {"received": said.received - 1},
            "origin": {"origin": "another.test/log"},
        }[lie]
        checker = ReceiptChecker(here.trust)
        assert checker.check(made.submission, note) == said
        name = receipt_key_name(parts["origin"])
        signer = NoteSigner(name, here.desk.log.receipt_key)
        trust = (
            here.trust
            if lie != "origin"
            else type(here.trust)(
                ORIGIN, (), (*here.trust.receipt_keys, VerifierKey.parse(signer.verifier.to_vkey())), (), b"\0" * 32
            )
        )
        forged = signer.sign(ReceiptNote(**parts).encode())
        with pytest.raises(VerificationError) as refused:
            ReceiptChecker(trust).check(made.submission, forged)
        assert refused.value.check == 12


def test_receipt__two_signers_of_both_kinds__is_rebuilt(here):
    keys = [PrivateKey.generate("ES256"), PrivateKey.generate("Ed25519")]
    for one in keys:
        here.desk.log.grant(one, here.holder)
    from ledger.client.book import Book

    with here.spool() as spool:
        spool.begin((here.holder, "S1", "two"), Head())
        spool.add(record(Book(log=ORIGIN, holder=here.holder, site="S1", book="two", signers=keys)))
        assert here.pusher(spool).push().accepted == 1


def test_ask_head__wrong_token__says_so(here):
    with pytest.raises(AnswerError, match="401"):
        ask_head(here.client, here.place, "no-such-token")


def test_batches__are_cut_by_lines_and_by_bytes(tmp_path):
    small = tmp_path / "small"
    small.write_bytes(b"x")
    big = tmp_path / "big"
    big.write_bytes(b"x" * (MAX_BATCH_BYTES // 3))
    cut = [len(b) for b in batches(Spooled(("h", "s", "b"), n, "r", small) for n in range(2500))]
    assert cut == [1000, 1000, 500]
    assert [len(b) for b in batches(Spooled(("h", "s", "b"), n, "r", big) for n in range(5))] == [2, 2, 1]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), ("", 0.0), ("soon", 0.0), ("-4", 0.0), ("999999", 300.0),
     ("Wed, 21 Oct 2026 07:28:09 GMT", 9.0), ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0)],
)  # fmt: skip
def test_retry_after__seconds_or_date__bounded(value, seconds):
    assert retry_after_s(value, datetime(2026, 10, 21, 7, 28, tzinfo=UTC)) == seconds
