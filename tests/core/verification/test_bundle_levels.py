"""verify_bundle: a good bundle reaches its level and no other; what is printed of it."""

import json
from dataclasses import replace

import pytest

from ledger.core import rlp
from ledger.core.trust import PinnedBlock
from ledger.core.verification import Level
from ledger.core.verification.verdict import EXIT_OK, EXIT_PENDING
from ledger.model import Role
from tests.core.verification.bundles import anchored_world, statuses, two_signed, verdict_of
from tests.trie_builder import header_rlp
from tests.world import T0_S, World

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
    world, bundle = two_signed()
    verdict = verdict_of(bundle, world)
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
