"""verify_bundle, checks 9 and 10 and `--rpc`: what the contracts hold, and at which block.

Each case changes one thing of a bundle (or of the world behind it) and is named for the defect.
"""

from dataclasses import replace

import pytest

from ledger.core.encoding import sha256
from ledger.core.trust import PinnedBlock
from ledger.core.verification import Level
from ledger.core.verification.verdict import EXIT_FAILED, EXIT_PENDING, EXIT_UNREACHABLE, EXIT_USAGE
from ledger.model import Role
from tests.core.verification.bundles import anchored_world, only_failure, statuses, verdict_of
from tests.world import AUTHORITY, HOLDER, T0_S, World, unreachable

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
def test_rpc__another_chain__said_of_the_endpoint_not_of_the_record(world, good, what, value):
    view = world.view()
    view.lie[what] = value
    verdict = verdict_of(good, world, trust=world.trust(pinned=()), rpc=view)
    assert (verdict.outcome, verdict.exit_code, verdict.failed) == ("NOT-VERIFIED", EXIT_USAGE, ())
    assert "name another endpoint" in verdict.verdict_line and "Do not rely" not in verdict.verdict_line
    assert statuses(verdict)[10] == "skip" and verdict.to_json()["wrongEndpoint"]


def test_rpc__another_chain_with_the_same_genesis__known_by_its_contracts(world, good):
    # Every development chain of this program has the same id and genesis.
    other = World()
    other.addresses = {"log": b"\x33" * 20, "registry": b"\x44" * 20}
    verdict = verdict_of(good, world, trust=world.trust(pinned=()), rpc=other.view())
    assert (verdict.exit_code, verdict.failed) == (EXIT_USAGE, ())
    assert "neither of the trust file's contracts" in verdict.verdict_line


def test_rpc__only_one_contract_gone__failed(world, good):
    other = World()
    other.addresses = {"log": b"\x33" * 20, "registry": world.addresses["registry"]}
    assert verdict_of(good, world, rpc=other.view()).exit_code == EXIT_FAILED


def test_rpc__another_chain_but_a_check_failed__exit_1(world, good):
    view = world.view()
    view.lie["chain_id"] = 1
    assert verdict_of(replace(good, index=4), world, rpc=view).exit_code == EXIT_FAILED


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
