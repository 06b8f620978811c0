"""The audit of a whole log: clean on an untouched mirror, and the exact record and check for everything altered."""

import os
import tracemalloc
from dataclasses import replace

import pytest

from ledger.core.encoding import sha256
from ledger.core.merkle import leaf_hash
from ledger.core.record import record_id_of
from ledger.core.tiles import tile_path
from ledger.core.verification.evidence import check_evidence
from ledger.core.verification.verdict import (
    EXIT_EQUIVOCATION,
    EXIT_FAILED,
    EXIT_OK,
    EXIT_PENDING,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
)
from ledger.model import Role
from tests.core.verification.audits import (
    audited,
    closed,
    edit_entry,
    edit_record,
    flip_last,
    found,
    swap,
    with_payload,
    with_signature,
)
from tests.world import HOLDER, OTHER_HOLDER, World, seeded, unreachable


@pytest.fixture(scope="module")
def world():
    """600 records in two tiles and a partial one, two books, an older checkpoint."""
    world = World().open()
    other = world.enrol("other", OTHER_HOLDER, "", Role.ENTERPRISE)
    world.state_grant(other)
    world.fill(297)
    world.checkpoint()
    world.anchor()
    for n in range(300):
        world.append(signers=[other if n % 3 else world.enterprise])
    return closed(world)


SIZE = 600


@pytest.fixture
def files(world):
    return dict(world.mirror())


# --- untouched -----------------------------------------------------------------------------------------------------------


def test_log__untouched__no_finding(world, files):
    outcome = audited(world, files, older=[world.checkpoints[0][2]])
    assert outcome.findings == []
    assert outcome.exit_code == EXIT_OK
    assert {n: line.status for n, line in outcome.lines.items()} == {
        1: "ok", 2: "ok", 3: "ok", 4: "skip", 5: "ok", 6: "ok", 7: "ok", 8: "ok", 9: "skip", 10: "skip",
        11: "skip", 12: "skip", 13: "skip",
    }  # fmt: skip
    assert "consistent with 1 older" in outcome.lines[8].detail
    assert outcome.text()[-1].startswith("OK: log ")


def test_log__untouched_with_endpoint__storage_and_grants_compared(world, files):
    outcome = audited(world, files, rpc=world.view())
    assert outcome.findings == []
    assert {n for n, line in outcome.lines.items() if line.status == "ok"} == set(range(1, 11))
    assert "3 grants" in outcome.lines[4].detail


def test_log__two_signers_and_es256__no_finding():
    world = World(es256=True).open()
    second = world.enrol("second", HOLDER, "S1/", Role.ENTERPRISE, es256=True)
    world.state_grant(second)
    world.append(signers=[world.enterprise, second])
    assert audited(closed(world)).exit_code == EXIT_OK


def test_log__without_hash_tiles__roots_are_recomputed_all_the_same(world, files):
    bare = {path: data for path, data in files.items() if not path.startswith("tile/0") and "tile/1" not in path}
    assert audited(world, bare).exit_code == EXIT_OK


# --- altered -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [3, 255, 256, 511, 512, 599])
@pytest.mark.parametrize(
    ("defect", "edit", "change", "check"),
    [
        ("amount-changed", edit_record, with_payload(swap(b'"12.5"', b'"11.5"')), 5),
        ("signature-changed", edit_record, with_signature(flip_last), 5),
        ("payload-no-json", edit_record, with_payload(swap(b'"v": 1', b'"v": 1,')), 3),
        ("payload-bad-code", edit_record, with_payload(swap(b"7664-93-9", b"7664-93-8")), 3),
        ("envelope-no-json", edit_record, swap(b"{", b"["), 1),
        ("entry-record-id", edit_entry, lambda e: e.replace(e[19:21], b"00" if e[19:21] != b"00" else b"11", 1), 6),
        ("entry-seq", edit_entry, swap(b"/acid ", b"/acid 9"), 6),
        ("entry-signature", edit_entry, swap(b" Ed25519 ", b" ES256 "), 6),
        ("entry-garbage", edit_entry, lambda _: b"garbage", 6),
    ],
)
def test_log__altered_leaf__the_exact_record_and_check(world, files, index, defect, edit, change, check):
    edit(files, SIZE, index, change)
    outcome = audited(world, files)
    assert outcome.exit_code == EXIT_FAILED
    assert (index, check) in {(at, number) for at, number, _ in found(outcome)}
    # Nothing but this record is accused; a changed entry also changes the leaf (7) and the roots (of the whole log).
    assert {at for at, _, _ in found(outcome)} <= {index, None}
    if edit is edit_record:
        assert len(outcome.findings) == 1


