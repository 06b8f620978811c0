"""Stage 7 over a small world: which chain state a bundle gets, and what is said when there is none that serves."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ledger.core.record import record_id_of
from ledger.core.verification import Level, verify_bundle
from ledger.errors import ChainUnreachableError, NotFoundError, StoreError
from ledger.model import Grant, NEVER, Role, StoredRecord
from ledger.ports import StoredCheckpoint
from ledger.prove import prove
from tests.world import HOLDER, World


class Log:
    """What `prove` asks of a LogReader. `asked` counts how often all grants were read."""

    def __init__(self, world):
        self.world, self.asked = world, 0

    def record_by_id(self, record_id):
        for index, item in enumerate(self.world.logged):
            if record_id_of(item.payload) == record_id:
                return StoredRecord(
                    index, record_id, HOLDER, "S1", "acid", 1, "stocktake", "", item.received, item.envelope, item.entry, item.receipt
                )
        return None

    def grants(self):
        self.asked += 1
        return [
            Grant(g.g.hex(), g.key.keyid, g.key.public.spki, g.holder, g.scope, g.role, g.enroller, g.enrolled_at, NEVER)
            for g in self.world.grants.values()
        ]

    def latest_checkpoint(self):
        size, root, note = self.world.checkpoints[-1]
        return StoredCheckpoint(size, root, note, 0)

    def checkpoint(self, size):
        return next((StoredCheckpoint(s, r, n, 0) for s, r, n in self.world.checkpoints if s == size), None)

    def disclosures(self, _record_id):
        return ()

    def hash_tile(self, level, n, width):
        assert level == 0
        return b"".join(self.world.leaves()[n * 256 : n * 256 + width])


class Anchors:
    """One anchor, with the nodes that were kept of every grant there was then."""

    def __init__(self, world):
        size = world.anchor()
        world.checkpoint()
        self.reached = SimpleNamespace(size=size, root=world.root())
        self.proof = world.state_proof()

    def anchor_covering(self, index):
        return self.reached if index < self.reached.size else None

    def latest_anchor(self):
        return self.reached

    def stored_proof(self, size):
        return self.proof if size == self.reached.size else None


class Chain:
    def __init__(self, world):
        self.world = world

    def state_proof(self, *, sizes, gs):  # noqa: ARG002 - a world gives all it has
        return self.world.state_proof()


class Gone:
    def state_proof(self, *, sizes, gs):
        raise ChainUnreachableError("no endpoint answered")


@pytest.fixture
def world():
    return World().open().fill(3)


def bundle(world, index, anchors, chain):
    log = Log(world)
    data = prove(
        record_id_of(world.logged[index].payload), log=log, anchors=anchors, trust=world.trust(), chain=chain, disclosures=False
    )
    assert log.asked == 1
    return verify_bundle(data, world.trust(), rpc=world.view())


def test_prove__chain_answers__verifies_as_anchored(world):
    assert bundle(world, 2, Anchors(world), Chain(world)).level is Level.ANCHORED_DEV


@pytest.mark.parametrize("chain", [None, Gone()], ids=["none", "gone"])
def test_prove__chain_gone__the_nodes_kept_at_anchoring_serve(world, chain):
    assert bundle(world, 2, Anchors(world), chain).level is Level.ANCHORED_DEV


def test_prove__not_anchored_yet__the_latest_checkpoint_and_the_newest_kept_state(world):
    anchors = Anchors(world)
    index = world.append()
    world.checkpoint()
    verdict = bundle(world, index, anchors, Gone())
    assert verdict.level is Level.LOGGED and not verdict.failed


def test_prove__two_signers__grants_are_read_once(world):
    other = world.enrol("second", HOLDER, "S1/", Role.ENTERPRISE)
    world.state_grant(other)
    index = world.append(signers=[world.enterprise, other])
    assert bundle(world, index, Anchors(world), Chain(world)).level is Level.ANCHORED_DEV


def test_prove__grant_newer_than_the_kept_state_and_chain_gone__try_again_later(world):
    anchors = Anchors(world)
    other = world.enrol("second", HOLDER, "S1/", Role.ENTERPRISE)
    world.state_grant(other)
    index = world.append(signers=[other])
    world.checkpoint()
    with pytest.raises(StoreError, match="older than the signer's grant"):
        bundle(world, index, anchors, Gone())
    # Some of the nodes only, as the real store keeps them: then not even the grant's absence is proven.
    anchors.proof = replace(anchors.proof, nodes=anchors.proof.nodes[:2])
    with pytest.raises(StoreError, match="older than the signer's grant"):
        bundle(world, index, anchors, Gone())
    assert not bundle(world, index, anchors, Chain(world)).failed


def test_prove__grant_that_the_registry_does_not_hold__the_bundle_says_so(world):
    """The chain answers: what it says of a grant is for every reader to see, and not to be smoothed over here."""
    anchors = Anchors(world)
    other = world.enrol("second", HOLDER, "S1/", Role.ENTERPRISE)
    world.state_grant(other)
    index = world.append(signers=[other])
    world.checkpoint()
    log, proof = Log(world), world.state_proof
    world.state_proof = lambda *_: anchors.proof  # a chain that never took the enrolment
    data = prove(
        record_id_of(world.logged[index].payload), log=log, anchors=anchors, trust=world.trust(), chain=Chain(world), disclosures=False
    )
    world.state_proof = proof
    verdict = verify_bundle(data, world.trust())
    assert [check.number for check in verdict.failed] == [4]


def test_prove__no_checkpoint_covers_it__not_yet_logged(world):
    anchors = Anchors(world)
    index = world.append()
    with pytest.raises(NotFoundError) as error:
        bundle(world, index, anchors, Chain(world))
    assert error.value.code == "not-yet-logged"
