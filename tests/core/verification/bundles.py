"""A world with one bundle worth verifying, and what its verdict said."""

from ledger.core.bundle import encode_bundle
from ledger.core.verification import Level, verify_bundle
from ledger.model import Role
from tests.world import HOLDER, World, disclosure


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


def two_signed():
    """A world with one record of two signers, anchored, and its bundle."""
    world = World()
    second = world.enrol("second", HOLDER, "S1/", Role.ENTERPRISE)
    world.append(signers=[world.enterprise, second])
    world.checkpoint()
    world.anchor()
    world.pin()
    return world, world.bundle(0)


def verdict_of(bundle, world, *, require=Level.ANCHORED_DEV, **options):
    data = bundle if isinstance(bundle, bytes) else encode_bundle(bundle)
    return verify_bundle(data, options.pop("trust", None) or world.trust(), require=require, **options)


def statuses(verdict):
    return {check.number: check.status for check in verdict.checks}


def only_failure(verdict):
    """(number, code) of the one failed check."""
    assert len(verdict.failed) == 1, verdict.lines()
    return verdict.failed[0].number, verdict.failed[0].code
