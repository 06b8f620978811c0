"""Who is killed, when: a seeded plan of moments and of places in the code, carried out on one run."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

from ledger.adapters.chain.authority import EvmAuthority
from ledger.adapters.enrolments import save_enrolment
from ledger.cli.compose import AUTHORITY_ACCOUNT
from ledger.core.ids import credit_code_for
from ledger.core.keys import PrivateKey
from ledger.errors import LedgerError
from ledger.faults import POINTS
from ledger.model import Enrolment, Role, UnixMs
from tests.faults.load import Load
from tests.served import ORIGIN, Served

BY_TIME = ("sequencer", "engine", "anchor", "web", "worker", "node", "all")
# The order names one of the first so many passings: many a second under load; no more than one a minute for ticks. An
# engine that is far behind commits once in a thousand entries, and first folds again what it had since its snapshot.
PASSINGS = {name: 40 for name in POINTS if name.startswith(("append", "submit"))}
PASSINGS |= {name: 3 for name in POINTS if name.startswith("engine")}
PASSINGS |= {name: 1 for name in POINTS if name.startswith(("tick", "grants"))}
ORDER_WITHIN_S = 12.0
ENGINE_ORDER_WITHIN_S = 60.0
PROGRESS_WITHIN_S = 45.0


def plan(seed: int, count: int, half: int = 0) -> list[str]:
    """`count` kills: half of them at places, half at moments. Two plans with `half` 0 and 1 pass every place."""
    places = sorted(POINTS)
    random.Random(seed).shuffle(places)
    places = places[half * len(places) // 2 :] + places[: half * len(places) // 2]
    rng = random.Random(f"{seed}/{half}/{count}")
    found = [places[n % len(places)] for n in range(count // 2)]
    found += [BY_TIME[n % len(BY_TIME)] for n in range(count - len(found))]
    rng.shuffle(found)
    return found


class Killer:
    """Carries a plan out on a served installation whose processes look for orders in `orders`."""

    def __init__(self, served: Served, load: Load, orders: Path, seed: int) -> None:
        self.served, self.load, self.orders = served, load, orders
        self.rng = random.Random(f"{seed}/killer")
        self.killed: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.enrolled = 0

    def strike(self, target: str) -> None:
        """One kill, then wait until the clients are acknowledged again."""
        started = time.monotonic()
        if target in POINTS:
            if self._order(target):
                self.killed[target] += 1
            else:
                self.missed[target] += 1
        else:
            self.pass_time(self.rng.uniform(0.0, 1.0))
            self._kill(target)
            self.killed[target] += 1
        # A second kill may fall into the recovery from the first; the next may also come much later.
        self.pass_time(self.rng.choice([0.0, 0.3, 1.0, 2.0]))
        before = len(self.load.acknowledged)
        self.served.wait_for(lambda: len(self.load.acknowledged) > before + 5, PROGRESS_WITHIN_S, "acknowledgements")
        print(f"  {target}: {time.monotonic() - started:.1f} s", flush=True)

    def pass_time(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.served.service.watch()
            time.sleep(0.02)

    def _order(self, point: str) -> bool:
        order = self.orders / point
        beside = order.with_suffix(".part")
        beside.write_text(str(self.rng.randint(1, PASSINGS.get(point, 2))))
        beside.replace(order)
        until = time.monotonic() + (ENGINE_ORDER_WITHIN_S if point.startswith("engine") else ORDER_WITHIN_S)
        asked = 0.0
        while order.exists():
            self.pass_time(0.05)
            if time.monotonic() > asked + 2.0:
                asked = time.monotonic()
                self._bring_about(point)
            if time.monotonic() > until:
                order.unlink(missing_ok=True)
                return False
        return True

    def _bring_about(self, point: str) -> None:
        """Some places are passed only when something happens."""
        here = self.served.installation()
        try:
            if point.startswith("grants."):
                self.enrolled += 1
                key = PrivateKey.generate()
                holder = credit_code_for(f"91320100MA2P{self.enrolled:05d}")
                enrolment = Enrolment(key.keyid, key.spki, holder, "", Role.ENTERPRISE)
                save_enrolment(self.served.config.enrolments_dir, ORIGIN, enrolment)
                chain = here.chain(account=here.account(AUTHORITY_ACCOUNT), journal=here.stores.anchor)
                EvmAuthority(chain).enrol_many([enrolment])
            elif point == "chain.replaying":
                self._kill("node")
            elif point == "tick.after-append":
                try:
                    here.appender.tick(UnixMs(time.time_ns() // 1_000_000))
                finally:
                    here.appender._drop()
        except LedgerError:
            pass  # somebody was just killed; asked again in two seconds
        finally:
            here.stores.close()

    def _kill(self, target: str) -> None:
        service = self.served.service
        names = ("sequencer", "engine", "anchor", "web")
        if target == "all":
            pids = [service.pid(name) for name in names] + workers(service.pid("web")) + [service.node.pid]
        elif target == "worker":
            pids = workers(service.pid("web"))
            pids = [self.rng.choice(pids)] if pids else []
        elif target == "node":
            pids = [service.node.pid]
        else:
            pids = [service.pid(target)]
        for pid in pids:
            if pid is not None:
                _sigkill(pid)


def workers(master: int | None) -> list[int]:
    """The processes that gunicorn's master has forked."""
    if master is None:
        return []
    try:
        return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]
    except OSError:
        return []


def _sigkill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
