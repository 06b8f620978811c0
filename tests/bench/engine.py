"""The engine: entries folded a second with every shipped rule, in memory and durable; recovery; beside bare CEL and commits."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from random import Random

import cel

from ledger.adapters.store import open_stores
from ledger.catalogue import Catalogue
from ledger.core.times import format_utc
from ledger.engine.alerts import Effects, Identity
from ledger.engine.fold import Fold
from ledger.engine.inputs import parse_input
from ledger.engine.state import FoldState, encode_state
from ledger.evaluate import Evaluator, Platform, shipped_rules
from ledger.model import LeafIndex, UnixMs
from ledger.ports import EngineBatch
from tests.bench.report import Report
from tests.fakes_engine import ISSUER, KEYID, T0, FakeAppender, FakeLog, admit

CODES = ("7697-37-2", "143-33-9", "64-17-5", "67-64-1", "7722-84-1")
ENTERPRISES = 50
SECOND_MS = 1000


def stream(entries: int, seed: int = 1) -> FakeLog:
    """Fifty enterprises that trade five substances; one movement a second, a tick a minute, nothing wrong."""
    random, log = Random(seed), FakeLog()
    holders = [f"9111000010{n:07d}A" for n in range(ENTERPRISES)]
    for holder in holders:
        store = {"id": "R1", "book": "B1", "class": "room", "capacity": {"value": "900000", "unit": "KGM"}}
        log.write(
            holder,
            "place",
            {"sites": [{"site": "S1", "zone": "Asia/Shanghai", "stores": [store]}]},
            at=T0,
            book="office",
        )
        licence = {
            "type": "licence",
            "issuer": "x",
            "valid_from": "2020-01-01",
            "valid_to": "2030-01-01",
            "status": "valid",
        }
        log.write(holder, "licence", licence, at=T0, book="office")
        lines = [_line(code, "10000") for code in CODES]
        log.write(holder, "stocktake", {"cut_off": format_utc(T0), "complete": True, "lines": lines}, at=T0)
    for n in range(entries):
        holder, other = random.sample(holders, 2)
        at, out = UnixMs(T0 + (n + 1) * SECOND_MS), random.random() < 0.5
        body = {
            "direction": "out" if out else "in",
            "reason": "sale" if out else "purchase",
            "lines": [
                _line(code, f"{random.randint(1, 20)}.5")
                for code in random.sample(CODES, random.choice((1, 1, 1, 2, 3)))
            ],
            "consignment": f"C-{n}",
            "counterparty": {"type": "enterprise", "uscc": other},
        }
        log.write(holder, "movement", body, at=at)
        if n % 60 == 0:
            log.write(ISSUER, "tick", {"now": at, "facts": "0" * 64}, at=at, book="ticks", authority=True)
    return log


def _line(code: str, kilograms: str) -> dict:
    return {"goods": "chemical", "code": code, "quantity": {"value": kilograms, "unit": "KGM"}, "store": "R1"}


def engine(report: Report, entries: int = 20_000) -> None:
    """Add the engine's rows. CPU seconds beside the wall's: other work on the machine does not count into the first."""
    log, rules, classifier = stream(entries), shipped_rules(), Catalogue.load()
    bare = _bare_cel(entries)
    state = FoldState()
    fold = Fold(state, rules, classifier, Identity("l", ISSUER, KEYID, rules.digest))
    to, wall_s, cpu_s = Effects(), time.perf_counter(), time.process_time()
    for record in log.entries:
        fold.step(parse_input(record), to)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    size = len(log.entries)
    report.add(
        "engine, parse and fold, all shipped rules", size / wall_s, "entries/s", f"{size / cpu_s:,.0f} a CPU second"
    )
    started = time.perf_counter()
    snapshot = encode_state(state)
    report.add("snapshot of the state", (time.perf_counter() - started) * 1000, "ms", f"{len(snapshot) / 1e6:.1f} MB")
    with tempfile.TemporaryDirectory(prefix="hazledger-bench-") as name:
        stores = open_stores("sqlite", Path(name))
        stores.migrate()

        def start() -> Evaluator:
            return Evaluator(
                log_reader=log,
                store=stores.engine,
                appender=FakeAppender(log, lambda: log.entries[-1].received),
                admit=admit,
                rules=rules,
                classifier=classifier,
                platform=Platform(ISSUER, KEYID),
                clock=lambda: log.entries[-1].received,
            )

        evaluator, folded = start(), 0
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        while done := evaluator.evaluate_once():
            folded += done
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        durable = folded / wall_s
        report.add("engine, durable", durable, "entries/s", f"target >= 5,000; {folded / cpu_s:,.0f} a CPU second")
        started = time.perf_counter()
        start().recover()
        report.add("engine, recovery from the last snapshot", time.perf_counter() - started, "s")
        commits = _bare_commits(stores.engine, LeafIndex(folded))
        report.add("limit: one CEL condition a rule, bare", bare, "entries/s", f"durable is {durable / bare:.2f} of it")
        report.add("limit: empty engine commit", commits, "commits/s")
        stores.close()


def _bare_cel(entries: int) -> float:
    """Entries a second if there were nothing but one condition for each of the seven rules."""
    program, context = cel.compile("a > 2 * b && c"), cel.Context(variables={"a": 1, "b": 2, "c": True})
    started = time.perf_counter()
    for _ in range(entries):
        for _ in range(7):
            program.execute(context)
    return entries / (time.perf_counter() - started)


def _bare_commits(store: object, cursor: LeafIndex, times: int = 100) -> float:
    started = time.perf_counter()
    for _ in range(times):
        store.commit(EngineBatch(cursor=cursor))
    return times / (time.perf_counter() - started)


if __name__ == "__main__":
    engine(Report())
