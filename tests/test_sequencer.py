"""receive → authenticate → append → checkpoint on a real SQLite file: what is promised of each, and each refusal."""

from __future__ import annotations

import threading

import pytest

from ledger.roots import recompute_root
from ledger.core.keys import PrivateKey
from ledger.core.merkle import leaf_hash
from ledger.core.note import open_note
from ledger.core.receipt import parse_receipt
from ledger.core.record import record_id_of
from ledger.errors import ConflictError, GrantError, PayloadError, RollbackError, SignatureError, StoreError
from ledger.model import Role, TreeHead, TreeSize
from tests.kit import Book, Log, document_of


@pytest.fixture
def log(tmp_path):
    log = Log(tmp_path)
    yield log
    log.close()


def test_submit__opening_stocktake_and_movement__receipts_verify_and_indexes_are_contiguous(log):
    book = log.enterprise()
    start = log.stores.log.size()
    answers = [log.submit(book.next("stocktake")), log.submit(book.next())]
    assert [a.receipt.index for a in answers] == [start, start + 1]
    for answer in answers:
        stored = log.stores.log.record_by_id(answer.receipt.record_id)
        note = parse_receipt(answer.receipt.note, [log.identity.receipt.verifier])
        assert note.leaf_hash == leaf_hash(stored.entry)
        assert note.merge_by - note.received == 3_600_000


def test_submit__same_bytes_again__same_receipt_and_nothing_logged(log):
    book = log.enterprise()
    envelope = book.next("stocktake")
    first = log.submit(envelope)
    size = log.stores.log.size()
    again = log.submit(envelope)
    assert again.repeat and again.receipt.note == first.receipt.note
    assert log.stores.log.size() == size


def test_submit__same_payload_signed_again__first_signature_is_kept(log):
    book = log.enterprise()
    payload = book.payload("stocktake")
    first, second = book.sign(payload), book.sign(payload)
    assert first != second  # ECDSA draws a fresh nonce
    receipt = log.submit(first).receipt
    assert log.submit(second).receipt.note == receipt.note
    assert log.stores.log.record_by_id(receipt.record_id).envelope == first


def test_submit__repeat_after_revocation__still_gets_its_receipt(log):
    book = log.enterprise()
    envelope = book.next("stocktake")
    first = log.submit(envelope)
    log.grant(book.key, book.holder, revoked_at=int(log.stores.log.size()))
    assert log.submit(envelope).receipt.note == first.receipt.note
    with pytest.raises(GrantError) as caught:
        log.submit(book.next())
    assert caught.value.code == "key-revoked"


def test_submit__gap__refused_with_what_is_expected_and_a_signed_note(log):
    book = log.enterprise()
    log.submit(book.next("stocktake"))
    expected = (book.seq + 1, book.prev)
    book.next()
    with pytest.raises(ConflictError) as caught:
        log.submit(book.next())
    error = caught.value
    assert (error.code, error.expected_seq, error.expected_prev) == ("seq-gap", *expected)
    text = open_note(error.refusal, [log.identity.receipt.verifier]).text
    assert text.splitlines()[3] == "seq-gap"
    refusal = log.stores.log.record(log.stores.log.size() - 1)
    assert refusal.kind == "refusal"
    assert document_of(refusal.envelope)["body"]["code"] == "seq-gap"


def test_submit__another_payload_at_the_same_seq__fork_and_both_are_kept(log):
    book = log.enterprise()
    one, other = book.payload("stocktake"), book.payload("stocktake")
    kept = log.submit(book.sign(one)).receipt.record_id
    with pytest.raises(ConflictError) as caught:
        log.submit(book.sign(other))
    assert caught.value.code == "fork"
    refused = log.stores.log.refused(record_id_of(other))
    assert document_of(refused.envelope) != document_of(log.stores.log.record_by_id(kept).envelope)


