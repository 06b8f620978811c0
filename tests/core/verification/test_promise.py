"""Receipts kept and broken, checkpoints that agree and that contradict each other, and the evidence of both."""

import json
from dataclasses import replace

import pytest

from ledger.core.encoding import b64_encode, sha256
from ledger.core.merkle import leaf_hash
from ledger.core.note import NoteSigner
from ledger.core.receipt import build_receipt
from ledger.core.verification.consistency import verify_consistency_of
from ledger.core.verification.evidence import check_evidence
from ledger.core.verification.promise import ReceiptCheck
from ledger.core.verification.verdict import (
    EXIT_EQUIVOCATION,
    EXIT_FAILED,
    EXIT_OK,
    EXIT_PENDING,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
)
from ledger.errors import VerificationError
from tests.core.verification.audits import reader_of
from tests.world import MERGE_MS, ORIGIN, T0_S, World, seeded, unreachable

NOW = T0_S * 1000 + 10 * MERGE_MS


@pytest.fixture(scope="module")
def world():
    world = World()
    world.fill(300)
    world.checkpoint(size=100)
    world.checkpoint()
    world.anchor()
    return world


@pytest.fixture(scope="module")
def reader(world):
    return reader_of(world.mirror(), 300)


# --- receipts ------------------------------------------------------------------------------------------------------------


def checked(world, index, *, note=None, reader=None, rpc=None, envelope=None, checkpoint=None, now=NOW):
    check = ReceiptCheck(note or world.logged[index].receipt, world.trust())
    if envelope is not None:
        check.by_envelope(envelope)
    if reader is not None:
        check.by_mirror(checkpoint or world.checkpoints[-1][2], reader)
    if rpc is not None:
        check.by_chain(rpc)
    return check.finish(now)


def test_receipt__leaf_in_the_tree_and_anchored__kept(world, reader):
    outcome = checked(world, 7, envelope=world.logged[7].envelope, reader=reader, rpc=world.view())
    assert outcome.exit_code == EXIT_OK
    assert {n for n, line in outcome.lines.items() if line.status == "ok"} == {2, 6, 7, 8, 9, 10, 12}


def test_receipt__nothing_but_the_file__pending_and_says_what_to_do(world):
    outcome = checked(world, 7)
    assert outcome.exit_code == EXIT_PENDING
    assert "--tiles" in outcome.verdict_line
    early = checked(world, 7, now=T0_S * 1000)
    assert "check again after that" in early.verdict_line


def test_receipt__by_another_key__check_12(world):
    text = world.logged[7].receipt.decode().split("\n\n")[0] + "\n"
    note = NoteSigner(ORIGIN + "/receipt", seeded("x")).sign(text)
    outcome = checked(world, 7, note=note)
    assert outcome.exit_code == EXIT_FAILED
    assert outcome.lines[12].status == "FAIL"


@pytest.mark.parametrize("signed", [True, False])
def test_receipt__of_another_log__check_2_names_both_logs(world, signed):
    other = "other.example/log"
    text = world.logged[7].receipt.decode().split("\n\n")[0].replace(ORIGIN, other) + "\n"
    note = NoteSigner(other + "/receipt", seeded("x")).sign(text) if signed else world.logged[7].receipt.replace(
        f"\n{ORIGIN}\n".encode(), f"\n{other}\n".encode(), 1
    )  # fmt: skip
    outcome = checked(world, 7, note=note)
    assert (outcome.lines[2].code, outcome.exit_code) == ("wrong-log", EXIT_FAILED)
    assert f"the receipt is of log {other}, the trust file of {ORIGIN}" in outcome.lines[2].detail
    assert 12 not in outcome.lines, "the keys of another log open nothing"


def test_receipt__envelope_of_another_record__check_6(world):
    outcome = checked(world, 7, envelope=world.logged[8].envelope)
    assert outcome.exit_code == EXIT_FAILED
    assert outcome.lines[6].status == "FAIL"


def test_receipt__envelope_of_two_signers_of_either_kind__leaf_hash_fits():
    world = World(es256=True)
    second = world.enrol("second", world.enterprise.holder, "S1/", world.enterprise.role)
    index = world.append(signers=[world.enterprise, second])
    assert checked(world, index, envelope=world.logged[index].envelope).lines[6].status == "ok"


def test_receipt__same_payload_other_signature_than_logged__check_6():
    world = World(es256=True)
    index = world.append()
    again = world.envelope(world.logged[index].payload, [world.enterprise])
    assert checked(world, index, envelope=again).lines[6].status == "FAIL"