@pytest.mark.parametrize("index", [100, 300])
def test_log__entry_cannot_be_read__findings_name_the_record_by_its_envelope(world, files, index):
    edit_entry(files, SIZE, index, lambda _: b"garbage")
    outcome = audited(world, files)
    mine = [item for item in outcome.findings if item.index == index]
    assert {item.check for item in mine} == {6, 7}
    assert {item.record_id for item in mine} == {record_id_of(world.logged[index].payload)}


def test_log__neither_entry_nor_envelope_can_be_read__no_record_is_named(world, files):
    edit_entry(files, SIZE, 100, lambda _: b"garbage")
    edit_record(files, SIZE, 100, lambda _: b"garbage")
    outcome = audited(world, files)
    assert {item.record_id for item in outcome.findings if item.index == 100} == {""}


def test_log__received_changed__leaf_differs_at_that_record(world, files):
    # `received` stands in the entry only: the entry agrees with itself, but its hash is not the one that was signed.
    edit_entry(files, SIZE, 300, lambda entry: entry[:-2] + b"1\n")
    assert (300, 7, "leaf-differs") in found(audited(world, files))


def test_log__received_goes_backwards__noticed(world, files):
    edit_entry(files, SIZE, 300, lambda entry: entry.rpartition(b"\n")[0].rpartition(b"\n")[0] + b"\n5\n")
    assert (300, 6, "received-order") in found(audited(world, files))
    files = dict(world.mirror())
    edit_entry(files, SIZE, 256, lambda entry: entry.rpartition(b"\n")[0].rpartition(b"\n")[0] + b"\n5\n")
    assert (256, 6, "received-order") in found(audited(world, files))


def test_log__record_resigned_by_its_owner__entry_differs(world, files):
    # The known attack: operator and enterprise agree to change history. The signature is good, the entry is not.
    item = world.logged[100]
    payload = item.payload.replace(b'"12.5"', b'"11.5"')
    edit_record(files, SIZE, 100, lambda _: world.envelope(payload, [world.enterprise]))
    assert found(audited(world, files)) == {(100, 6, "entry-differs")}


def test_log__record_and_entry_rewritten_together__leaf_and_roots_differ(world, files):
    from ledger.core.dsse import parse_envelope
    from ledger.core.entry import entry_of
    from ledger.core.record import parse_payload

    item = world.logged[100]
    payload = item.payload.replace(b'"12.5"', b'"11.5"')
    envelope = world.envelope(payload, [world.enterprise])
    entry = entry_of(
        parse_envelope(envelope), parse_payload(payload), record_id_of(payload), item.received, ["Ed25519"]
    )
    edit_record(files, SIZE, 100, lambda _: envelope)
    edit_entry(files, SIZE, 100, lambda _: entry)
    codes = found(audited(world, files))
    assert {(100, 7, "leaf-differs"), (None, 8, "other-root")} <= codes
    # The next record of the book points to the one that was there.
    assert (102, 3, "book-chain") in codes or (101, 3, "book-chain") in codes


