"""The anchor stage against the contracts' rules in memory: growth, repeats, death between the steps, forks, mirrored grants."""

from __future__ import annotations

import pytest

from ledger.anchor import forget_reorged
from ledger.core.grants import pack_word, unpack_word
from ledger.core.keys import PrivateKey
from ledger.errors import ChainError, ChainRevertedError, ChainUnreachableError, RollbackError
from ledger.flow import anchor_once, mirror_once
from ledger.model import NEVER, Anchor, Enrolment, Role, TreeHead, TreeSize
from tests.fakes import FakeAuthority, FakeChain, MemoryAnchorStore, unreachable
from tests.kit import ISSUER, ORIGIN, Log


class Worker:
    def __init__(self, log: Log) -> None:
        self.log = log
        self.chain = FakeChain()
        self.contracts = self.chain.contracts
        self.anchors = MemoryAnchorStore()
        self.authority = FakeAuthority(self.contracts, ORIGIN)
        self.enrolments: list[Enrolment] = []

    def once(self):
        return anchor_once(
            log=self.log.stores.log,
            chain=self.chain,
            store=self.anchors,
            appender=self.log.sequencer,
            enrolments=self.enrolments,
        )


@pytest.fixture
def worker(tmp_path):
    log = Log(tmp_path)
    log.book = log.enterprise()
    log.submit(log.book.next("stocktake"))
    yield Worker(log)
    log.close()


def test_anchor__nothing_signed_yet__nothing_anchored(worker):
    assert worker.once() is None
    assert worker.contracts.head.size == 0


def test_anchor__grown_log__contract_holds_the_signed_root(worker):
    for _ in range(3):
        worker.log.batch([worker.log.book.next() for _ in range(100)])
        signed = worker.log.sequencer.checkpoint_once()
        anchor = worker.once()
        assert (anchor.size, anchor.root) == (signed.size, signed.root)
        assert worker.contracts.head == TreeHead(signed.size, signed.root)
        assert worker.once() is None
    assert worker.anchors.latest_anchor().size == worker.log.stores.log.size()


@pytest.mark.parametrize("fault", ["after the contract took it", "before the proof was read"])
def test_anchor__dies_between_contract_and_file__next_round_writes_it_down(worker, fault):
    worker.log.sequencer.checkpoint_once()
    broken = {"save_anchor": worker.anchors.save_anchor, "state_proof": worker.chain.state_proof}
    target, name = (worker.anchors, "save_anchor") if fault.startswith("after") else (worker.chain, "state_proof")

    def dies(*_args, **_kwargs):
        raise unreachable()

    setattr(target, name, dies)
    with pytest.raises(ChainUnreachableError):
        worker.once()
    setattr(target, name, broken[name])
    assert worker.anchors.latest_anchor() is None
    anchor = worker.once()
    assert anchor.size == worker.contracts.head.size == worker.log.stores.log.latest_checkpoint().size
    assert len(worker.contracts.roots) == 1


def test_anchor__chain_holds_another_history__rollback_and_nothing_sent(worker):
    worker.log.batch([worker.log.book.next() for _ in range(5)])
    worker.log.sequencer.checkpoint_once()
    worker.contracts.head = TreeHead(TreeSize(3), b"\x01" * 32)
    with pytest.raises(RollbackError, match="another one"):
        worker.once()
    assert worker.contracts.roots == {}


def test_anchor__chain_is_ahead_of_the_log__rollback(worker):
    worker.log.sequencer.checkpoint_once()
    worker.contracts.head = TreeHead(TreeSize(10_000), b"\x01" * 32)
    with pytest.raises(RollbackError, match="older backup"):
        worker.once()


def test_anchor__submitter_lost_its_role__says_so(worker):
    worker.log.sequencer.checkpoint_once()
    worker.contracts.submitters.clear()
    with pytest.raises(ChainRevertedError) as caught:
        worker.once()
    assert caught.value.reason == "AccessControlUnauthorizedAccount"


@pytest.mark.parametrize(("off_s", "code"), [(61, "chain-clock"), (59, None)])
def test_anchor__chains_clock_is_off__more_than_a_minute_is_refused(worker, off_s, code):
    worker.log.sequencer.checkpoint_once()
    worker.contracts.clock_off_s = off_s
    if code is None:
        assert worker.once() is not None
        return
    with pytest.raises(ChainError) as caught:
        worker.once()
    assert caught.value.code == code
    assert worker.contracts.roots == {}


def test_anchor__reorg_took_the_root__falls_back_and_is_anchored_again(worker):
    worker.log.sequencer.checkpoint_once()
    first = worker.once()
    worker.contracts.roots.clear()
    worker.contracts.head = TreeHead(TreeSize(0), bytes(32))
    again = worker.once()
    assert (again.size, again.root) == (first.size, first.root)
    assert [a.size for a in worker.anchors.anchors(limit=1000)] == [first.size]


