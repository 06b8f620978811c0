"""Bundles and offline verification at 100,000 storage slots; the full audit beside bare verification; growth."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ledger.core.trust import parse_trust
from ledger.core.verification import Level, verify_bundle
from ledger.model import Role, UnixMs
from tests.bench.ingest import bare_verification
from tests.bench.report import Report
from tests.kit import Log
from tests.factories import HOLDER
from tests.world import World

SLOTS = 100_000


def bundles(report: Report, slots: int = SLOTS) -> None:
    """Size and verification time of a bundle whose two contracts hold `slots` words between them."""
    for signers in (1, 2):
        world = World(es256=True)
        named = [world.enrol(f"signer {n}", HOLDER, "", Role.ENTERPRISE, es256=True) for n in range(signers)]
        named.sort(key=lambda grantee: grantee.key.keyid)
        world.fill(1000)
        index = world.append(signers=named)
        world.fill(200)
        world.extra_storage = slots // 2
        world.checkpoint()
        world.anchor()
        data = world.bundle_bytes(index)
        world.pin()
        trust = parse_trust(world.trust_bytes())
        now = UnixMs(time.time_ns() // 1_000_000)
        verdict = verify_bundle(data, trust, require=Level.ANCHORED_DEV, now=now)
        if verdict.exit_code != 0:
            raise RuntimeError("\n".join(verdict.lines()))
        started, rounds = time.process_time(), 100
        for _ in range(rounds):
            verify_bundle(data, trust, require=Level.ANCHORED_DEV, now=now)
        spent = (time.process_time() - started) / rounds * 1000
        most = 13_000 if signers == 1 else 15_000
        report.add(f"bundle at {slots:,} storage slots, {signers} signer(s)", len(data), "bytes", f"target <= {most:,}")
        report.add("  offline verification", spent, "ms", "target <= 5")


AUDITED = 100_000
"""At least: else the quarter of a second in which a process starts and reads its code is part of the rate."""


def audit(report: Report, records: int = AUDITED) -> None:
    """`hazledger verify log` over a mirror of `records` entries, all signatures, as a process of its own.

    Beside it the same over one tile: that is its start, so that the rate of the rest is known apart.
    """
    with tempfile.TemporaryDirectory(prefix="hazledger-bench-") as name:
        directory = Path(name)
        state, one, tiles = directory / "state", directory / "one", directory / "tiles"
        state.mkdir()
        log = Log(state)
        trust = directory / "trust.json"
        trust.write_bytes(trust_of(log))
        grow(log, 200)
        export(log, one)
        grow(log, records - int(log.stores.log.size()))
        export(log, tiles)
        first, size = _first_size(one), int(log.stores.log.size())
        verification = bare_verification(report)
        start = min(_audit_seconds(one, trust) for _ in range(3))
        spent = _audit_seconds(tiles, trust)
        report.add(f"full audit of {size:,} records, process start included", size / spent, "records/s")
        report.add("  its start, with the first tile", start, "s")
        report.add("  its steady rate, without that", (size - first) / (spent - start), "records/s")
        report.ratio("full audit / bare verification over all cores", size / spent, verification, 0.6)
        report.ratio("  steady rate / bare verification", (size - first) / (spent - start), verification)
        log.close()


def _audit_seconds(tiles: Path, trust: Path) -> float:
    # As it is installed: its code compiled. (Where Python is told to keep none, each start would compile it again.)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tiles.parent / "compiled")
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "ledger.cli.main", "verify", "log", "--tiles", str(tiles), "--trust", str(trust)],
        capture_output=True,
        text=True,
        env=environment,
    )
    spent = time.perf_counter() - started
    assert done.returncode in (0, 3), done.stdout[-2000:] + done.stderr[-2000:]
    return spent


def _first_size(tiles: Path) -> int:
    return int((tiles / "checkpoint").read_bytes().split(b"\n")[1])


def growth(report: Report, most: int = 100_000) -> None:
    """Cost of one append as the log grows, CPU and wall, in-process, batches of 500."""
    with tempfile.TemporaryDirectory(prefix="hazledger-bench-") as name:
        log = Log(Path(name))
        first, at, signed = 0.0, 10_000, 0
        while at <= most:
            grow(log, at - int(log.stores.log.size()) - 2_000)
            spent = grow(log, 2_000) / 2_000 * 1e6
            first = first or spent
            report.add(f"append at {at:,} records", spent, "us CPU a record")
            started = time.perf_counter()
            log.sequencer.checkpoint_once()
            spent_ms = (time.perf_counter() - started) * 1000
            report.add(f"  checkpoint at {at:,}, over {at - signed:,} new entries", spent_ms, "ms")
            signed = at
            at *= 10
        report.ratio(f"append at {most:,} / at 10,000", spent, first, 1.5, at_least=False)
        log.close()


def grow(log: Log, count: int) -> float:
    """Append `count` records; CPU seconds of the platform's side alone."""
    from ledger.flow import _admit

    books = getattr(log, "bench_books", None)
    if books is None:
        books = log.bench_books = [log.enterprise(n=n) for n in range(1, 9)]
        log.batch([book.next("stocktake") for book in books])
    spent, left = 0.0, count
    while left > 0:
        lines = [books[n % 8].next() for n in range(min(500, left))]
        admitted = [_admit(line, "application/json", log.door) for line in lines]
        started = time.process_time()
        answers = log.sequencer.append([a.record for a in admitted])
        spent += time.process_time() - started
        assert not any(isinstance(a, Exception) for a in answers), answers
        left -= len(lines)
    return spent


def export(log: Log, tiles: Path) -> None:
    from types import SimpleNamespace

    from ledger.cli.tiles import mirror

    log.sequencer.checkpoint_once()
    mirror(SimpleNamespace(stores=log.stores), tiles)


def trust_of(log: Log) -> bytes:
    """A trust file for a log without a chain: check 9 and 10 are skipped."""
    from ledger.core.trust import CheckpointLogContract, KeyRegistryContract, Span, TrustedChain, make_trust
    from tests.kit import AUTHORITY, ORIGIN

    chain = TrustedChain(
        sizes=Span(0, None),
        kind="development",
        chain_id=31337,
        genesis=bytes(32),
        checkpoint_log=CheckpointLogContract(bytes(20), bytes(32), 1, 2, 3),
        key_registry=KeyRegistryContract(bytes(20), bytes(32), 1),
        authorities=(bytes.fromhex(AUTHORITY[2:]),),
        validators=(),
        pinned=(),
    )
    return make_trust(
        origin=ORIGIN,
        log_vkeys=[log.identity.log.verifier.to_vkey()],
        receipt_vkeys=[log.identity.receipt.verifier.to_vkey()],
        chains=[chain],
    )


def run(report: Report, records: int = 30_000, most: int = 100_000) -> None:
    bundles(report)
    audit(report, max(records, AUDITED))
    growth(report, most)


if __name__ == "__main__":
    run(Report())