def test_log__record_dropped__chain_and_roots(world, files):
    from ledger.core.tiles import decode_entry_bundle, decode_record_bundle, encode_entry_bundle, encode_record_bundle

    for name, decode, encode in (
        ("entries", decode_entry_bundle, encode_entry_bundle),
        ("records", decode_record_bundle, encode_record_bundle),
    ):
        path = tile_path(name, 0, 256)
        items = decode(files[path])
        files[path] = encode([*items[:100], *items[101:]])
    codes = found(audited(world, files))
    assert any(check == 3 and code == "book-chain" and index == 100 for index, check, code in codes)
    assert any(code == "entry-bundle" for _, _, code in codes)


@pytest.mark.parametrize(("path", "index"), [("tile/0/000", 17), ("tile/0/001", 256 + 17), ("tile/0/002.p/88", 529)])
def test_log__stored_leaf_hash_altered__the_exact_record(world, files, path, index):
    at = (index % 256) * 32
    files[path] = files[path][:at] + bytes(32) + files[path][at + 32 :]
    outcome = audited(world, files)
    assert found(outcome) == {(index, 7, "leaf-differs")}
    assert outcome.findings[0].record_id


def test_log__stored_upper_tile_altered__named(world, files):
    files["tile/1/000.p/2"] = bytes(32) + files["tile/1/000.p/2"][32:]
    assert found(audited(world, files)) == {(0, 7, "tile-differs")}


@pytest.mark.parametrize("name", ["entries", "records"])
@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"\0\1"])
def test_log__tile_unreadable__noticed(world, files, name, data):
    files[tile_path(name, 1, 256)] = data
    outcome = audited(world, files)
    assert outcome.exit_code == EXIT_FAILED
    assert 256 in {index for index, _, _ in found(outcome)}


# --- checkpoints ---------------------------------------------------------------------------------------------------------


def test_log__checkpoint_by_another_key__failed(world, files):
    from ledger.core.note import NoteSigner
    from tests.world import ORIGIN

    files["checkpoint"] = world.checkpoint(signer=NoteSigner(ORIGIN, seeded("stranger")))
    world.checkpoints.pop()
    outcome = audited(world, files)
    assert outcome.exit_code == EXIT_FAILED
    assert outcome.lines[8].status == "FAIL"


def test_log__checkpoint_over_another_root__failed_and_no_equivocation(world, files):
    files["checkpoint"] = world.checkpoint(root=sha256(b"other"))
    world.checkpoints.pop()
    outcome = audited(world, files)
    assert outcome.exit_code == EXIT_FAILED
    assert (None, 8, "other-root") in found(outcome)


def test_log__older_checkpoint_of_another_history__equivocation_with_evidence(world, files):
    older = world.checkpoint(size=300, root=sha256(b"another history"))
    world.checkpoints.pop()
    outcome = audited(world, files, older=[older])
    assert outcome.exit_code == EXIT_EQUIVOCATION
    assert "300" in check_evidence(outcome.evidence, world.trust())


def test_log__older_checkpoint_unsigned__failed_not_equivocation(world, files):
    older = flip_last(world.checkpoints[0][2][:-2]) + b"\n"
    outcome = audited(world, files, older=[older])
    assert outcome.exit_code == EXIT_FAILED


# --- the chain -----------------------------------------------------------------------------------------------------------


def test_log__contract_holds_another_root__check_9():
    world = World().open()
    world.fill(5)
    world.checkpoint()
    world.anchor(root=sha256(b"another history"))
    assert (None, 9, "other-root") in found(audited(world, rpc=world.view()))


def test_log__contract_is_ahead_of_the_mirror__check_9():
    world = World().open()
    world.fill(5)
    world.checkpoint()
    files = world.mirror()
    world.fill(5)
    world.anchor()
    assert (None, 9, "size-missing") in found(audited(world, files, rpc=world.view()))


def test_log__mirror_taken_before_the_contracts_head__pending_and_says_what_is_missing():
    world = World().open()
    world.fill(5)
    world.checkpoint()
    world.anchor()
    files = world.mirror()
    end = len(world.logged)
    world.fill(5)
    world.anchor()
    outcome = audited(world, files, rpc=world.view(), live=False)
    assert (outcome.exit_code, outcome.findings, outcome.lines[9].status) == (EXIT_PENDING, [], "ok")
    assert f"entries {end} to {end + 4} are not in it" in outcome.verdict_line