def test_submit__refused_twice__one_refusal_entry_and_the_same_note(log):
    book = log.enterprise()
    log.submit(book.next("stocktake"))
    book.next()
    late = book.next()
    notes = []
    for _ in range(2):
        with pytest.raises(ConflictError) as caught:
            log.submit(late)
        notes.append(caught.value.refusal)
        size = log.stores.log.size()
    assert notes[0] == notes[1]
    assert [r.kind for r in log.stores.log.records(0, 100)].count("refusal") == 1
    assert log.stores.log.size() == size


def test_submit__refusals_of_one_key__at_most_60_an_hour_and_ten_of_them_only_for_forks(log):
    book = log.enterprise()
    log.submit(book.next("stocktake"))
    head = (book.seq, book.prev)
    book.seq, book.prev = 7, "ab" * 32
    for _ in range(53):
        with pytest.raises(ConflictError):
            log.submit(book.sign(book.payload()))
    kinds = [r.kind for r in log.stores.log.records(0, 500)]
    assert kinds.count("refusal") == 50
    assert log.sequencer.status()["refusals_counted_only"] == 3
    book.seq, book.prev = head[0] - 1, None
    forks = []
    for _ in range(12):
        payload = book.payload("stocktake")
        forks.append(record_id_of(payload))
        with pytest.raises(ConflictError) as caught:
            log.submit(book.sign(payload))
        assert caught.value.code == "fork"
    assert [r.kind for r in log.stores.log.records(0, 500)].count("refusal") == 60
    assert [log.stores.log.refused(fork) is not None for fork in forks] == [True] * 10 + [False] * 2


def test_submit__422_from_a_valid_signer__refusal_note_and_the_seq_is_free_again(log):
    book = log.enterprise()
    bad = book.payload("stocktake", surprise=1)
    with pytest.raises(PayloadError) as caught:
        log.submit(book.sign(bad))
    assert caught.value.refusal is not None
    log.submit(book.next("stocktake"))


def test_submit__422_from_nobody__no_refusal_entry(log):
    stranger = Book(PrivateKey.generate(), log.enterprise().holder)
    size = log.stores.log.size()
    with pytest.raises(PayloadError) as caught:
        log.submit(stranger.sign(stranger.payload("stocktake", surprise=1)))
    assert caught.value.refusal is None
    assert log.stores.log.size() == size


def test_submit__first_movement_before_a_stocktake__refused(log):
    book = log.enterprise()
    with pytest.raises(PayloadError) as caught:
        log.submit(book.sign(book.payload()))
    assert caught.value.code == "book-not-opened"


def test_submit__wrong_log__refused_by_name(log):
    book = log.enterprise()
    with pytest.raises(PayloadError) as caught:
        log.submit(book.sign(book.payload("stocktake", log="other.example/log")))
    assert caught.value.code == "wrong-log"


def test_submit__unknown_key__401(log):
    stranger = Book(PrivateKey.generate(), log.enterprise().holder)
    with pytest.raises(SignatureError) as caught:
        log.submit(stranger.next("stocktake"))
    assert caught.value.code == "unknown-key"


def test_submit__signature_of_another_payload__401(log):
    book = log.enterprise()
    one, other = book.payload("stocktake"), book.payload("stocktake")
    swapped = book.sign(one).replace(*(__import__("base64").b64encode(p) for p in (one, other)))
    with pytest.raises(SignatureError) as caught:
        log.submit(swapped)
    assert caught.value.code == "bad-signature"


def test_submit__key_of_another_holder__403(log):
    book = log.enterprise(n=1)
    thief = log.enterprise(n=2)
    forged = Book(thief.key, book.holder)
    with pytest.raises(GrantError) as caught:
        log.submit(forged.next("stocktake"))
    assert caught.value.code == "no-grant"


def test_submit__key_scoped_to_another_book__403(log):
    key = PrivateKey.generate()
    holder = log.enterprise().holder
    log.grant(key, holder, scope="S1/base")
    with pytest.raises(GrantError) as caught:
        log.submit(Book(key, holder).next("stocktake"))
    assert caught.value.code == "out-of-scope"


def test_submit__supervisor_key_signs_a_movement__403(log):
    key = PrivateKey.generate()
    holder = log.enterprise().holder
    log.grant(key, holder, role=Role.SUPERVISOR)
    with pytest.raises(GrantError) as caught:
        log.submit(Book(key, holder).next("stocktake"))
    assert caught.value.code == "wrong-role"


