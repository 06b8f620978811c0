"""`verify book`: gapless, chained, complete up to a checkpoint, and whether it adds up."""

import pytest

from ledger.core.record import parse_payload, record_id_of
from ledger.core.verification.balance import balance_of
from ledger.core.verification.verdict import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from tests.core.verification.audits import audited, edit_entry, edit_record, found
from tests.core.verification.audits import flip_last, with_signature
from tests.world import HOLDER, OTHER_HOLDER, World, line, stocktake_body
from ledger.model import Role

BOOK = (HOLDER, "S1", "acid")


def movement(direction, amount, reason="purchase", **more):
    body = {"direction": direction, "reason": reason, "lines": [line(amount, **more)]}
    if reason == "purchase":
        body["counterparty"] = {"type": "enterprise", "uscc": OTHER_HOLDER, "name": "供应商", "country": "CN"}
    return body


def close(amount, last_seq, **more):
    lines = [line(amount, **more)] if amount is not None else []
    return {"day": "2026-09-21", "last_seq": last_seq, "lines": lines, "nil": amount is None, "final": False}


def book_of(*records):
    """A world whose acid book holds these (kind, body) after an opening stocktake of 12.5 kg."""
    world = World().open()
    world.append(body=stocktake_body("12.5"))
    for kind, body in records:
        world.append(kind=kind, body=body)
    world.checkpoint()
    world.anchor()
    return world


def balance(world):
    rows = []
    for index, item in enumerate(world.logged):
        payload = parse_payload(item.payload)
        if (payload.holder, payload.site, payload.book) == BOOK:
            rows.append((index, record_id_of(item.payload), payload))
    return balance_of(rows)


def use(amount):
    return ("movement", {"direction": "out", "reason": "consumption", "lines": [line(amount)]})


def test_book__stocktake_movements_close__balanced():
    world = book_of(use("2.5"), ("close", close("10", 2)), use("1"), ("stocktake", stocktake_body("9")))
    outcome = audited(world, only=BOOK)
    assert outcome.exit_code == EXIT_OK
    assert outcome.facts["records"] == 5
    assert outcome.facts["complete up to checkpoint"] == len(world.logged)
    assert outcome.facts["balanced"].startswith("yes, 2 balance lines")


def test_book__stocktake_counts_less__the_difference_is_listed():
    world = book_of(use("2.5"), ("stocktake", stocktake_body("9.5")))
    outcome = audited(world, only=BOOK)
    assert outcome.exit_code == EXIT_OK
    assert outcome.facts["balanced"].startswith("no, 1 of 1")
    (note,) = outcome.notes
    assert "stocktake no. 3" in note
    assert "states 9.5 kg, the movements give 10 kg" in note


def test_balance__difference__is_re_based_and_never_netted():
    world = book_of(("stocktake", stocktake_body("9.5")), ("stocktake", stocktake_body("9.5")))
    assert [d.seq for d in balance(world).differences] == [2]


def test_balance__close_states_another_amount__difference():
    (difference,) = balance(book_of(use("2.5"), ("close", close("11", 2)))).differences
    assert (difference.kind, difference.stated, difference.book) == ("close", 11_000_000, 10_000_000)


def test_balance__close_of_an_earlier_seq__not_compared():
    result = balance(book_of(use("2.5"), ("close", close("12.5", 1))))
    assert result.differences == []
    assert len(result.skipped) == 1


def test_balance__complete_stocktake_leaves_out_a_substance__it_is_zero():
    world = book_of(
        ("stocktake", {**stocktake_body("12.5"), "lines": [line("12.5"), line("3", code="67-64-1")]}),
        ("stocktake", stocktake_body("12.5")),
    )
    assert [(d.seq, d.key[1], d.stated, d.book) for d in balance(world).differences] == [
        (2, "67-64-1", 3_000_000, 0),
        (3, "67-64-1", 0, 3_000_000),
    ]


def test_balance__partial_stocktake__compares_and_does_not_re_base():
    world = book_of(("stocktake", stocktake_body("9.5", complete=False)), ("stocktake", stocktake_body("12.5")))
    assert [d.seq for d in balance(world).differences] == [2]