def test_log__mirror_taken_before_the_contracts_head_with_another_root__check_9():
    world = World().open()
    world.fill(5)
    world.checkpoint()
    world.anchor(root=sha256(b"another history"))
    files = world.mirror()
    world.fill(5)
    world.anchor()
    assert (None, 9, "other-root") in found(audited(world, files, rpc=world.view(), live=False))


def test_log__nothing_anchored_yet__skipped():
    world = World().open()
    world.fill(5)
    world.checkpoint()
    outcome = audited(world, rpc=world.view())
    assert outcome.lines[9].status == "skip"
    assert outcome.exit_code == EXIT_OK


@pytest.mark.parametrize("what", ["chain_id", "state_proof"])
def test_log__endpoint_silent__exit_4(world, files, what):
    view = world.view()
    view.lie[what] = unreachable()
    assert audited(world, files, rpc=view).exit_code == EXIT_UNREACHABLE


def test_log__endpoint_of_another_chain__said_of_the_endpoint_not_of_the_log(world, files):
    view = world.view()
    view.lie["chain_id"] = 5
    other = World()
    other.addresses = {"log": b"\x33" * 20, "registry": b"\x44" * 20}
    for named in (view, other.view()):
        outcome = audited(world, files, rpc=named)
        assert (outcome.word, outcome.exit_code, outcome.failed) == ("NOT-VERIFIED", EXIT_USAGE, False)
        assert "name another endpoint" in outcome.verdict_line


def test_log__trust_file_of_another_log__says_so(world, files):
    outcome = audited(world, files, trust=replace(world.trust(), origin="other.example/log"))
    assert (outcome.lines[2].code, outcome.exit_code) == ("wrong-log", EXIT_FAILED)
    assert "take that log's trust file" in outcome.lines[2].detail and outcome.lines[8].status == "FAIL"


# --- memory --------------------------------------------------------------------------------------------------------------


def test_log__four_times_the_records__same_memory(world):
    def peak(count):
        small_world = World().open()
        small_world.fill(count)
        closed(small_world)
        files = small_world.mirror()
        tracemalloc.start()
        assert audited(small_world, files).exit_code == EXIT_OK
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(300)
    assert peak(2100) < 1.3 * peak(520)


def test_text__many_findings__cut_with_a_count(world, files):
    for index in range(20, 250):
        edit_record(files, SIZE, index, with_signature(flip_last))
    outcome = audited(world, files)
    assert len(outcome.findings) == 230
    assert any("and 30 more findings" in line for line in outcome.text())
    assert outcome.to_json()["findingsTotal"] == 230
    assert os.linesep.join(outcome.text()).count("check 5") > 200


def test_leaf_hash__of_the_stored_entry__is_what_the_tree_holds(world):
    assert world.leaves()[5] == leaf_hash(world.logged[5].entry)


def test_log__entry_of_a_jws__reserved_and_named(world, files):
    edit_entry(files, SIZE, 100, lambda entry: entry.replace(b"v1+json\n", b"v1+json;jws\n"))
    assert (100, 1, "jws-not-supported") in found(audited(world, files))


def test_log__a_log_in_ruins__findings_are_counted_and_not_all_kept(world, files, monkeypatch):
    from ledger.core.verification import log

    monkeypatch.setattr(log, "MAX_FINDINGS", 50)
    for index in range(20, 250):
        edit_record(files, SIZE, index, with_signature(flip_last))
    outcome = audited(world, files)
    assert len(outcome.findings) == 50
    assert outcome.findings_total == 230
    assert "230 findings" in outcome.verdict_line


def test_log__without_endpoint__the_verdict_says_what_was_not_compared(world, files):
    assert "compared with the chain no" in audited(world, files).verdict_line
    assert "compared with the chain no" not in audited(world, files, rpc=world.view()).verdict_line
