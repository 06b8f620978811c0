"""The chain: gas per checkpoint against the tree's size; LOGGED and ANCHORED after receipt; one transaction a record."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ledger.adapters.chain.authority import EvmAuthority
from ledger.cli.compose import AUTHORITY_ACCOUNT
from ledger.core.keys import PrivateKey
from ledger.model import Enrolment, LeafIndex, Role
from tests.bench.report import Report, percentile
from tests.served import Served


def levels(report: Report, rounds: int = 8) -> None:
    """Seconds from a receipt until a signed checkpoint and until an anchor cover it, at the demo's cadence of 5 s."""
    with tempfile.TemporaryDirectory(prefix="hazledger-bench-") as name, Served(
        Path(name) / "state", anchor_every_s=5.0
    ) as served:
        (book,) = served.enterprises(1)
        here = served.installation()
        logged, anchored = [], []
        for n in range(rounds):
            envelope = book.next("stocktake" if n == 0 else "movement")
            _, answer = served.post("/api/v1/records", envelope, "application/json")
            started, index = time.monotonic(), LeafIndex(int(answer["index"]))

            def is_logged(index: LeafIndex = index) -> bool:
                checkpoint = here.stores.log.latest_checkpoint()
                return checkpoint is not None and checkpoint.size > index

            served.wait_for(is_logged, 30, "a checkpoint")
            logged.append(time.monotonic() - started)
            served.wait_for(lambda index=index: here.stores.anchor.anchor_covering(index), 30, "an anchor")
            anchored.append(time.monotonic() - started)
        report.add("LOGGED after receipt, worst of 8", max(logged), "s", "target <= 2")
        report.add("ANCHORED-DEV after receipt, median (anchor every 5 s)", percentile(anchored, 0.5), "s")
        report.add("ANCHORED-DEV after receipt, worst of 8", max(anchored), "s", "target <= 8")
        _one_transaction_a_record(here, report)
        here.stores.close()


def _one_transaction_a_record(here, report: Report, count: int = 40) -> None:
    """What anchoring each record by itself would reach: one grant, one transaction, one block, one after the other."""
    authority = EvmAuthority(here.chain(account=here.account(AUTHORITY_ACCOUNT), journal=here.stores.anchor))
    keys = [PrivateKey.generate("Ed25519") for _ in range(count)]
    started = time.monotonic()
    for key in keys:
        e = Enrolment(key.keyid, key.spki, "bench.holder", "", Role.AUTHORITY)
        authority.enrol(e.keyid, e.holder, e.scope, int(e.role))
    report.add("limit: one transaction a record, one after the other", count / (time.monotonic() - started), "records/s")


GAS_LINE = re.compile(r"^ *(\S+) -> +(\S+) +proof +\d+ +(?:first (\d+) +)?next (\d+)")


def gas(report: Report) -> None:
    """The whole transactions' gas on Anvil, measured by the contracts' own test."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/contracts/test_on_anvil.py", "-k", "gas"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:])
    for line in done.stdout.splitlines():
        found = GAS_LINE.match(line)
        if found:
            old, new, first, following = found.groups()
            target = "target <= 150,000" if "^" in new else "target <= 120,000"
            report.add(f"gas of the checkpoint {old} -> {new}", float(following), "gas", target)
            if first and new == "100":
                report.add("gas of the first checkpoint of a log", float(first), "gas", target)
            if new == "1000000" and old == "999001":
                report.add("gas per record at 999 a checkpoint", float(following) / 999, "gas", "target <= 120")


def run(report: Report) -> None:
    gas(report)
    levels(report)