def test_balance__stores_of_one_book__added_together():
    both = {**stocktake_body("12.5"), "lines": [line("5", store="A1"), line("7.5", store="A2")]}
    assert balance(book_of(("stocktake", both))).differences == []


def test_balance__volume_and_mass__never_added():
    world = book_of(("stocktake", {**stocktake_body("12.5"), "lines": [line("12.5", unit="LTR")]}))
    assert sorted(d.key[0] for d in balance(world).differences) == ["mass", "volume"]


def corrected(world, index, body):
    """Append a correction of record `index` with this body."""
    payload = parse_payload(world.logged[index].payload)
    corrects = record_id_of(world.logged[index].payload)
    world.append(kind="correction", body={"corrects": corrects, "kind": payload.kind, "body": body})


def test_balance__corrected_movement__the_correction_counts():
    world = book_of(use("2.5"))
    corrected(world, 3, use("1.5")[1])
    world.append(body=stocktake_body("11"))
    assert balance(world).differences == []


def test_balance__corrected_stocktake__the_new_base_counts():
    world = book_of(use("2.5"))
    corrected(world, 2, stocktake_body("20"))
    world.append(body=stocktake_body("17.5"))
    assert balance(world).differences == []


def test_balance__correction_of_what_was_counted_since__changes_nothing():
    world = book_of(use("2.5"), ("stocktake", stocktake_body("10")))
    corrected(world, 3, use("1.5")[1])
    world.append(body=stocktake_body("10"))
    assert balance(world).differences == []


def test_book__record_altered__check_and_index():
    world = book_of(use("2.5"), use("1"))
    files = world.mirror()
    edit_record(files, len(world.logged), 3, with_signature(flip_last))
    outcome = audited(world, files, only=BOOK)
    assert outcome.exit_code == EXIT_FAILED
    assert found(outcome) == {(3, 5, "bad-signature")}


def test_book__record_of_another_book_altered__none_of_our_business_but_its_leaf_is():
    world = World().open()
    other = world.enrol("other", OTHER_HOLDER, "", Role.ENTERPRISE)
    world.state_grant(other)
    world.fill(2)
    index = world.append(signers=[other])
    world.checkpoint()
    files = world.mirror()
    edit_record(files, len(world.logged), index, with_signature(flip_last))
    assert audited(world, files, only=BOOK).exit_code == EXIT_OK
    # An entry that was moved out of the book's sight changes the tree all the same.
    edit_entry(files, len(world.logged), index, lambda entry: entry.replace(b"S1/acid", b"S1/base"))
    assert found(audited(world, files, only=BOOK)) == {(index, 7, "leaf-differs"), (None, 8, "other-root")}


def test_book__gap__check_3():
    world = book_of(use("1"))
    world.books[BOOK].seq += 1
    index = world.append(body=stocktake_body("11.5"))
    world.checkpoint()
    assert found(audited(world, only=BOOK)) == {(index, 3, "book-chain")}


def test_book__nothing_of_that_name__no_success():
    outcome = audited(book_of(use("1")), only=(HOLDER, "S1", "base"))
    assert (outcome.facts["records"], outcome.word, outcome.exit_code) == (0, "NOT-VERIFIED", EXIT_USAGE)
    assert "spelling" in outcome.verdict_line and not outcome.failed


def test_book__nothing_of_that_name_in_an_altered_log__failed_all_the_same():
    world = book_of(use("1"))
    files = world.mirror()
    edit_entry(files, len(world.logged), len(world.logged) - 1, lambda entry: entry.replace(b"acid", b"base"))
    outcome = audited(world, files, only=(HOLDER, "S1", "oil"))
    assert outcome.exit_code == EXIT_FAILED


@pytest.mark.parametrize("rpc", [False, True])
def test_book__with_and_without_endpoint__grants_skipped_or_proven(rpc):
    world = book_of(use("1"))
    outcome = audited(world, only=BOOK, rpc=world.view() if rpc else None)
    assert outcome.lines[4].status == ("ok" if rpc else "skip")
