"""verify_bundle: a good bundle reaches its level, and every way of being bad is noticed by the check of that number.

Each case changes one thing of a bundle (or of the world behind it) and is named for the defect.
"""

import json
from dataclasses import replace

import msgspec
import pytest

from ledger.core import rlp
from ledger.core.bundle import encode_bundle, parse_bundle
from ledger.core.checkpoint import Checkpoint, sign_checkpoint
from ledger.core.dsse import encode_envelope, parse_envelope
from ledger.core.encoding import b64_encode, sha256
from ledger.core.note import NoteSigner
from ledger.core.trust import PinnedBlock, Span
from ledger.core.verification import Level, verify_bundle
from ledger.core.verification.verdict import EXIT_FAILED, EXIT_OK, EXIT_PENDING, EXIT_UNREACHABLE, EXIT_USAGE
from ledger.model import Role, Signature
from tests.trie_builder import header_rlp
from tests.world import AUTHORITY, HOLDER, ORIGIN, OTHER_HOLDER, STRANGER, T0_S, World, disclosure, seeded, unreachable


def anchored_world(**options):
    """Eight records, number 5 with disclosures, one checkpoint, anchored, its block pinned."""
    world = World(**options)
    world.fill(5)
    world.append(disclosures=[disclosure("/body/counters/0/name", "王五"), disclosure("/body/text", "count by hand")])
    world.fill(2)
    world.checkpoint()
    world.anchor()
    world.pin()
    return world


@pytest.fixture(scope="module")
def world():
    return anchored_world()


@pytest.fixture(scope="module")
def good(world):
    return parse_bundle(world.bundle_bytes(5))


def verdict_of(bundle, world, *, require=Level.ANCHORED_DEV, **options):
    data = bundle if isinstance(bundle, bytes) else encode_bundle(bundle)
    return verify_bundle(data, options.pop("trust", None) or world.trust(), require=require, **options)


def statuses(verdict):
    return {check.number: check.status for check in verdict.checks}


def only_failure(verdict):
    """(number, code) of the one failed check."""
    assert len(verdict.failed) == 1, verdict.lines()
    return verdict.failed[0].number, verdict.failed[0].code


# --- levels ------------------------------------------------------------------------------------------------------------


def test_verify_bundle__pinned_development_chain__anchored_dev(world, good):
    verdict = verdict_of(good, world)
    assert verdict.level is Level.ANCHORED_DEV
    assert verdict.exit_code == EXIT_OK
    assert statuses(verdict) == dict.fromkeys(range(1, 13), "ok") | {13: "skip"}
    assert verdict.existed_by_s is None
    assert "existed by" not in verdict.verdict_line
    assert (verdict.digests_not_shown, verdict.digests) == (6, 8)
    assert "6 of 8 digests not shown" in verdict.verdict_line
    assert world.trust().digest.hex() in verdict.verdict_line
    assert f"keys as of block {world.block}, " in verdict.verdict_line


def test_verify_bundle__pinned_qbft_chain__anchored_with_the_time():
    world = anchored_world(kind="qbft")
    verdict = verdict_of(world.bundle(5), world, require=Level.ANCHORED)
    assert verdict.level is Level.ANCHORED
    assert verdict.exit_code == EXIT_OK
    assert verdict.existed_by_s == T0_S + 12 * 101
    assert "existed by 2026-09-21 14:33:32 UTC" in verdict.verdict_line


def test_verify_bundle__development_chain_where_anchored_is_required__pending(world, good):
    verdict = verdict_of(good, world, require=Level.ANCHORED)
    assert (verdict.outcome, verdict.level, verdict.exit_code) == ("PENDING", Level.ANCHORED_DEV, EXIT_PENDING)
    assert verdict.lift.number == 9
    assert "qbft" in verdict.verdict_line


def test_verify_bundle__nothing_pinned_and_no_endpoint__received_and_names_check_10(world, good):
    verdict = verdict_of(good, world, trust=world.trust(pinned=()))
    assert (verdict.outcome, verdict.level, verdict.exit_code) == ("PENDING", Level.RECEIVED, EXIT_PENDING)
    assert verdict.lift.number == 10
    assert {n: statuses(verdict)[n] for n in (4, 9, 10)} == {4: "skip", 9: "skip", 10: "skip"}
    assert verdict.keys_as_of is None


