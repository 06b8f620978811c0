"""The audit of a whole log: who may sign, how books go on, and what was erased."""

import json

import pytest

from ledger.core.verification.verdict import EXIT_OK
from ledger.model import Role
from tests.core.verification.audits import audited, closed, edit_record, found
from tests.world import HOLDER, STRANGER, World

# --- grants --------------------------------------------------------------------------------------------------------------


def small():
    world = World().open()
    world.fill(3)
    return world


def test_log__signer_without_any_grant__check_4():
    world = World()
    world.platform()
    world.fill(2)
    outcome = audited(closed(world))
    assert {(index, check) for index, check, _ in found(outcome)} == {(1, 4), (2, 4)}


def test_log__signer_outside_its_scope__check_4():
    world = small()
    index = world.append(book="base")
    assert found(audited(closed(world))) == {(index, 4, "no-grant")}


def test_log__signer_of_a_kind_that_is_not_its__check_4():
    world = small()
    supervisor = world.enrol("supervisor", "police.example", "", Role.SUPERVISOR)
    world.state_grant(supervisor)
    tick = {"now": 1_790_000_000_000, "facts": "ab" * 32}
    index = world.append(signers=[supervisor], kind="tick", site="main", book="ticks", body=tick)
    assert found(audited(closed(world))) == {(index, 4, "no-grant")}


def test_log__signed_after_the_revocation_was_mirrored__check_4_at_that_record():
    world = small()
    world.enterprise.revoked_at = len(world.logged)
    world.state_grant(world.enterprise)
    index = world.append()
    outcome = audited(closed(world))
    assert found(outcome) == {(index, 4, "revoked")}
    assert outcome.findings[0].record_id


def test_log__revoked_afterwards_from_an_index_below__a_note_and_no_failure():
    world = small()
    world.enterprise.revoked_at = 3
    world.state_grant(world.enterprise)
    outcome = audited(closed(world))
    assert outcome.exit_code == EXIT_OK
    assert any("revoked from index 3" in note for note in outcome.notes)


def test_log__revoked_on_the_chain_and_not_in_the_log__a_note():
    world = closed(small())
    files = world.mirror()
    world.enterprise.revoked_at = 3
    outcome = audited(world, files, rpc=world.view())
    assert outcome.exit_code == EXIT_OK
    assert any("revoked from index 3" in note for note in outcome.notes)


def test_log__grant_that_the_registry_does_not_hold__check_4_at_its_entry():
    world = closed(small())
    files = world.mirror()
    del world.grants["enterprise"]
    assert found(audited(world, files, rpc=world.view())) == {(1, 4, "grant-differs")}


def test_log__grant_enrolled_earlier_than_the_registry_says__check_4():
    world = closed(small())
    files = world.mirror()
    world.enterprise.enrolled_at = 1
    assert (1, 4, "grant-differs") in found(audited(world, files, rpc=world.view()))


@pytest.mark.parametrize(
    ("defect", "changes"),
    [
        ("g-of-something-else", {"g": "0" * 64}),
        ("keyid-not-the-spkis", {"keyid": "0" * 64}),
        ("enrolled-by-a-stranger", {"enroller": STRANGER}),
    ],
)
def test_log__bad_grant_entry__check_4_there(defect, changes):
    world = World()
    world.platform()
    index = world.state_grant(world.enterprise, **changes)
    assert (index, 4, "bad-grant") in found(audited(closed(world)))


def test_log__revocation_taken_back__check_4():
    world = small()
    world.enterprise.revoked_at = 100
    world.state_grant(world.enterprise)
    index = world.state_grant(world.enterprise, revoked_at=None)
    assert (index, 4, "bad-grant") in found(audited(closed(world)))


# --- books ---------------------------------------------------------------------------------------------------------------


def test_log__gap_in_a_book__check_3_at_the_record_after():
    world = small()
    place = world.books[HOLDER, "S1", "acid"]
    place.seq += 1
    index = world.append()
    assert found(audited(closed(world))) == {(index, 3, "book-chain")}


def test_log__prev_of_another_record__check_3():
    world = small()
    world.books[HOLDER, "S1", "acid"].prev = "0" * 64
    index = world.append()
    assert found(audited(closed(world))) == {(index, 3, "book-chain")}


def test_log__two_records_at_one_seq__check_3():
    world = small()
    place = world.books[HOLDER, "S1", "acid"]
    seq, prev = place.seq, place.prev
    world.append()
    place.seq, place.prev = seq, prev
    index = world.append(body={**json.loads(world.logged[-1].payload)["body"], "complete": False})
    assert found(audited(closed(world))) == {(index, 3, "book-chain")}


def test_log__first_record_of_a_book_is_not_no_1__check_3():
    world = small()
    from tests.world import Book

    place = world.books[HOLDER, "S1", "acid"]
    world.enterprise.scope = "S1/"
    world.state_grant(world.enterprise)
    book = Book(HOLDER, "S1", "base")
    book.seq, book.prev = 4, place.prev
    world.books[HOLDER, "S1", "base"] = book
    index = world.append(book="base")
    assert found(audited(closed(world))) == {(index, 3, "book-chain")}


def test_log__record_for_another_log__check_2():
    world = small()
    index = world.append(payload=world.payload(log="other.example"))
    assert (index, 2, "wrong-log") in found(audited(closed(world)))


# --- erased payloads -----------------------------------------------------------------------------------------------------


def erased_world(*, stated):
    world = small()
    from ledger.core.record import record_id_of

    if stated:
        world.append(
            signers=[world.grants["platform"]],
            kind="erasure",
            site="main",
            book="erasures",
            body={"digests": [], "basis": "court-order", "record_id": record_id_of(world.logged[3].payload)},
        )
    closed(world)
    files = world.mirror()
    edit_record(files, len(world.logged), 3, lambda _: b"")
    return world, files


def test_log__payload_erased_and_stated__a_note():
    world, files = erased_world(stated=True)
    outcome = audited(world, files)
    assert outcome.exit_code == EXIT_OK
    assert any("index 3" in note and "payload erased" in note for note in outcome.notes)


def test_log__payload_gone_and_nothing_stated__check_1_at_that_record():
    world, files = erased_world(stated=False)
    assert found(audited(world, files)) == {(3, 1, "record-missing")}