def test_submit__grant_not_in_force_yet__403(log):
    key, holder = PrivateKey.generate(), log.enterprise().holder
    log.grant(key, holder, enrolled_at=10_000)
    with pytest.raises(GrantError) as caught:
        log.submit(Book(key, holder).next("stocktake"))
    assert caught.value.code == "not-yet-granted"


def test_batch__bad_line_in_the_middle__others_go_in_and_the_book_says_after_refused_line(log):
    one, other = log.enterprise(n=1), log.enterprise(n=2)
    lines = [one.next("stocktake"), b"{}", other.next("stocktake"), one.next()]
    broken = other.payload(surprise=1)
    other.took(broken)
    lines += [other.sign(broken), other.next(), one.next()]
    answers = log.batch(lines)
    assert [getattr(a, "code", "ok") for a in answers] == [
        "ok",
        answers[1].code,
        "ok",
        "ok",
        "unknown-member",
        "after-refused-line",
        "ok",
    ]
    assert answers[1].check == 1


def test_batch__a_repeat_after_a_refused_line__gets_its_receipt_from_door_and_writer_alike(log):
    book = log.enterprise()
    opening = book.next("stocktake")
    log.submit(opening)
    by_the_door = [book.sign(book.payload(surprise=1)), opening]
    refused, repeated = log.batch(by_the_door)
    assert refused.code == "unknown-member"
    assert repeated.repeat
    gap = book.sign(book.payload(seq=9, prev="ab" * 32))
    refused, repeated = log.batch([gap, opening])
    assert refused.code == "seq-gap"
    assert repeated.repeat


def test_submit__two_clients_race_on_one_book__one_wins_the_other_is_a_fork(log):
    book = log.enterprise()
    log.submit(book.next("stocktake"))
    envelopes = [book.sign(book.payload()) for _ in range(8)]
    outcomes = []

    def push(envelope):
        try:
            outcomes.append(log.submit(envelope).receipt.index)
        except ConflictError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=push, args=(e,)) for e in envelopes]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(str(o) for o in outcomes).count("fork") == 7


def test_append__store_fails__nothing_kept_and_the_next_goes_in(log, monkeypatch):
    book = log.enterprise()
    log.submit(book.next("stocktake"))
    payload = book.payload()
    before = log.sequencer._state.head()
    with monkeypatch.context() as patch:
        def full(_batch):
            raise StoreError("disk full")
        patch.setattr(log.stores.log, "append", full)
        with pytest.raises(StoreError):
            log.submit(book.sign(payload))
    assert log.sequencer._state.head() == before
    log.submit(book.sign(payload))


def broken_after(log, patch):
    """The next commit reaches the disk, and its answer never comes: the connection broke in between."""
    real = log.stores.log.append

    def append(batch):
        real(batch)
        raise StoreError("server closed the connection unexpectedly")

    patch.setattr(log.stores.log, "append", append)


def test_append__commit_kept_but_its_answer_lost__repeat_gets_the_receipt_and_the_log_goes_on(log, monkeypatch):
    book = log.enterprise()
    log.submit(book.next("stocktake"))
    envelope = book.next()
    with monkeypatch.context() as patch:
        broken_after(log, patch)
        with pytest.raises(StoreError):
            log.submit(envelope)
    again = log.submit(envelope)
    assert again.repeat
    after = log.submit(book.next())
    assert after.receipt.index == again.receipt.index + 1
    head = log.sequencer._state.head()
    assert recompute_root(log.stores.log, head.size, trusted=0) == head.root


def test_append__older_database_answers_after_a_failure__refuses_and_says_so(log, monkeypatch):
    """A cluster fell over to a replica that lacks what was signed."""
    book = log.enterprise()
    log.submit(book.next("stocktake"))
    log.sequencer.checkpoint_once()
    size = log.stores.log.size()
    with monkeypatch.context() as patch:
        broken_after(log, patch)
        with pytest.raises(StoreError):
            log.submit(book.next())
    log.guard.head = TreeHead(TreeSize(size + 100), b"\x01" * 32)
    with pytest.raises(RollbackError, match="older backup"):
        log.submit(book.next())
    assert log.sequencer.status()["rollback"]