def test_verify_bundle__received_is_enough__ok_without_any_chain(world, good):
    verdict = verdict_of(good, world, trust=world.trust(pinned=()), require=Level.RECEIVED)
    assert (verdict.outcome, verdict.exit_code) == ("RECEIVED", EXIT_OK)


def test_verify_bundle__qbft_header_not_pinned__says_that_seals_are_reserved():
    world = anchored_world(kind="qbft")
    verdict = verdict_of(world.bundle(5), world, trust=world.trust(pinned=()), require=Level.ANCHORED)
    assert verdict.exit_code == EXIT_PENDING
    assert "QBFT seals are reserved" in verdict.lift.detail


def test_verify_bundle__qbft_pinned_by_the_chains_own_block_name__anchored():
    world = World(kind="qbft")
    world.fill(1)
    world.checkpoint()
    world.anchor()
    bundle = world.bundle(0)

    def sealed(seals):
        extra = rlp.encode([bytes(32), [b"\1" * 20], b"", b"" if not seals else b"\2", seals])
        state_root = rlp.decode(bundle.header)[3]
        return header_rlp(state_root=state_root, number=world.block, timestamp_s=T0_S + 12 * world.block, extra=extra)

    world.pinned.append(PinnedBlock(world.block, sha256_keccak(sealed([]))))
    verdict = verdict_of(replace(bundle, header=sealed([b"s" * 65])), world, require=Level.ANCHORED)
    assert verdict.outcome == "ANCHORED", verdict.lines()


def sha256_keccak(raw):
    from ledger.core.trie import keccak256

    return keccak256(raw)


def test_verify_bundle__not_anchored_yet__logged_and_names_check_9():
    world = World()
    world.fill(3)
    world.checkpoint()
    world.pin()
    verdict = verdict_of(world.bundle(1, anchored=False), world)
    assert (verdict.level, verdict.lift.number, verdict.exit_code) == (Level.LOGGED, 9, EXIT_PENDING)
    assert verdict_of(world.bundle(1, anchored=False), world, require=Level.LOGGED).exit_code == EXIT_OK


def test_verify_bundle__two_signers__both_checked():
    world = World()
    second = world.enrol("second", HOLDER, "S1/", Role.ENTERPRISE)
    world.append(signers=[world.enterprise, second])
    world.checkpoint()
    world.anchor()
    world.pin()
    verdict = verdict_of(world.bundle(0), world)
    assert verdict.outcome == "ANCHORED-DEV", verdict.lines()
    assert verdict.checks[3].detail.count("enterprise") == 2


def test_verify_bundle__es256__same_levels():
    world = anchored_world(es256=True)
    assert verdict_of(world.bundle(5), world).outcome == "ANCHORED-DEV"


def test_verify_bundle__platform_entry__anchored():
    world = World()
    platform = world.enrol("platform", "platform.example", "", Role.PLATFORM)
    world.append(
        signers=[platform],
        kind="tick",
        site="main",
        book="ticks",
        body={"now": 1_790_000_000_000, "facts": "ab" * 32},
    )
    world.checkpoint()
    world.anchor()
    world.pin()
    assert verdict_of(world.bundle(0), world).outcome == "ANCHORED-DEV"


def test_verify_bundle__log_of_one_leaf__empty_proof_holds():
    world = World()
    world.fill(1)
    world.checkpoint()
    world.anchor()
    world.pin()
    assert world.bundle(0).hashes == ()
    assert verdict_of(world.bundle(0), world).outcome == "ANCHORED-DEV"


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


# --- 4 -----------------------------------------------------------------------------------------------------------------


def world_with(**grant):
    """A world whose enterprise's grant has these members, one anchored record, the block pinned."""
    world = World()
    for name, value in grant.items():
        setattr(world.enterprise, name, value)
    world.fill(3)
    world.checkpoint()
    world.anchor()
    world.pin()
    return world


