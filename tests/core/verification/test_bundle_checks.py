"""verify_bundle: every way of being bad is noticed by the check of that number; grants and the chain have their own files.

Each case changes one thing of a bundle (or of the world behind it) and is named for the defect.
"""

import json
from dataclasses import replace

import msgspec
import pytest

from ledger.core import rlp
from ledger.core.bundle import encode_bundle
from ledger.core.checkpoint import Checkpoint, sign_checkpoint
from ledger.core.dsse import encode_envelope, parse_envelope
from ledger.core.encoding import b64_encode
from ledger.core.note import NoteSigner
from ledger.core.trust import Span
from ledger.core.verification import Level
from ledger.core.verification.verdict import EXIT_FAILED, EXIT_USAGE
from ledger.model import Signature
from tests.core.verification.bundles import anchored_world, only_failure, statuses, two_signed, verdict_of
from tests.world import ORIGIN, T0_S, World, disclosure, seeded

# --- 1 -----------------------------------------------------------------------------------------------------------------


def test_check_1__not_json__failed_and_nothing_else_said(world):
    verdict = verdict_of(b"%PDF-1.7", world)
    assert only_failure(verdict) == (1, "not-json")
    assert verdict.exit_code == EXIT_FAILED
    assert {check.status for check in verdict.checks[1:]} == {"skip"}
    assert verdict.level is Level.NOTHING


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("mediaType", "application/vnd.hazledger.bundle.v2+json", "unknown-format"),
        ("timestamps", ["AA=="], "timestamps-not-supported"),
    ],
)
def test_check_1__unknown_format__exit_2(world, good, member, value, code):
    document = json.loads(encode_bundle(good)) | {member: value}
    verdict = verdict_of(json.dumps(document).encode(), world)
    assert only_failure(verdict) == (1, code)
    assert verdict.exit_code == EXIT_USAGE


def test_check_1__node_twice__failed(world, good):
    verdict = verdict_of(replace(good, nodes=(*good.nodes, good.nodes[0])), world)
    assert (1, "node-set") in {(c.number, c.code) for c in verdict.failed}


def test_check_1__superfluous_node__failed(world, good):
    verdict = verdict_of(replace(good, nodes=(*good.nodes, rlp.encode([b"\x20" + bytes(40), b"x"]))), world)
    assert only_failure(verdict) == (1, "unused-node")


def test_check_1__root_nodes_although_not_anchored__failed(world, good):
    verdict = verdict_of(replace(good, anchored=False), world)
    assert only_failure(verdict) == (1, "unused-node")


# --- 2 -----------------------------------------------------------------------------------------------------------------


def test_check_2__trust_file_of_another_log__failed(world, good):
    signer = NoteSigner("other.example", seeded("log"))
    receipt = NoteSigner("other.example/receipt", seeded("receipt"))
    from ledger.core.trust import make_trust, parse_trust

    other = parse_trust(
        make_trust(
            origin="other.example",
            log_vkeys=[signer.verifier.to_vkey()],
            receipt_vkeys=[receipt.verifier.to_vkey()],
            chains=[world.chain()],
        )
    )
    verdict = verdict_of(good, world, trust=other)
    assert (2, "wrong-log") in {(c.number, c.code) for c in verdict.failed}


def test_check_2__record_signed_for_another_log__failed():
    world = World()
    payload = world.payload(log="other.example")
    world.append(payload=payload)
    world.checkpoint()
    world.anchor()
    world.pin()
    assert only_failure(verdict_of(world.bundle(0), world)) == (2, "wrong-log")


def test_check_2__no_chain_for_this_size__failed(world, good):
    verdict = verdict_of(good, world, trust=world.trust(sizes=Span(100, None)))
    assert only_failure(verdict) == (2, "no-chain")


# --- 3 -----------------------------------------------------------------------------------------------------------------


def resigned(world, payload):
    return parse_envelope(world.envelope(payload, [world.enterprise]))


@pytest.mark.parametrize(
    ("defect", "old", "new"),
    [
        ("float", b'"12.5"', b"12.5"),
        ("unknown-member", b'"nonce"', b'"extra": 1, "nonce"'),
        ("bad-cas", b"7664-93-9", b"7664-93-8"),
        ("not-json", b'"v": 1', b'"v": 1,,'),
    ],
)
def test_check_3__bad_payload_although_signed__failed(world, good, defect, old, new):
    assert old in good.envelope.payload
    envelope = resigned(world, good.envelope.payload.replace(old, new))
    verdict = verdict_of(replace(good, envelope=envelope), world)
    assert 3 in {check.number for check in verdict.failed}
    assert statuses(verdict)[5] == "skip"


