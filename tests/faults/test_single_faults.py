"""One fault at a time on the really served program: what goes on, what stops, what is said, and how it comes back."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from ledger.adapters.chain.rpc import Rpc
from ledger.cli.init import make
from ledger.core.grants import grant_id
from ledger.errors import LedgerError
from ledger.model import TreeSize
from tests.faults import inspection
from tests.faults.killing import workers
from tests.faults.load import SUBMISSION
from tests.faults.raw import Raw
from tests.faults.test_kill_loop import quiesce, stop_processes
from tests.served import NDJSON, ORIGIN, Served

pytestmark = [pytest.mark.chain, pytest.mark.faults]


class Enterprise:
    """A client that keeps what it sent and what it was answered."""

    def __init__(self, served: Served, book) -> None:
        self.served, self.book = served, book
        self.receipts: dict[bytes, dict] = {}
        self.push("stocktake")

    def push(self, kind: str = "movement") -> dict:
        envelope = self.book.next(kind)
        status, answer = self.served.post("/api/v1/records", envelope, SUBMISSION)
        assert status == 201, answer
        self.receipts[envelope] = answer
        return answer

    def refused(self) -> tuple[int, dict]:
        """Try one more record that must not be taken; the client's books stay as they are."""
        return self.served.post("/api/v1/records", self.book.sign(self.book.payload()), SUBMISSION)

    def check(self) -> None:
        """Everything that was acknowledged still is, with the same receipt."""
        for envelope, first in self.receipts.items():
            status, again = self.served.post("/api/v1/records", envelope, SUBMISSION)
            while status == 503:  # a web thread's connection to a sequencer that is gone; as for any client
                self.served.service.watch()
                time.sleep(0.05)
                status, again = self.served.post("/api/v1/records", envelope, SUBMISSION)
            assert (status, again["index"], again["receipt"]) == (200, first["index"], first["receipt"])


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One installation for the faults that pass; the last test looks whether anything stayed behind."""
    with Served(tmp_path_factory.mktemp("single") / "s") as served:
        yield served


@pytest.fixture(scope="module")
def client(served):
    return Enterprise(served, served.enterprises(1)[0])


@pytest.fixture(autouse=True)
def _fast(fast_restarts):
    pass


def _anchored(served: Served) -> int:
    """Wait until everything is anchored; the size."""
    return quiesce(served)


def _not_ready(served: Served) -> str:
    return str(served.reasons() or "")


def _on_chain(served: Served) -> dict | None:
    """Every root that the contract holds for our anchors, and every grant's word; None while the chain is not whole."""
    try:
        return _read_chain(served)
    except LedgerError:
        return None


def _read_chain(served: Served) -> dict:
    here = served.installation()
    chain = here.chain()
    anchors = here.stores.anchor.anchors(limit=1000)
    roots = {int(a.size): chain.root_at(TreeSize(a.size)) for a in anchors}
    gs = [grant_id(ORIGIN, e.keyid, e.holder, e.scope, int(e.role)) for e in here.enrolments.all()]
    here.stores.close()
    return {"roots": {size: held and held[0] for size, held in roots.items()}, "words": chain.grant_words(gs)}


# --- the chain -------------------------------------------------------------------------------------------------------


def test_chain_down__records_are_accepted__lag_is_shown__catches_up(served, client):
    _anchored(served)
    node, served.service.node = served.service.node, None  # nobody starts it again for now
    node.kill()
    try:
        first = [client.push() for _ in range(5)]
        said = served.wait_for(lambda: _not_ready(served), 20, "the lag in /readyz")
        assert "anchor" in said and "no chain endpoint answered" in said
        client.push()
    finally:
        node.start()
        served.service.node = node
    assert _anchored(served) > first[-1]["index"]
    assert served.get("/readyz")[0] == 200


def test_reorg__anchors_fall_back_and_are_anchored_again(served, client):
    client.push()
    _anchored(served)
    before = _on_chain(served)
    anchor = served.service.pid("anchor")
    here = served.installation()
    newest = here.stores.anchor.latest_anchor()
    os.kill(anchor, signal.SIGSTOP)
    try:
        Rpc([served.service.rpc_url]).call("anvil_reorg", 2, [])
        chain = here.chain()
        assert chain.root_at(newest.size) is None
    finally:
        os.kill(anchor, signal.SIGCONT)
    here.stores.close()
    served.wait_for(lambda: _on_chain(served) == before, 30, "the same roots and grants again")
    served.wait_for(lambda: not _gone(served), 30, "anchors in blocks that stand")
    client.push()
    _anchored(served)
    assert _on_chain(served)["roots"].items() >= before["roots"].items()
    assert not _gone(served)