@pytest.mark.parametrize("garbage", [b"", b"{}", b"\xff"])
def test_receipt__envelope_garbage__failed(world, garbage):
    assert checked(world, 7, envelope=garbage).exit_code == EXIT_FAILED


def lying_receipt(world, index, *, leaf=None, merge_by=None):
    item = world.logged[7]
    return build_receipt(
        origin=ORIGIN,
        record_id=sha256(item.payload).hex(),
        leaf_hash=leaf or leaf_hash(item.entry),
        index=index,
        received=item.received,
        merge_by=merge_by or item.received + MERGE_MS,
        signer=world.receipt_signer,
    )


def test_receipt__another_leaf_at_its_index__equivocation_with_evidence(world, reader):
    outcome = checked(world, 7, note=lying_receipt(world, 250), reader=reader)
    assert outcome.exit_code == EXIT_EQUIVOCATION
    assert json.loads(outcome.evidence)["kind"] == "receipt-broken"
    assert "another leaf" in check_evidence(outcome.evidence, world.trust())


def test_receipt__head_not_past_its_index_after_merge_by__equivocation_with_evidence(world):
    view = world.view()
    note = lying_receipt(world, 300, merge_by=world.logged[7].received + 1000)
    outcome = checked(world, 7, note=note, rpc=view)
    assert outcome.exit_code == EXIT_EQUIVOCATION, outcome.text()
    says = check_evidence(outcome.evidence, world.trust())
    assert "remains to be shown" in says
    assert "remains" not in check_evidence(outcome.evidence, world.trust(), rpc=view)
    for other in (bytes(32), None):  # another block stands there; the chain has not come so far
        view.lie["block_hash"] = other
        with pytest.raises(VerificationError, match="not block"):
            check_evidence(outcome.evidence, world.trust(), rpc=view)


def test_receipt__head_not_past_its_index_before_merge_by__pending(world):
    note = lying_receipt(world, 300, merge_by=NOW)
    outcome = checked(world, 7, note=note, rpc=world.view(), now=T0_S * 1000)
    assert outcome.exit_code == EXIT_PENDING


def test_receipt__nothing_anchored_long_after_merge_by__equivocation():
    world = World()
    world.append(received=T0_S * 1000 - 10 * MERGE_MS)
    outcome = checked(world, 0, rpc=world.view())
    assert outcome.exit_code == EXIT_EQUIVOCATION


def test_receipt__mirror_ends_before_it__pending(world):
    outcome = checked(world, 7, note=lying_receipt(world, 300), reader=reader_of(world.mirror(), 300))
    assert outcome.exit_code == EXIT_PENDING


def test_receipt__mirror_with_altered_tile__check_7_and_no_accusation(world):
    files = dict(world.mirror())
    files["tile/0/000"] = bytes(32 * 256)
    outcome = checked(world, 7, reader=reader_of(files, 300))
    assert outcome.exit_code == EXIT_FAILED
    assert outcome.evidence is None


def test_receipt__mirror_without_tiles__check_7(world):
    outcome = checked(world, 7, reader=reader_of({}, 300))
    assert outcome.lines[7].code == "tile-missing"


def test_receipt__endpoint_silent__exit_4(world):
    view = world.view()
    view.lie["chain_id"] = unreachable()
    assert checked(world, 7, rpc=view).exit_code == EXIT_UNREACHABLE


def test_receipt__endpoint_of_another_chain__said_of_the_endpoint(world):
    view = world.view()
    view.lie["chain_id"] = 5
    outcome = checked(world, 7, rpc=view)
    assert (outcome.word, outcome.exit_code, outcome.failed) == ("NOT-VERIFIED", EXIT_USAGE, False)


# --- consistency ---------------------------------------------------------------------------------------------------------


def test_consistency__of_one_log__ok_in_either_order(world, reader):
    old, new = world.checkpoints[0][2], world.checkpoints[-1][2]
    for pair in ((old, new), (new, old)):
        outcome = verify_consistency_of(*pair, world.trust(), reader)
        assert outcome.exit_code == EXIT_OK, outcome.text()


def test_consistency__trust_file_of_another_log__says_so(world, reader):
    notes = (world.checkpoints[0][2], world.checkpoints[-1][2])
    outcome = verify_consistency_of(*notes, replace(world.trust(), origin="other.example/log"), reader)
    assert (outcome.lines[2].code, outcome.exit_code) == ("wrong-log", EXIT_FAILED)


def test_consistency__same_root_twice__ok_without_tiles(world):
    note = world.checkpoints[0][2]
    assert verify_consistency_of(note, note, world.trust(), None).exit_code == EXIT_OK