# --- 5 -----------------------------------------------------------------------------------------------------------------


def test_check_5__signature_over_another_payload__failed(world, good):
    sig = world.enterprise.key.sign(b"something else")
    envelope = parse_envelope(encode_envelope(good.envelope.payload, [Signature(world.enterprise.key.keyid, sig)]))
    verdict = verdict_of(replace(good, envelope=envelope), world)
    assert (5, "bad-signature") in {(check.number, check.code) for check in verdict.failed}


def test_check_5__payload_type_not_in_the_signed_bytes__failed(world, good):
    sig = world.enterprise.key.sign(good.envelope.payload)
    envelope = parse_envelope(encode_envelope(good.envelope.payload, [Signature(world.enterprise.key.keyid, sig)]))
    verdict = verdict_of(replace(good, envelope=envelope), world)
    assert (5, "bad-signature") in {(check.number, check.code) for check in verdict.failed}


def test_check_5__signed_by_nobody_in_signers__failed(world, good):
    other = seeded("another")
    sig = Signature(other.keyid, other.sign(b"x"))
    envelope = parse_envelope(encode_envelope(good.envelope.payload, [sig]))
    verdict = verdict_of(replace(good, envelope=envelope), world)
    assert (5, "signers") in {(check.number, check.code) for check in verdict.failed}


@pytest.mark.parametrize(
    "pick", [lambda s: s[:1], lambda s: s[::-1], lambda s: (*s, s[1])], ids=["one-missing", "swapped", "one-more"]
)
def test_check_5__signatures_not_those_of_the_signers__failed(pick):
    world, bundle = two_signed()
    envelope = parse_envelope(encode_envelope(bundle.envelope.payload, list(pick(bundle.envelope.signatures))))
    verdict = verdict_of(replace(bundle, envelope=envelope), world)
    assert (5, "signers") in {(check.number, check.code) for check in verdict.failed}


def test_check_5__second_of_two_signatures_wrong__failed():
    world, bundle = two_signed()
    first, second = bundle.envelope.signatures
    envelope = parse_envelope(
        encode_envelope(bundle.envelope.payload, [first, msgspec.structs.replace(second, sig=bytes(63) + b"\1")])
    )
    verdict = verdict_of(replace(bundle, envelope=envelope), world)
    assert (5, "bad-signature") in {(check.number, check.code) for check in verdict.failed}


# --- 6 and 7 -----------------------------------------------------------------------------------------------------------


def test_check_7__other_received_than_logged__not_included(world, good):
    verdict = verdict_of(replace(good, received=good.received + 1), world)
    assert (7, "not-included") in {(check.number, check.code) for check in verdict.failed}


def test_check_7__another_valid_signature_than_the_logged_one__not_included():
    # ECDSA signatures are not unique: the entry holds the first accepted, and the leaf with it.
    world = anchored_world(es256=True)
    bundle = world.bundle(5)
    envelope = resigned(world, bundle.envelope.payload)
    verdict = verdict_of(replace(bundle, envelope=envelope), world)
    assert statuses(verdict)[5] == "ok"
    assert 7 in {check.number for check in verdict.failed}


def test_check_7__index_of_a_neighbour__not_included(world, good):
    verdict = verdict_of(replace(good, index=4), world)
    assert (7, "not-included") in {(check.number, check.code) for check in verdict.failed}


def test_check_7__index_beyond_the_tree__not_included(world, good):
    verdict = verdict_of(replace(good, index=8), world)
    assert 7 in {check.number for check in verdict.failed}


@pytest.mark.parametrize(
    "hashes", [lambda h: h[:-1], lambda h: (*h, h[0]), lambda h: h[::-1], lambda h: (bytes(32), *h[1:])],
    ids=["one-too-few", "one-too-many", "reversed", "first-replaced"],
)  # fmt: skip
def test_check_7__proof_hashes__not_included(world, good, hashes):
    verdict = verdict_of(replace(good, hashes=hashes(good.hashes)), world)
    assert 7 in {check.number for check in verdict.failed}


def test_check_7__fails__grants_are_not_judged_by_an_unproven_index(world, good):
    verdict = verdict_of(replace(good, index=4), world)
    assert statuses(verdict)[4] == "skip"


