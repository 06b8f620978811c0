"""What must be true of an installation after any faults: counted again from the tables, by code of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from ledger.adapters.store import open_stores
from ledger.adapters.store.schema import all_columns
from ledger.catalogue import Catalogue
from ledger.cli.compose import Installation
from ledger.core.checkpoint import open_checkpoint
from ledger.core.keys import load_public_key
from ledger.core.merkle import Frontier, leaf_hash
from ledger.core.note import VerifierKey
from ledger.core.trust import parse_trust
from ledger.enginehealth import BESIDE
from ledger.evaluate import Evaluator, Platform, shipped_rules
from ledger.adapters.keystore.signing import public_key_of
from ledger.cli.compose import PLATFORM_KEY
from ledger.core.submission import SUBMISSION_TYPE
from ledger.flow import checked, Directory, Door
from ledger.model import Appended, Receipt, TreeSize
from tests.faults.load import Acknowledged
from tests.faults.raw import Raw

NOT_OF_THE_FOLD = ("snapshot", "extra")
"""When a snapshot is taken depends on the clock, and the fold writes no extras. Every other table of the engine is compared."""


def check_acknowledged(raw: Raw, acknowledged: list[Acknowledged], again: list[dict]) -> None:
    """No acknowledged record is lost, none is doubled, its receipt is the same for ever."""
    assert len({a.record_id for a in acknowledged}) == len(acknowledged)
    assert len(again) == len(acknowledged)
    for first, second in zip(acknowledged, again, strict=True):
        assert second["status"] == 200 and second["repeat"], second
        assert (second["record_id"], second["index"], second["receipt"]) == (
            first.record_id,
            first.index,
            first.receipt,
        )
    stored = {
        row[0].hex(): row[1:] for row in raw.query("log", 'SELECT record_id, "index", receipt, envelope FROM entry')
    }
    for one in acknowledged:
        index, receipt, envelope = stored[one.record_id]
        assert (index, receipt.decode()) == (one.index, one.receipt)
        assert envelope == one.envelope


def check_log(raw: Raw) -> int:
    """Indexes contiguous from 0, nothing twice, every book gapless and chained, `received` never decreasing; the size."""
    rows = raw.query("log", 'SELECT "index", record_id, holder, site, book, seq, received, envelope FROM entry ORDER BY 1')
    assert [row[0] for row in rows] == list(range(len(rows)))
    assert len({row[1] for row in rows}) == len(rows)
    heads: dict[tuple, tuple[int, str | None]] = defaultdict(lambda: (0, None))
    last = 0
    for _, record_id, holder, site, book, seq, received, envelope in rows:
        payload = base64.b64decode(json.loads(envelope)["payload"])
        assert hashlib.sha256(payload).digest() == record_id
        document = json.loads(payload)
        assert (document["seq"], document["prev"]) == (heads[holder, site, book][0] + 1, heads[holder, site, book][1])
        assert document["seq"] == seq
        heads[holder, site, book] = (seq, record_id.hex())
        assert received >= last
        last = received
    said = {row[:3]: (row[3], row[4].hex()) for row in raw.query("log", "SELECT holder, site, book, seq, record_id FROM book")}
    assert said == dict(heads)
    return len(rows)


def kinds_from(raw: Raw, index: int) -> set[str]:
    """Kinds of the entries from this index on."""
    return {kind for (kind,) in raw.query("log", f'SELECT DISTINCT kind FROM entry WHERE "index" >= {index:d}')}


def check_checkpoints(raw: Raw, trust_path: Path) -> int:
    """Every note ever stored is signed, and has the root of the entries that are there now; how many."""
    trust = parse_trust(trust_path.read_bytes())
    keys = _log_keys(trust_path)
    notes = {size: (root, note) for size, root, note in raw.query("log", "SELECT size, root, note FROM checkpoint")}
    frontier, found = Frontier(), 0
    for (entry,) in raw.query("log", 'SELECT entry FROM entry ORDER BY "index"'):
        frontier.append(leaf_hash(entry))
        if frontier.size in notes:
            root, note = notes[frontier.size]
            opened = open_checkpoint(note, trust.origin, keys)
            assert (opened.size, opened.root) == (frontier.size, root) == (frontier.size, frontier.root())
            found += 1
    assert found == len(notes)
    return found


def _log_keys(trust_path: Path) -> list[VerifierKey]:
    return [VerifierKey.parse(key["vkey"]) for key in json.loads(trust_path.read_bytes())["logKeys"]]


def check_anchors(here: Installation, raw: Raw) -> int:
    """Every anchor that is stored stands in the contract with the same root; how many.

    Its block and time are the contract's too, unless the chain was made again from the journal since (chain.md: metaAt
    and headers differ then, the roots do not).
    """
    chain = here.chain()
    anchors = raw.query("anchor", "SELECT size, root, block_number, block_hash, anchored_at_s FROM anchor ORDER BY size")
    for size, root, block, block_hash, seconds in anchors:
        held = chain.root_at(TreeSize(size))
        assert held is not None and held[0] == root, f"anchor {size}"
        if chain.blocks.ref(block).hash == block_hash:
            assert held == (root, seconds, block), f"anchor {size}"
    head = chain.head()
    assert (head.size, head.root) == (anchors[-1][0], anchors[-1][1])
    return len(anchors)


class _Replayed:
    """An Appender whose log is finished: what the fold wants to send must be there already."""

    def __init__(self, here: Installation) -> None:
        self._identity, self._log = here.identity(), here.stores.log
        self.missing: list[str] = []

    def sign_platform(self, payload: bytes) -> bytes:
        from ledger.core.dsse import PAYLOAD_TYPE, encode_envelope, pae
        from ledger.model import Signature

        platform = self._identity.platform
        return encode_envelope(payload, [Signature(platform.keyid, platform.sign(pae(PAYLOAD_TYPE, payload)))])

    def append(self, records):
        answers = []
        for record in records:
            stored = self._log.record_by_id(record.record_id)
            assert stored is not None, f"the fresh fold makes alert {record.record_id}, which the log does not hold"
            assert stored.envelope == record.raw
            answers.append(Appended(Receipt(record.record_id, stored.index, stored.received, stored.receipt), True))
        return answers

    def tick(self, _not_before):
        return None

    def append_platform(self, kind, _book, _body):
        raise AssertionError(f"a fresh fold of a finished log announces nothing, but wants a {kind}")


def check_engine(here: Installation, raw: Raw, scratch: Path, size: int) -> int:
    """The engine's tables are those of a fold of the same log from index 0; each alert is one entry; how many alerts."""
    stores = open_stores("sqlite", scratch)
    stores.migrate()
    log = here.stores.log
    appender = _Replayed(here)
    door = Door(here.config.origin, Directory(log), log, appender)
    evaluator = Evaluator(
        log_reader=log,
        store=stores.engine,
        appender=appender,
        admit=lambda envelope: checked(envelope, SUBMISSION_TYPE, door),
        rules=shipped_rules(),
        classifier=Catalogue.load(),
        platform=Platform(here.config.issuer, load_public_key(public_key_of(here.config.keys_dir / PLATFORM_KEY)).keyid),
        clock=lambda: 0,
    )
    while evaluator.evaluate_once() or stores.engine.cursor() < size:
        pass
    fresh = Raw("sqlite", scratch)
    check_same_engine(raw, fresh)
    stores.close()
    alerts = raw.query("engine", "SELECT alert_id FROM alert")
    sent = raw.query("engine", 'SELECT id, record_id, "index", envelope FROM outbox')
    entries = raw.query("log", """SELECT record_id, "index", envelope FROM entry WHERE kind = 'alert'""")
    named = [json.loads(base64.b64decode(json.loads(e)["payload"]))["body"]["alert_id"] for _, _, e in entries]
    assert sorted(named) == sorted(row[0] for row in alerts) == sorted(row[0] for row in sent)
    assert sorted(entries) == sorted(row[1:] for row in sent)
    return len(alerts)