def _gone(served: Served) -> list:
    """Anchors whose block is not on the chain, or whose transaction is not in it."""
    here = served.installation()
    chain = here.chain()
    anchors = here.stores.anchor.anchors(limit=1000)
    here.stores.close()
    receipts = {a.size: chain.rpc.call("eth_getTransactionReceipt", "0x" + a.tx_hash.hex()) for a in anchors}
    return [
        a
        for a in anchors
        if not chain.blocks.stands(a.block)
        or receipts[a.size] is None
        or receipts[a.size]["blockHash"] != "0x" + a.block.hash.hex()
    ]


@pytest.mark.parametrize("dumps", ["none", "torn", "older"])
def test_node_killed__its_dumps_gone_torn_or_old__every_root_and_grant_as_before(served, client, dumps):
    client.push()
    _anchored(served)
    node = served.service.node
    node.dump()
    (more,) = served.enterprises(1, book=f"after-{dumps}") if dumps != "none" else (None,)
    client.push()
    _anchored(served)
    before = _on_chain(served)
    node.dump()
    node.kill()
    found = sorted((served.state / "chain" / "dumps").glob("state-*"))
    if dumps == "none":
        for path in found:
            path.unlink()
    elif dumps == "torn":
        found[-1].write_bytes(found[-1].read_bytes()[:100])
    else:
        found[-1].unlink()
    served.wait_for(lambda: served.service.node.pid and _on_chain(served) == before, 30, "the same chain again")
    client.push()
    _anchored(served)
    assert _on_chain(served)["words"] == before["words"]
    assert more is None or more.key


def test_chain_clock__an_hour_ahead__nothing_is_anchored_until_it_is_right(served, client):
    _anchored(served)
    rpc = Rpc([served.service.rpc_url])
    rpc.call("evm_setTime", int(time.time()) + 3600)
    try:
        index = client.push()["index"]
        said = served.wait_for(lambda: _not_ready(served), 20, "the wrong clock in /readyz")
        assert "clock" in said and "ahead" in said
        here = served.installation()
        assert here.stores.anchor.anchor_covering(index) is None
        here.stores.close()
    finally:
        rpc.call("evm_setTime", int(time.time()))
    assert _anchored(served) > index


# --- the disk --------------------------------------------------------------------------------------------------------