def test_forget_reorged__more_anchors_than_one_page_of_the_store__the_newest_fall(worker):
    """The store lists 1,000 anchors at a time, and at one a minute that is less than a day."""
    worker.contracts.mine()
    proof = worker.chain.state_proof(sizes=[], gs=[])
    for size in range(1, 1011):
        root = size.to_bytes(32, "big")
        worker.anchors.save_anchor(Anchor(TreeSize(size), root, proof.block, bytes(32), 0), proof)
        if size <= 1006:
            worker.contracts.roots[size] = (root, 0, proof.block.number)
    fallen = forget_reorged(chain=worker.chain, store=worker.anchors, log=worker.log.stores.log)
    assert [a.size for a in fallen] == [1010, 1009, 1008, 1007]
    assert worker.anchors.latest_anchor().size == 1006


def test_forget_reorged__the_root_stands_in_another_block__no_anchor_names_the_one_that_is_gone(worker):
    for _ in range(3):
        worker.log.batch([worker.log.book.next()])
        worker.log.sequencer.checkpoint_once()
        worker.once()
    first, second, third = worker.anchors.anchors(limit=1000)
    for size in (second.size, third.size):
        root, timestamp_s, _ = worker.contracts.roots[size]
        worker.contracts.roots[size] = (root, timestamp_s, worker.contracts.mine().number)
    assert forget_reorged(chain=worker.chain, store=worker.anchors, log=worker.log.stores.log) == []
    kept = worker.anchors.anchors(limit=1000)
    assert [a.root for a in kept] == [first.root, second.root, third.root]
    assert [a.block.number for a in kept] == [first.block.number, *(worker.contracts.roots[s][2] for s in (second.size, third.size))]
    assert all(a.block == worker.contracts.blocks[a.block.number] for a in kept)


def enrol(worker: Worker, holder: str, role: Role = Role.ENTERPRISE) -> Enrolment:
    key = PrivateKey.generate()
    enrolment = Enrolment(key.keyid, key.spki, holder, "", role)
    worker.enrolments.append(enrolment)
    worker.authority.enrol(key.keyid, holder, "", int(role))
    return enrolment


def mirror(worker: Worker):
    return mirror_once(
        log=worker.log.stores.log,
        chain=worker.chain,
        store=worker.anchors,
        appender=worker.log.sequencer,
        enrolments=worker.enrolments,
    )


def test_mirror__final_enrolment__one_grant_entry_and_only_one(worker):
    enrolment = enrol(worker, worker.log.book.holder)
    (body,) = mirror(worker)
    assert (body["keyid"], body["holder"], body["revoked_at"]) == (enrolment.keyid, enrolment.holder, None)
    assert mirror(worker) == []
    assert enrolment.keyid in {g.keyid for g in worker.log.stores.log.grants()}


def test_mirror__words_that_the_chain_does_not_carry__not_believed(worker):
    key = PrivateKey.generate()
    worker.enrolments.append(Enrolment(key.keyid, key.spki, worker.log.book.holder, "", Role.ENTERPRISE))
    assert mirror(worker) == []
    assert key.keyid not in {g.keyid for g in worker.log.stores.log.grants()}


def test_mirror__revocation__a_second_entry_and_the_key_is_refused(worker):
    enrolment = enrol(worker, worker.log.book.holder)
    (body,) = mirror(worker)
    worker.authority.revoke(bytes.fromhex(body["g"]), TreeSize(int(worker.log.stores.log.size())))
    (revoked,) = mirror(worker)
    assert revoked["revoked_at"] is not None
    (grant,) = [g for g in worker.log.stores.log.grants() if g.keyid == enrolment.keyid]
    assert grant.revoked_at == revoked["revoked_at"]


@pytest.mark.parametrize("what", ["never revoked", "enrolled elsewhere", "by another"])
def test_mirror__chain_takes_back_what_the_log_states__nothing_written_of_it_but_of_others(worker, what):
    """As a development chain does that is just being made again: its words are older ones for a moment."""
    enrolment = enrol(worker, worker.log.book.holder)
    (body,) = mirror(worker)
    g = bytes.fromhex(body["g"])
    worker.authority.revoke(g, TreeSize(int(worker.log.stores.log.size())))
    (revoked,) = mirror(worker)
    words, stated = worker.contracts.words, worker.contracts.words[g]
    enroller, enrolled_at, revoked_at = unpack_word(stated)
    words[g] = {
        "never revoked": pack_word(enroller, enrolled_at, NEVER),
        "enrolled elsewhere": pack_word(enroller, enrolled_at + 1, revoked_at),
        "by another": pack_word("0x" + "b2" * 20, enrolled_at, revoked_at),
    }[what]
    other = enrol(worker, ISSUER, Role.PLATFORM)
    with pytest.raises(ChainError) as caught:
        mirror(worker)
    assert caught.value.code == "grant-contradicts"
    assert enrolment.keyid[:16] in caught.value.detail
    grants = {grant.keyid: grant for grant in worker.log.stores.log.grants()}
    assert grants[enrolment.keyid].revoked_at == revoked["revoked_at"]
    assert other.keyid in grants
    words[g] = stated
    assert mirror(worker) == []


def test_mirror__platform_key_among_others__goes_first(worker):
    enrol(worker, worker.log.book.holder)
    enrol(worker, ISSUER, Role.PLATFORM)
    assert [body["role"] for body in mirror(worker)] == [int(Role.PLATFORM), int(Role.ENTERPRISE)]