@pytest.mark.parametrize(
    ("defect", "grant", "index", "code"),
    [
        ("enrolled-by-a-stranger", {"enroller": STRANGER}, 0, "enroller"),
        ("enrolled-after-the-record", {"enrolled_at": 2}, 1, "not-yet-enrolled"),
        ("revoked-at-the-record", {"revoked_at": 1}, 1, "revoked"),
        ("revoked-before-the-record", {"revoked_at": 1}, 2, "revoked"),
    ],
)
def test_check_4__grant_not_in_force__failed(defect, grant, index, code):
    world = world_with(**grant)
    assert only_failure(verdict_of(world.bundle(index), world)) == (4, code)


@pytest.mark.parametrize(("grant", "index"), [({"enrolled_at": 1}, 1), ({"revoked_at": 2}, 1)])
def test_check_4__at_the_edges_of_the_grant__ok(grant, index):
    world = world_with(**grant)
    assert verdict_of(world.bundle(index), world).outcome == "ANCHORED-DEV"


def claimed(bundle, **changes):
    return replace(bundle, keys=(replace(bundle.keys[0], **changes), *bundle.keys[1:]))


def test_check_4__grant_not_in_the_registry__failed():
    world = World()
    world.fill(1)
    world.checkpoint()
    world.anchor()
    world.enterprise.scope = "S1/"
    world.pin()
    bundle = world.bundle(0)
    del world.grants["enterprise"]
    world.grants["another"] = replace(world.enterprise, scope="S1/acid")
    world.pinned.clear()
    world.pin()
    proven = replace(bundle, header=world.state()[3], nodes=absent_nodes(world, world.enterprise.g, 1))
    assert only_failure(verdict_of(proven, world)) == (4, "no-grant")


def absent_nodes(world, g, size):
    from ledger.core.grants import log_id
    from ledger.core.verification import select_nodes

    proof = world.state_proof()
    return select_nodes(proof.header, proof.nodes, world.chain(), log=log_id(ORIGIN), gs=[g], size=size)


@pytest.mark.parametrize(
    ("defect", "changes", "code"),
    [
        ("keyid-is-not-the-spkis", {"spki": seeded("another").public.spki}, "bad-key"),
        ("compressed-point", {"spki": b"\x30\x39" + bytes(57)}, "bad-key"),
        ("small-order-key", {"spki": bytes.fromhex("302a300506032b6570032100") + b"\1" + bytes(31)}, "bad-key"),
        ("role-may-not-sign-this-kind", {"role": Role.SUPERVISOR}, "role"),
        ("scope-of-another-book", {"scope": "S1/base"}, "scope"),
        ("scope-of-another-site", {"scope": "S2/"}, "scope"),
        ("keyid-of-nobody", {"keyid": "0" * 64}, "wrong-keys"),
    ],
)
def test_check_4__claim_of_the_key__failed(world, good, defect, changes, code):
    verdict = verdict_of(claimed(good, **changes), world)
    assert (4, code) in {(check.number, check.code) for check in verdict.failed}


@pytest.mark.parametrize("changes", [{"scope": "S1/"}, {"scope": ""}])
def test_check_4__wider_scope_than_granted__not_proven(world, good, changes):
    # Another scope is another g, whose absence these nodes may not even prove.
    verdict = verdict_of(claimed(good, **changes), world)
    assert 4 in {check.number for check in verdict.failed}


def test_check_4__grant_of_another_holder__failed():
    world = World()
    world.enterprise.holder = OTHER_HOLDER
    world.append(holder=HOLDER)
    world.checkpoint()
    world.anchor()
    world.pin()
    own = world.bundle(0)
    verdict = verdict_of(own, world)
    assert 4 in {check.number for check in verdict.failed}


def test_check_4__second_signers_key_missing__failed():
    world = World()
    second = world.enrol("second", HOLDER, "S1/", Role.ENTERPRISE)
    world.append(signers=[world.enterprise, second])
    world.checkpoint()
    world.anchor()
    world.pin()
    bundle = world.bundle(0)
    verdict = verdict_of(replace(bundle, keys=bundle.keys[:1]), world)
    assert (4, "wrong-keys") in {(check.number, check.code) for check in verdict.failed}