def check_same_engine(ours: Raw, theirs: Raw) -> dict[str, int]:
    """Every table that the fold makes has the same rows on both sides; how many, by table."""
    rows = {}
    for table in dict.fromkeys(table for store, table, _ in all_columns() if store == "engine"):
        if table in NOT_OF_THE_FOLD:
            continue
        columns = _columns("engine", table)
        names = ", ".join(f'"{c}"' for c in columns)
        statement = f'SELECT {names} FROM "{table}"'
        one, other = (_folded(table, columns, raw.query("engine", statement)) for raw in (ours, theirs))
        assert one == other, f"engine table {table} differs: {_first_difference(one, other)}"
        rows[table] = len(one)
    return rows


def _columns(store: str, table: str) -> list[str]:
    return [c for s, t, c in all_columns() if (s, t) == (store, table)]


def _folded(table: str, columns: list[str], rows: list[tuple]) -> list[tuple]:
    """The table as the log alone makes it: how far behind and how slow a machine was is health, but not of the fold."""
    if table == "health":
        rule = columns.index("rule")
        rows = [row for row in rows if row[rule] not in BESIDE]
    return sorted(map(_comparable, rows), key=repr)


def _comparable(row: tuple) -> tuple:
    # SQLite has no booleans.
    return tuple(int(v) if isinstance(v, bool) else v for v in row)


def _first_difference(ours, theirs):
    only = [row for row in ours if row not in theirs][:2], [row for row in theirs if row not in ours][:2]
    return f"{len(ours)} and {len(theirs)} rows; first only {only[0]}; second only {only[1]}"


def hazledger(*arguments, timeout=300) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "ledger.cli.main", *map(str, arguments)], capture_output=True, text=True, timeout=timeout
    )


def check_audit(state: Path, tiles: Path, rpc: str) -> str:
    """`hazledger tiles`, then `hazledger verify log --rpc`, and `hazledger audit`: exit 0; the verdict lines."""
    made = hazledger("tiles", tiles, "--state", state)
    assert made.returncode == 0, made.stdout + made.stderr
    done = hazledger("verify", "log", "--tiles", tiles, "--trust", state / "trust.json", "--rpc", rpc, "--jobs", 2)
    assert done.returncode == 0, done.stdout + done.stderr
    # It folds the whole log once more: of the long loops' logs, a hundred and fifty thousand entries.
    whole = hazledger("audit", "--state", state, "--rpc", rpc, "--jobs", 2, timeout=1800)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    return "\n".join(text.strip().splitlines()[-1] for text in (done.stdout, whole.stdout))
