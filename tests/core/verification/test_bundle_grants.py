"""verify_bundle, check 4: the key was granted, to this holder, for this scope and role, at this index.

Each case changes one thing of a bundle (or of the world behind it) and is named for the defect.
"""

from dataclasses import replace

import pytest

from ledger.core.encoding import sha256
from ledger.core.verification.verdict import EXIT_FAILED
from ledger.model import Role
from tests.core.verification.bundles import anchored_world, only_failure, two_signed, verdict_of
from tests.world import HOLDER, ORIGIN, OTHER_HOLDER, STRANGER, World, seeded


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
    world, bundle = two_signed()
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