def test_consistency__two_sizes_and_no_tiles__pending(world):
    outcome = verify_consistency_of(world.checkpoints[0][2], world.checkpoints[-1][2], world.trust(), None)
    assert outcome.exit_code == EXIT_PENDING


def fork(world, size):
    note = world.checkpoint(size=size, root=sha256(b"another history"))
    world.checkpoints.pop()
    return note


def test_consistency__two_roots_of_one_size__equivocation_without_tiles(world):
    outcome = verify_consistency_of(world.checkpoints[0][2], fork(world, 100), world.trust(), None)
    assert outcome.exit_code == EXIT_EQUIVOCATION
    assert "two roots for size 100" in check_evidence(outcome.evidence, world.trust())


@pytest.mark.parametrize("size", [1, 99, 100, 256, 299])
def test_consistency__older_of_another_history__equivocation(world, reader, size):
    outcome = verify_consistency_of(fork(world, size), world.checkpoints[-1][2], world.trust(), reader)
    assert outcome.exit_code == EXIT_EQUIVOCATION
    assert json.loads(outcome.evidence)["kind"] == "checkpoint-fork"
    check_evidence(outcome.evidence, world.trust())


def test_consistency__tiles_of_another_history__failed_and_no_accusation(world):
    other = World()
    other.append(nonce="z" * 24)
    other.fill(299)
    outcome = verify_consistency_of(
        world.checkpoints[0][2], world.checkpoints[-1][2], world.trust(), reader_of(other.mirror(), 300)
    )
    assert outcome.exit_code == EXIT_FAILED
    assert outcome.evidence is None


def test_consistency__tiles_incomplete__check_7(world):
    outcome = verify_consistency_of(
        world.checkpoints[0][2], world.checkpoints[-1][2], world.trust(), reader_of({}, 300)
    )
    assert outcome.lines[7].code == "tile-missing"


def test_consistency__not_signed_by_the_log__check_8(world, reader):
    forged = world.checkpoint(size=100, root=sha256(b"x"), signer=NoteSigner(ORIGIN, seeded("x")))
    world.checkpoints.pop()
    outcome = verify_consistency_of(forged, world.checkpoints[-1][2], world.trust(), reader)
    assert outcome.exit_code == EXIT_FAILED
    assert outcome.evidence is None


def test_consistency__empty_tree__begins_every_tree(world, reader):
    outcome = verify_consistency_of(world.checkpoint(size=0), world.checkpoints[-2][2], world.trust(), reader)
    world.checkpoints.pop()
    assert outcome.exit_code == EXIT_OK


# --- evidence ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def evidence(world, reader):
    return verify_consistency_of(fork(world, 99), world.checkpoints[-1][2], world.trust(), reader).evidence


@pytest.mark.parametrize(
    ("defect", "change"),
    [
        ("root-is-the-signed-one", lambda d, w: d["proof"].update(root=b64_encode(sha256(b"another history")))),
        ("root-made-up", lambda d, w: d["proof"].update(root=b64_encode(bytes(32)))),
        ("hash-dropped", lambda d, w: d["proof"]["hashes"].pop()),
        ("same-checkpoint-twice", lambda d, w: d.update(items=[d["items"][1]] * 2, proof={})),
        ("one-note-only", lambda d, w: d.update(items=d["items"][:1])),
        ("unknown-member", lambda d, w: d.update(extra=1)),
        ("unknown-kind", lambda d, w: d.update(kind="book-fork")),
        ("unknown-version", lambda d, w: d.update(mediaType="application/vnd.hazledger.evidence.v2+json")),
        ("note-not-signed", lambda d, w: d["items"].__setitem__(0, d["items"][0][:-6] + "AAA=\n")),
    ],
)
def test_check_evidence__defect__proves_nothing(world, evidence, defect, change):
    document = json.loads(evidence)
    change(document, world)
    with pytest.raises(VerificationError):
        check_evidence(json.dumps(document).encode(), world.trust())


def test_check_evidence__honest_operator__cannot_be_accused(world, reader):
    from ledger.core.verification import evidence as made
    from ledger.core.merkle import consistency_proof

    old, new = world.checkpoints[0], world.checkpoints[-1]
    proof = made.prefix_proof(old[1], consistency_proof(100, 300, reader))
    with pytest.raises(VerificationError, match="proves nothing"):
        made.checkpoint_fork(old[2], new[2], world.trust(), proof)


def test_receipt__the_submission_as_our_client_keeps_it__entry_rebuilt(world):
    submission = b'{"envelope":%b,"disclosures":[]}' % world.logged[7].envelope
    outcome = checked(world, 7, envelope=submission)
    assert outcome.lines[6].status == "ok"