# --- 8 -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("defect", "note"),
    [
        ("other-key", lambda w: sign_checkpoint(Checkpoint(ORIGIN, 8, w.root(8)), NoteSigner(ORIGIN, seeded("x")))),
        ("no-signature", lambda w: Checkpoint(ORIGIN, 8, w.root(8)).encode().encode()),
        ("text-changed", lambda w: w.checkpoints[-1][2].replace(b"\n8\n", b"\n9\n")),
        ("four-lines", lambda w: w.log_signer.sign(Checkpoint(ORIGIN, 8, w.root(8)).encode() + "more\n")),
        ("signed-under-another-name", lambda w: NoteSigner(ORIGIN + "/receipt", seeded("receipt")).sign(
            Checkpoint(ORIGIN, 8, w.root(8)).encode())),
    ],
)  # fmt: skip
def test_check_8__checkpoint_not_signed_by_the_log__failed(world, good, defect, note):
    verdict = verdict_of(replace(good, checkpoint=note(world)), world)
    assert 8 in {check.number for check in verdict.failed}
    assert statuses(verdict)[7] == "skip"
    assert statuses(verdict)[9] in ("skip", "FAIL")


def test_check_8__log_key_not_in_force_for_this_size__failed(world, good):
    from ledger.core.trust import encode_trust, parse_trust

    trust = world.trust()
    ended = parse_trust(encode_trust(replace(trust, log_keys=(replace(trust.log_keys[0], to_size=8),))))
    verdict = verdict_of(good, world, trust=ended)
    assert (8, "no-known-signature") in {(check.number, check.code) for check in verdict.failed}


def test_check_8__unknown_witness_beside_the_log__ignored(world, good):
    witness = NoteSigner("witness.example", seeded("witness"))
    text = good.checkpoint.decode().split("\n\n")[0] + "\n"
    note = good.checkpoint + witness.signature_line(text).encode()
    assert verdict_of(replace(good, checkpoint=note), world).outcome == "ANCHORED-DEV"


# --- 11, 12, 13 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("defect", "strings"),
    [
        ("value-changed", lambda d: (disclosure("/body/counters/0/name", "赵六").text,)),
        ("twice", lambda d: (d[0], d[0])),
        ("of-another-record", lambda d: (*d, disclosure("/body/text", "another").text)),
        ("not-base64url", lambda d: ("!!",)),
        ("padded", lambda d: (d[0] + "=",)),
    ],
)
def test_check_11__disclosure__failed(world, good, defect, strings):
    verdict = verdict_of(replace(good, disclosures=strings(good.disclosures)), world)
    assert {check.number for check in verdict.failed} == {11}


def test_check_11__fewer_disclosures__fine_and_counted(world, good):
    verdict = verdict_of(replace(good, disclosures=()), world)
    assert verdict.outcome == "ANCHORED-DEV"
    assert "8 of 8 digests not shown" in verdict.verdict_line


@pytest.mark.parametrize(
    ("defect", "change"),
    [
        ("other-index", {"index": 4}),
        ("other-received", {"received": 5, "merge_by": 6}),
        ("other-leaf", {"leaf_hash": bytes(32)}),
        ("other-record", {"record_id": "0" * 64}),
    ],
)
def test_check_12__receipt_of_something_else__failed(world, good, defect, change):
    from ledger.core.receipt import parse_receipt

    said = parse_receipt(good.receipt, [world.receipt_signer.verifier])
    note = world.receipt_signer.sign(msgspec.structs.replace(said, **change).encode())
    assert only_failure(verdict_of(replace(good, receipt=note), world)) == (12, "receipt-differs")


@pytest.mark.parametrize("signer", [NoteSigner(ORIGIN, seeded("log")), NoteSigner(ORIGIN + "/receipt", seeded("x"))])
def test_check_12__receipt_not_signed_by_the_receipt_key__failed(world, good, signer):
    text = good.receipt.decode().split("\n\n")[0] + "\n"
    verdict = verdict_of(replace(good, receipt=signer.sign(text)), world)
    assert {check.number for check in verdict.failed} == {12}


def test_check_12__anchored_after_merge_by__a_finding_and_no_failure():
    world = World()
    world.append(received=T0_S * 1000 - 10_000_000)
    world.checkpoint()
    world.anchor()
    world.pin()
    verdict = verdict_of(world.bundle(0), world)
    assert verdict.outcome == "ANCHORED-DEV"
    assert any(note.startswith("late") for note in verdict.warnings)


def test_check_12__no_receipt__skipped(world, good):
    verdict = verdict_of(replace(good, receipt=None), world)
    assert statuses(verdict)[12] == "skip"
    assert verdict.outcome == "ANCHORED-DEV"


def test_check_13__record_with_seen__skipped_and_said_why():
    world = World()
    world.fill(1)
    world.append(seen={"size": 1, "root": b64_encode(world.root())})
    world.checkpoint()
    world.anchor()
    world.pin()
    verdict = verdict_of(world.bundle(1), world)
    assert statuses(verdict)[13] == "skip"
    assert "reserved" in verdict.checks[12].detail
