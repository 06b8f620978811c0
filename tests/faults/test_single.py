"""One fault at a time against the served program: the chain away, reorganised, made again; an old database; a wrong contract;
two of everything; a full disk; clocks that jump. Each time: what is accepted meanwhile, what is said, and that it heals.
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import threading
import time

import pytest

from ledger.adapters.chain.rpc import Rpc
from ledger.cli.serve import Service
from ledger.errors import ChainError
from ledger.flow import anchor_once
from ledger.model import TreeSize
from tests.fakes import FakeChain, MemoryAnchorStore
from tests.kit import Log
from tests.served import Served

pytestmark = [pytest.mark.faults, pytest.mark.chain]
SUBMISSION = "application/json"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with Served(tmp_path_factory.mktemp("single") / "state") as served:
        served.books = served.enterprises(2)
        for book in served.books:
            assert served.post("/api/v1/records", book.next("stocktake"), SUBMISSION)[0] == 201
        anchored(served)
        yield served


def push(served, n=1):
    """Push movements in the first book; the index of the last."""
    for _ in range(n):
        status, answer = served.post("/api/v1/records", served.books[0].next(), SUBMISSION)
        assert status == 201, answer
    return answer["index"]


def anchored(served, index=None):
    """Wait until everything so far, or `index`, is anchored; what the contract then holds."""
    here = served.installation()
    index = int(here.stores.log.size()) - 1 if index is None else index
    served.wait_for(lambda: here.stores.anchor.anchor_covering(index), 60, f"an anchor over {index}")
    held = contract(served, [a.size for a in here.stores.anchor.anchors()])
    here.stores.close()
    return held


def contract(served, sizes):
    """(head, roots by size, grant words) as the chain has them."""
    here = served.installation()
    chain = here.chain()
    gs = [bytes.fromhex(g.g) for g in here.stores.log.grants()]
    found = chain.head(), {s: (chain.root_at(TreeSize(s)) or (b"",))[0] for s in sizes}, chain.grant_words(gs)
    here.stores.close()
    return found


def not_ready(served):
    status, answer = served.get("/readyz")
    return "" if status == 200 else json.dumps(answer)


def test_chain__endpoint_down_for_a_while__records_accepted_lag_said_then_caught_up(served):
    node, served.service.node = served.service.node, None
    try:
        node.kill()
        index = push(served, 3)
        said = served.wait_for(lambda: not_ready(served), 30, "/readyz to say so")
        assert "anchor" in said
        here = served.installation()
        served.wait_for(lambda: here.stores.log.latest_checkpoint().size > index, 20, "a checkpoint without the chain")
        assert here.stores.anchor.anchor_covering(index) is None
        here.stores.close()
    finally:
        node.start()
        served.service.node = node
    anchored(served, index)
    served.wait_ready()


def test_chain__reorganised__falls_back_and_is_anchored_again(served):
    index = push(served)
    anchored(served, index)
    rpc = Rpc([served.service.rpc_url])
    rpc.call("anvil_reorg", 2, [])
    # The anchor may fall back for a moment; in the end file and contract agree again on everything.
    index = push(served)
    head, roots, _ = anchored(served, index)
    here = served.installation()
    assert {a.size: a.root for a in here.stores.anchor.anchors()} == roots
    assert head.size == here.stores.anchor.latest_anchor().size
    here.stores.close()


@pytest.mark.parametrize("what", ["nothing", "a torn dump", "an older dump"])
def test_chain__made_again_from(served, what):
    """Every root and every enrolment come out as they were, because the journal is sent again in order."""
    dumps = served.state / "chain" / "dumps"
    served.service.node.dump()
    older = {p.name: p.read_bytes() for p in dumps.iterdir() if p.is_file()}
    before = anchored(served, push(served, 2))
    served.service.node.kill()
    for path in list(dumps.iterdir()):
        if what != "an older dump":
            path.unlink()
    if what != "nothing":
        for name, data in older.items():
            (dumps / name).write_bytes(data[: len(data) // 2] if what == "a torn dump" else data)
    served.service.node.start()
    index = push(served)
    after = anchored(served, index)
    sizes = before[1].keys()
    assert {s: after[1][s] for s in sizes} == before[1]
    assert after[2][: len(before[2])] == before[2]
    served.wait_ready()


def test_two_of_each__second_set_waits__no_double_and_it_takes_over(served):
    second = Service(served.config, ("sequencer", "engine", "anchor"), log_path=served.state / "second.log")
    second.node = None
    os.environ["HAZLEDGER_CHAIN_ENDPOINTS"] = served.service.rpc_url
    second.config = served.config
    try:
        second.extra_environment = {"HAZLEDGER_CHAIN_ENDPOINTS": served.service.rpc_url, "HAZLEDGER_CHAIN_EMBEDDED": "true"}
        second._ports["http"] = 1
        for name in second.names:
            from ledger.cli.serve import _Child

            second._children[name] = _Child(name)
            second._launch(second._children[name])
        push(served, 5)
        time.sleep(1.5)
        assert all(second.pid(name) for name in second.names), "a second one should wait, not die"
        # Kill the first of each; the second takes its lock, the supervised first one waits in turn.
        for name in second.names:
            served.service.kill(name)
        retry_until_201(served, served.books[1].next())
        anchored(served)
    finally:
        os.environ.pop("HAZLEDGER_CHAIN_ENDPOINTS", None)
        second.stop()
    served.wait_ready()
    here = served.installation()
    records = here.stores.log.records(0, 10_000)
    assert [r.index for r in records] == list(range(len(records)))
    assert len({r.record_id for r in records}) == len(records)
    served.wait_for(lambda: here.stores.engine.cursor() == here.stores.log.size(), 30, "the engine")
    alerts = [a.alert_id for _, a in here.stores.engine.alerts(limit=1000)]
    assert len(set(alerts)) == len(alerts)
    here.stores.close()


def retry_until_201(served, envelope):
    """Send the same bytes until answered, as a client does."""

    def sent():
        status, _ = served.post("/api/v1/records", envelope, SUBMISSION)
        return status in (200, 201)

    served.wait_for(sent, 30, "an answer")


def test_disk_full_at_append__503_nothing_kept_and_it_goes_on_when_there_is_space(served):
    book = served.books[1]
    push(served)
    sequencer = served.service.pid("sequencer")
    size = int(served.installation().stores.log.size())
    largest = max(p.stat().st_size for p in served.state.glob("log.db*"))
    hard = resource.prlimit(sequencer, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(sequencer, resource.RLIMIT_FSIZE, (0, hard))
    try:
        payload = book.payload()
        status, answer = served.post("/api/v1/records", book.sign(payload), SUBMISSION)
        assert status == 503, (status, answer, largest)
        assert served.service.pid("sequencer") == sequencer, "it must survive a full disk"
    finally:
        if served.service.pid("sequencer") == sequencer:
            resource.prlimit(sequencer, resource.RLIMIT_FSIZE, (hard, hard))
    retry_until_201(served, book.sign(payload))
    book.took(payload)
    assert int(served.installation().stores.log.size()) > size
    anchored(served)


def test_database__an_older_copy_restored__nothing_signed_nothing_appended_and_says_how_to_recover(served):
    served.service.stop()
    older = {}
    for path in served.state.glob("log.db*"):
        older[path.name] = path.read_bytes()
    served.service.start()
    served.wait_ready()
    anchored(served, push(served, 3))
    served.service.stop()
    newer = {path.name: path.read_bytes() for path in served.state.glob("log.db*")}
    try:
        _replace(served.state, older)
        served.service.start()
        served.wait_for(lambda: "older backup" in not_ready(served), 40, "/readyz to say what happened")
        envelope = served.books[0].sign(served.books[0].payload())
        # Until the sequencer is up the answer is `overloaded`; from then on it is this, and never a receipt.
        served.wait_for(lambda: _refusal(served, envelope) == "urn:hazledger:rollback", 30, "the sequencer's refusal")
        with sqlite3.connect(served.state / "log.db") as database:
            sizes = [row[0] for row in database.execute("SELECT size FROM checkpoint")]
        database.close()
        assert "ROLLBACK" in served.log_text or "older backup" in served.log_text
        held = contract(served, [])[0]
        assert max(sizes) < held.size, "nothing was signed on top of the old history"
    finally:
        served.service.stop()
        _replace(served.state, newer)
        served.service.start()
    served.wait_ready()
    anchored(served, push(served))


def _refusal(served, envelope):
    status, answer = served.post("/api/v1/records", envelope, SUBMISSION)
    assert status == 503, answer
    return answer["type"]


def _replace(state, files):
    for path in state.glob("log.db*"):
        path.unlink()
    for name, data in files.items():
        (state / name).write_bytes(data)


def test_contract__another_code_hash_in_the_trust_file__anchor_refuses_to_start_and_says_which(served):
    trust = served.state / "trust.json"
    good = trust.read_bytes()
    document = json.loads(good)
    document["chains"][0]["checkpointLog"]["codeHash"] = "0x" + "42" * 32
    log = served.state / "processes.log"
    begun = log.stat().st_size
    trust.write_text(json.dumps(document))
    try:
        served.service.kill("anchor")

        def said():
            text = log.read_text(errors="replace")[begun:]
            return "CheckpointLog" in text and "code" in text

        served.wait_for(said, 30, "the refusal")
        push(served)
    finally:
        trust.write_bytes(good)
    served.wait_for(lambda: not not_ready(served), 60, "to be ready again")
    anchored(served)


def test_clock__jumps_back__received_never_decreases(tmp_path):
    log = Log(tmp_path)
    book = log.enterprise()
    first = log.submit(book.next("stocktake")).receipt.received
    log.clock.now -= 86_400_000
    second = log.submit(book.next()).receipt.received
    log.clock.now += 3 * 86_400_000
    third = log.submit(book.next()).receipt.received
    assert first == second < third
    log.close()


def test_clock__chains_block_time_is_off_by_more_than_a_minute__not_anchored_and_says_so(tmp_path):
    log = Log(tmp_path)
    log.submit(log.enterprise().next("stocktake"))
    log.sequencer.checkpoint_once()
    chain = FakeChain()
    chain.contracts.clock_off_s = 61
    with pytest.raises(ChainError) as caught:
        anchor_once(
            log=log.stores.log, chain=chain, store=MemoryAnchorStore(), appender=log.sequencer, enrolments=[]
        )
    assert caught.value.code == "chain-clock"
    chain.contracts.clock_off_s = 59
    assert anchor_once(
        log=log.stores.log, chain=chain, store=MemoryAnchorStore(), appender=log.sequencer, enrolments=[]
    )
    log.close()


def test_sequencers__two_in_one_process_memory__second_writer_cannot_double_an_index(tmp_path):
    """Should the lock ever fail: contiguity in the store refuses the second writer, nothing is lost."""
    one = Log(tmp_path)
    book = one.enterprise()
    one.submit(book.next("stocktake"))
    two = Log(tmp_path, guard=one.guard, identity=one.identity)
    results = []

    def race(log, envelope):
        try:
            results.append(log.submit(envelope).receipt.index)
        except Exception as error:  # noqa: BLE001
            results.append(type(error).__name__)

    other = one.enterprise(n=2)
    threads = [
        threading.Thread(target=race, args=(one, book.next())),
        threading.Thread(target=race, args=(two, other.next("stocktake"))),
    ]
    [t.start() for t in threads]
    [t.join() for t in threads]
    records = one.stores.log.records(0, 100)
    assert [r.index for r in records] == list(range(len(records)))
    one.close()
    two.close()