def test_check_4__registry_with_other_code__failed():
    world = anchored_world()
    world.code["registry"] = sha256(b"malicious")
    world.pinned.clear()
    world.pin()
    with pytest.raises(Exception, match="trust file names another"):
        world.bundle(5)
    honest = anchored_world()
    bundle = honest.bundle(5)
    other = honest.chain(key_registry=replace(honest.chain().key_registry, code_hash=sha256(b"other")))
    verdict = verdict_of(bundle, honest, trust=honest.trust(key_registry=other.key_registry))
    assert only_failure(verdict) == (4, "wrong-contract")


def test_check_4__registry_at_another_address__failed(world, good):
    registry = replace(world.chain().key_registry, address=b"\x33" * 20)
    verdict = verdict_of(good, world, trust=world.trust(key_registry=registry))
    assert 4 in {check.number for check in verdict.failed}


def test_check_4__authority_struck_off__failed(world, good):
    verdict = verdict_of(good, world, trust=world.trust(authorities=(b"\xcc" * 20,)))
    assert only_failure(verdict) == (4, "enroller")


def test_check_4__node_missing__failed(world, good):
    codes = set()
    for at in range(len(good.nodes)):
        verdict = verdict_of(replace(good, nodes=good.nodes[:at] + good.nodes[at + 1 :]), world)
        assert verdict.exit_code == EXIT_FAILED
        codes |= {(check.number, check.code) for check in verdict.failed}
    assert codes == {(4, "state-proof"), (9, "state-proof")}


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


def two_signed():
    world = World()
    second = world.enrol("second", HOLDER, "S1/", Role.ENTERPRISE)
    world.append(signers=[world.enterprise, second])
    world.checkpoint()
    world.anchor()
    world.pin()
    return world, world.bundle(0)


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


# --- 9 -----------------------------------------------------------------------------------------------------------------


def test_check_9__contract_holds_another_root__failed():
    world = World()
    world.fill(3)
    world.checkpoint()
    world.anchor(root=sha256(b"another history"))
    world.pin()
    verdict = verdict_of(world.bundle(1), world)
    assert only_failure(verdict) == (9, "other-root")
    assert "forked" in verdict.failed[0].detail


def test_check_9__contract_holds_no_root_of_this_size__failed():
    world = World()
    world.fill(3)
    world.checkpoint(size=2)
    world.anchor(3)
    world.pin()
    assert only_failure(verdict_of(world.bundle(1, size=2), world)) == (9, "not-anchored")


@pytest.mark.parametrize(
    ("defect", "meta"),
    [("after-the-header", (500, T0_S)), ("later-than-the-header", (101, T0_S * 2)), ("none", (0, 0))],
)
def test_check_9__meta_word_that_cannot_be__failed(defect, meta):
    world = World()
    world.fill(3)
    world.checkpoint()
    world.anchor()
    world.anchored[3] = (world.root(3), *meta)
    world.pin()
    assert only_failure(verdict_of(world.bundle(1), world)) == (9, "bad-meta")


def test_check_9__log_contract_with_other_code__failed(world, good):
    contract = replace(world.chain().checkpoint_log, code_hash=sha256(b"other"))
    verdict = verdict_of(good, world, trust=world.trust(checkpoint_log=contract))
    assert only_failure(verdict) == (9, "wrong-contract")


def test_check_9__other_slots_in_the_trust_file__failed(world, good):
    contract = replace(world.chain().checkpoint_log, root_at_slot=7)
    verdict = verdict_of(good, world, trust=world.trust(checkpoint_log=contract))
    assert 9 in {check.number for check in verdict.failed}


def test_check_9__not_anchored_and_wrong_contract__failed_all_the_same():
    world = World()
    world.fill(3)
    world.checkpoint()
    world.pin()
    contract = replace(world.chain().checkpoint_log, code_hash=sha256(b"other"))
    verdict = verdict_of(world.bundle(1, anchored=False), world, trust=world.trust(checkpoint_log=contract))
    assert only_failure(verdict) == (9, "wrong-contract")


# --- 10 ----------------------------------------------------------------------------------------------------------------