def test_disk_full__append_says_503__nothing_is_lost__goes_on_when_there_is_room(served, client):
    _anchored(served)
    size = served.installation().stores.log.size()
    sequencer = served.service.pid("sequencer")
    files = [served.state / name for name in ("log.db", "log.db-wal")]
    # No file of this process may grow beyond what its largest has now: write(2) fails as on a full disk.
    limit = max(path.stat().st_size for path in files if path.exists())
    wal = files[1].stat().st_size if files[1].exists() else 0
    resource.prlimit(sequencer, resource.RLIMIT_FSIZE, (min(limit, wal + 4096), resource.RLIM_INFINITY))
    try:
        batch = [client.book.next() for _ in range(200)]
        for _ in range(3):
            status, answer = served.post("/api/v1/records:batch", b"\n".join(batch) + b"\n", NDJSON)
            assert (status, answer["type"]) == (503, "urn:hazledger:store"), answer
            assert "send the same bytes again" in answer["detail"]
        assert served.installation().stores.log.size() == size
        assert "sequencer" in served.service.names and served.service.pid("sequencer") == sequencer
    finally:
        resource.prlimit(sequencer, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    status, answer = served.post("/api/v1/records:batch", b"\n".join(batch) + b"\n", NDJSON)
    assert {line["status"] for line in answer["results"]} == {201}
    for envelope, line in zip(batch, answer["results"], strict=True):
        client.receipts[envelope] = line
    client.check()


# --- two of a kind ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sequencer", "engine", "anchor"])
def test_two_of_each__the_second_waits_for_the_lock_and_takes_over(served, client, name, tmp_path):
    log = tmp_path / "second.log"
    environment = {**os.environ, "HAZLEDGER_CHAIN_ENDPOINTS": served.service.rpc_url}
    command = [sys.executable, "-m", "ledger.cli.main", "process", name, "--state", str(served.state)]
    at_work = {"sequencer": "at size", "engine": "folding", "anchor": "anchored size"}[name]
    with log.open("wb") as output:
        second = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        until = time.monotonic() + 4
        while time.monotonic() < until:
            client.push()
            served.service.watch()
            time.sleep(0.2)
        assert second.poll() is None and at_work not in log.read_text()
        # The first is killed and, for once, not started again: the second has it now.
        child = served.service._children.pop(name)
        child.popen.kill()
        child.popen.wait()
        served.wait_for(lambda: _try_push(client), 20, "a record taken")
        served.wait_for(lambda: at_work in log.read_text(), 30, "the second at work")
        _anchored(served)
    finally:
        second.terminate()
        second.wait(20)
        served.service._children.setdefault(name, child)
    served.wait_for(lambda: served.service.pid(name) and _try_push(client), 30, "the first kind again")
    client.check()


def _try_push(client) -> bool:
    envelope = client.book.next()
    while True:
        status, answer = client.served.post("/api/v1/records", envelope, SUBMISSION)
        if status in (200, 201):
            client.receipts[envelope] = answer
            return True
        assert status == 503, answer
        client.served.service.watch()
        time.sleep(0.1)


def test_two_serves__the_second_says_what_is_wrong(served):
    done = inspection.hazledger("serve", "--state", served.state, timeout=60)
    assert done.returncode == 2
    assert "another process runs the embedded node" in done.stderr, done.stderr


def test_web_workers_killed_all_at_once__are_there_again(served, client):
    for pid in workers(served.service.pid("web")):
        os.kill(pid, signal.SIGKILL)
    served.wait_for(lambda: _try_push(client), 30, "a record taken")
    client.check()


# --- in the end ------------------------------------------------------------------------------------------------------


def test_after_all_of_it__nothing_stayed_behind(served, client, tmp_path):
    size = _anchored(served)
    client.check()
    stop_processes(served)
    raw = Raw("sqlite", served.state)
    assert inspection.check_log(raw) == size
    inspection.check_checkpoints(raw, served.config.trust_path)
    here = served.installation()
    inspection.check_anchors(here, raw)
    here.stores.close()
    inspection.check_audit(served.state, tmp_path / "tiles", served.service.rpc_url)


# --- faults that stop it for good ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A stopped installation with some anchored records, and its client; tests work on copies."""
    state = tmp_path_factory.mktemp("stopped") / "s"
    with Served(state) as served:
        client = Enterprise(served, served.enterprises(1)[0])
        for _ in range(5):
            client.push()
        _anchored(served)
        stop_processes(served)
        older = state.parent / "older.db"
        _backup(state / "log.db", older)
        served.service.start()
        served.wait_ready()
        for _ in range(5):
            client.push()
        _anchored(served)
    return state, older, client


def _backup(path, to) -> None:
    import sqlite3

    with sqlite3.connect(path) as source, sqlite3.connect(to) as target:
        source.backup(target)
    source.close()
    target.close()


@pytest.fixture
def copied(stopped, tmp_path):
    state = tmp_path / "s"
    shutil.copytree(stopped[0], state, ignore=shutil.ignore_patterns("run", "locks", "*.log"))
    return state


def _serve(state) -> Served:
    make(state, origin=ORIGIN, port=0, chain_port=0)
    return Served(state)


def test_older_database_restored__neither_signs_nor_appends__says_how_to_recover(copied, stopped):
    _, older, client = stopped
    for path in copied.glob("log.db*"):
        path.unlink()
    shutil.copy(older, copied / "log.db")
    served = _serve(copied)
    served.service.start()
    try:
        said = served.wait_for(lambda: _rollback(served), 40, "ROLLBACK in /readyz")
        assert "an older backup was restored" in said and "mirror of the tiles" in said
        client.served = served
        status, answer = client.refused()
        assert status == 503 and answer["type"] == "urn:hazledger:rollback", answer
        here = served.installation()
        size, checkpoint = here.stores.log.size(), here.stores.log.latest_checkpoint()
        time.sleep(2.5)
        assert (here.stores.log.size(), here.stores.log.latest_checkpoint()) == (size, checkpoint)
        here.stores.close()
        assert "ROLLBACK, nothing is signed any more" in served.log_text
    finally:
        served.service.stop()


def test_older_database_and_older_guard_restored__the_chain_still_says_no(copied, stopped):
    """The guard is gone too: the contract's head is above the local size."""
    _, older, _ = stopped
    for path in copied.glob("log.db*"):
        path.unlink()
    shutil.copy(older, copied / "log.db")
    (copied / "guard" / "signed-head").unlink()
    served = _serve(copied)
    served.service.start()
    try:
        said = served.wait_for(lambda: _rollback(served), 40, "ROLLBACK in /readyz")
        assert "the head that the contract holds" in said
        here = served.installation()
        newest = here.stores.log.latest_checkpoint().size
        assert newest <= Raw("sqlite", copied).query("log", "SELECT count(*) FROM entry")[0][0]
        here.stores.close()
    finally:
        served.service.stop()


def test_stored_entry_altered_under_the_running_service__signing_and_appending_stop(copied, stopped):
    client = stopped[2]
    served = _serve(copied)
    served.service.start()
    try:
        served.wait_ready()
        raw = Raw("sqlite", copied)
        said = ""
        # What a signed head covers is for audits to find; so one that was signed in that very moment is put back.
        while not said:
            _continue(client, served)
            ((index, entry),) = raw.query("log", 'SELECT "index", entry FROM entry ORDER BY 1 DESC LIMIT 1')
            altered = entry.replace(b"S1/", b"S2/") if b"S1/" in entry else entry[:-3] + b"9" + entry[-2:]
            raw.execute("log", 'UPDATE entry SET entry = ? WHERE "index" = ?', (altered, index))
            served.wait_for(lambda: _rollback(served) or _signed(raw) > index, 20, "ROLLBACK in /readyz")
            said = _rollback(served)
            if not said:
                raw.execute("log", 'UPDATE entry SET entry = ? WHERE "index" = ?', (entry, index))
        assert f"entry {index} does not hash to its stored leaf" in said
        status, answer = client.refused()
        assert status == 503 and answer["type"] == "urn:hazledger:rollback", answer
    finally:
        served.service.stop()


@pytest.mark.parametrize("contract", ["checkpointLog", "keyRegistry"])
def test_wrong_contract_at_the_address__the_anchor_worker_says_which__records_go_on(copied, stopped, contract):
    import json

    client = stopped[2]
    path = copied / "trust.json"
    document = json.loads(path.read_bytes())
    address = document["chains"][0][contract]["address"]
    other = "keyRegistry" if contract == "checkpointLog" else "checkpointLog"
    document["chains"][0][contract]["address"] = document["chains"][0][other]["address"]
    path.write_text(json.dumps(document))
    assert address != document["chains"][0][contract]["address"]
    served = _serve(copied)
    served.service.start()
    try:
        said = served.wait_for(
            lambda: (text := _not_ready(served)) and contract.lower() in text.lower() and text, 40, "the wrong contract in /readyz"
        )
        assert "anchor" in said
        _continue(client, served)
        done = subprocess.run(
            [sys.executable, "-m", "ledger.cli.main", "process", "anchor", "--state", str(copied)],
            env={**os.environ, "HAZLEDGER_CHAIN_ENDPOINTS": served.service.rpc_url},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode != 0 and contract.lower() in done.stderr.lower(), done.stderr
    finally:
        served.service.stop()


def _continue(client, served) -> None:
    """Go on in the book as this copy has it, with one record that is taken."""
    here = served.installation()
    head = here.stores.log.book_head(client.book.holder, client.book.site, client.book.book)
    here.stores.close()
    client.served, client.book.seq, client.book.prev = served, head.seq, head.record_id
    served.wait_for(lambda: _try_push(client), 20, "a record taken")


def _signed(raw: Raw) -> int:
    """Size of the newest signed head."""
    return raw.query("log", "SELECT max(size) FROM checkpoint")[0][0] or 0


def _rollback(served: Served) -> str:
    """What the sequencer says of itself in /readyz while it signs nothing; "" while it is well."""
    said = " ".join(str(reason.get("detail")) for reason in served.reasons() if reason["part"] == "sequencer")
    return said if "Nothing is signed" in said or "Signing has stopped" in said else ""