def test_tick__the_last_ones_answer_was_lost__digests_the_facts_since_that_one(log, monkeypatch):
    with monkeypatch.context() as patch:
        broken_after(log, patch)
        with pytest.raises(StoreError):
            log.sequencer.tick(0)
    lost = log.stores.log.size() - 1
    asked = []
    facts = log.stores.log.facts
    monkeypatch.setattr(log.stores.log, "facts", lambda start, end: asked.append(start) or facts(start, end))
    log.submit(log.enterprise().next("stocktake"))
    log.clock.now += 60_001
    assert log.sequencer.tick(0) is not None
    assert asked == [lost + 1]


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_tick__facts_in_pages__the_same_digest(log, monkeypatch, at_once):
    import hashlib
    import json

    monkeypatch.setattr("ledger.sequencer.FACTS_AT_ONCE", at_once)
    book = log.enterprise()
    log.batch([book.next("stocktake"), *(book.next() for _ in range(6))])
    rows = {1: {"b": 1, "a": 2}, 3: {"c": "é"}, 4: {}}
    monkeypatch.setattr(
        log.stores.log, "facts", lambda start, end: {i: row for i, row in rows.items() if start <= i < end}
    )
    tick = log.sequencer.tick(0)
    wanted = "".join(f"{i} {json.dumps(row, sort_keys=True, separators=(',', ':'))}\n" for i, row in rows.items())
    body = document_of(log.stores.log.record_by_id(tick.receipt.record_id).envelope)["body"]
    assert body["facts"] == hashlib.sha256(wanted.encode()).hexdigest()


def test_tick__not_due_or_within_a_minute__none(log):
    assert log.sequencer.tick(log.clock.now + 10_000_000) is None
    first = log.sequencer.tick(0)
    assert first is not None
    assert log.sequencer.tick(0) is None
    log.clock.now += 60_001
    second = log.sequencer.tick(0)
    now = [document_of(log.stores.log.record_by_id(t.receipt.record_id).envelope)["body"]["now"] for t in (first, second)]
    assert now[1] > now[0]


def test_watch__access_log_grows__one_entry_with_the_chains_digest(log):
    from ledger.flow import watch_once
    from tests.kit import ISSUER

    def once():
        return watch_once(portal=log.stores.portal, log=log.stores.log, appender=log.sequencer, issuer=ISSUER)

    assert once() is None
    digests = [log.stores.portal.log_access("user:supervisor", "view", f"record:{n}", log.clock()) for n in range(3)]
    body = document_of(log.stores.log.record_by_id(once().receipt.record_id).envelope)["body"]
    assert body == {"digest": digests[-1], "from": 1, "to": 4, "entries": 3}
    assert once() is None
    last = log.stores.portal.log_access("user:supervisor", "sign-out", "", log.clock())
    body = document_of(log.stores.log.record_by_id(once().receipt.record_id).envelope)["body"]
    assert body == {"digest": last, "from": 4, "to": 5, "entries": 1}


def test_sequencers__two_in_one_process_memory__second_writer_cannot_double_an_index(tmp_path):
    """Should the lock ever fail: contiguity in the store refuses the second writer, nothing is lost."""
    one = Log(tmp_path)
    book = one.enterprise()
    one.submit(book.next("stocktake"))
    two = Log(tmp_path, guard=one.guard, identity=one.identity)
    results = []

    def race(log, envelope):
        try:
            results.append(log.submit(envelope).receipt.index)
        except Exception as error:  # noqa: BLE001
            results.append(type(error).__name__)

    other = one.enterprise(n=2)
    threads = [
        threading.Thread(target=race, args=(one, book.next())),
        threading.Thread(target=race, args=(two, other.next("stocktake"))),
    ]
    [t.start() for t in threads]
    [t.join() for t in threads]
    records = one.stores.log.records(0, 100)
    assert [r.index for r in records] == list(range(len(records)))
    one.close()
    two.close()