def test_check_10__another_block_is_pinned_at_this_number__failed(world, good):
    trust = world.trust(pinned=(PinnedBlock(world.block, sha256(b"another")),))
    verdict = verdict_of(good, world, trust=trust)
    assert only_failure(verdict) == (10, "not-pinned")


def test_check_10__not_a_header__failed(world, good):
    verdict = verdict_of(replace(good, header=b"\xc0"), world)
    assert (10, "bad-header") in {(check.number, check.code) for check in verdict.failed}
    assert statuses(verdict)[4] == "skip"


def test_check_10__made_up_header_with_a_made_up_grant__never_more_than_received(world):
    # The known attack: whoever makes the bundle makes the whole state as well. Only check 10 stands in the way.
    forged = World()
    forged.enterprise = forged.enrol("enterprise", HOLDER, "S1/acid", Role.ENTERPRISE, enroller=AUTHORITY)
    forged.log_signer = world.log_signer
    forged.fill(3)
    forged.checkpoint()
    forged.anchor()
    forged.block += 50
    verdict = verdict_of(forged.bundle(0), world)
    assert verdict.level is Level.RECEIVED
    assert verdict.exit_code == EXIT_PENDING
    assert verdict_of(forged.bundle(0), world, rpc=world.view()).exit_code == EXIT_FAILED


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
    note = world.receipt_signer.sign(replace(said, **change).encode())
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


# --- --rpc -------------------------------------------------------------------------------------------------------------


def test_rpc__newest_block_agrees__anchored_dev_with_its_time(world, good):
    verdict = verdict_of(good, world, trust=world.trust(pinned=()), rpc=world.view())
    assert verdict.outcome == "ANCHORED-DEV", verdict.lines()


def test_rpc__revoked_since_the_bundle_was_made__failed():
    world = anchored_world()
    bundle = world.bundle(5)
    world.block += 3
    world.enterprise.revoked_at = 5
    assert verdict_of(bundle, world).outcome == "ANCHORED-DEV"
    assert only_failure(verdict_of(bundle, world, rpc=world.view())) == (4, "revoked")


def test_rpc__keys_as_of__the_newest_block():
    world = anchored_world()
    bundle = world.bundle(5)
    world.block += 3
    verdict = verdict_of(bundle, world, rpc=world.view())
    assert verdict.keys_as_of.block == world.block


def test_rpc__anchored_since_the_bundle_was_made__anchored_dev():
    world = World()
    world.fill(3)
    world.checkpoint()
    bundle = world.bundle(1, anchored=False)
    assert verdict_of(bundle, world, rpc=world.view()).level is Level.LOGGED
    world.anchor()
    assert verdict_of(bundle, world, rpc=world.view()).outcome == "ANCHORED-DEV"


def test_rpc__header_not_on_the_chain__failed(world, good):
    view = world.view()
    view.lie["block_hash"] = sha256(b"another block")
    verdict = verdict_of(good, world, trust=world.trust(pinned=()), rpc=view)
    assert only_failure(verdict) == (10, "not-canonical")


def test_rpc__header_of_a_block_that_is_not_there__failed(world, good):
    view = world.view()
    view.lie["block_hash"] = None
    verdict = verdict_of(good, world, trust=world.trust(pinned=()), rpc=view)
    assert only_failure(verdict) == (10, "not-canonical")


def test_rpc__chain_made_anew_but_the_old_block_pinned__newest_answers(world, good):
    view = world.view()
    view.lie["block_hash"] = None
    assert verdict_of(good, world, rpc=view).outcome == "ANCHORED-DEV"


def test_rpc__chain_made_anew_and_not_yet_anchored_again__logged():
    world = anchored_world()
    bundle = world.bundle(5)
    world.anchored.clear()
    view = world.view()
    view.lie["block_hash"] = None
    verdict = verdict_of(bundle, world, rpc=view)
    assert (verdict.level, verdict.lift.number) == (Level.LOGGED, 9)


def test_rpc__root_gone_from_the_same_chain__failed():
    world = anchored_world()
    bundle = world.bundle(5)
    world.anchored.clear()
    world.block += 1
    assert only_failure(verdict_of(bundle, world, rpc=world.view())) == (9, "not-anchored")


def test_rpc__another_root_than_the_checkpoints__failed():
    world = anchored_world()
    bundle = world.bundle(5)
    world.anchored[8] = (sha256(b"another"), *world.anchored[8][1:])
    world.block += 1
    assert only_failure(verdict_of(bundle, world, rpc=world.view())) == (9, "other-root")


@pytest.mark.parametrize(("what", "value"), [("chain_id", 1), ("genesis_hash", bytes(32))])
def test_rpc__another_chain__failed(world, good, what, value):
    view = world.view()
    view.lie[what] = value
    verdict = verdict_of(good, world, rpc=view)
    assert (2, "wrong-chain") in {(check.number, check.code) for check in verdict.failed}


@pytest.mark.parametrize("what", ["chain_id", "state_proof", "block_hash"])
def test_rpc__does_not_answer__exit_4_unless_pinned_suffices(world, good, what):
    view = world.view()
    view.lie[what] = unreachable()
    verdict = verdict_of(good, world, trust=world.trust(pinned=()), rpc=view)
    assert verdict.exit_code == EXIT_UNREACHABLE
    assert verdict.level is Level.RECEIVED
    assert "did not answer" in verdict.lift.detail


def test_rpc__does_not_answer_but_a_check_failed__exit_1(world, good):
    view = world.view()
    view.lie["chain_id"] = unreachable()
    assert verdict_of(replace(good, index=4), world, rpc=view).exit_code == EXIT_FAILED


def test_rpc__header_that_is_not_its_block__failed(world, good):
    view = world.view()
    proof = world.state_proof()
    view.lie["state_proof"] = replace(proof, block=replace(proof.block, hash=bytes(32)))
    verdict = verdict_of(good, world, rpc=view)
    assert 10 in {check.number for check in verdict.failed}


def test_rpc__endpoint_leaves_out_a_node__failed(world, good):
    view = world.view()
    proof = world.state_proof()
    view.lie["state_proof"] = replace(proof, nodes=proof.nodes[1:])
    verdict = verdict_of(good, world, rpc=view)
    assert {check.number for check in verdict.failed} <= {4, 9}
    assert verdict.exit_code == EXIT_FAILED


def test_rpc__own_proof_broken__failed_whatever_the_chain_says(world, good):
    verdict = verdict_of(replace(good, nodes=good.nodes[1:]), world, rpc=world.view())
    assert verdict.exit_code == EXIT_FAILED


# --- --keys-within -----------------------------------------------------------------------------------------------------


def test_keys_within__older_header__pending(world, good):
    made = (T0_S + 12 * world.block) * 1000
    day = 86_400_000
    assert verdict_of(good, world, keys_within_days=7, now=made + 7 * day).exit_code == EXIT_OK
    verdict = verdict_of(good, world, keys_within_days=7, now=made + 7 * day + 1000)
    assert (verdict.outcome, verdict.exit_code, verdict.lift.number) == ("PENDING", EXIT_PENDING, 4)


# --- what is printed ---------------------------------------------------------------------------------------------------


def test_lines__one_a_check_then_the_verdict(world, good):
    lines = verdict_of(good, world).lines()
    assert [line[:9].split()[-1] for line in lines[:13]] == [str(n) for n in range(1, 14)]
    assert all(line.startswith(("[ok]", "[skip]", "[FAIL]")) for line in lines[:13])
    assert lines[13].startswith("ANCHORED-DEV; ")
    assert len(lines) == 14


def test_to_json__same_facts(world, good):
    verdict = verdict_of(good, world)
    document = json.loads(json.dumps(verdict.to_json()))
    assert (document["verdict"], document["level"], document["exitCode"]) == ("ANCHORED-DEV", "ANCHORED-DEV", 0)
    assert [check["check"] for check in document["checks"]] == list(range(1, 14))
    assert document["trustFile"] == world.trust().digest.hex()
    assert document["index"] == 5
    assert document["existedBy"] is None


def test_level_parse__labels__round_trip():
    assert [Level.parse(level.label) for level in Level if level] == [level for level in Level if level]
    with pytest.raises(ValueError, match="no level"):
        Level.parse("NOTHING")
