"""A dense artificial stream: what an engine does when nearly everything that comes in is worth a warning.

Fifty enterprises without profiles trade five substances in circles, a movement a second, and confirm nothing. No county looks
like that: the scenario's stream does.
"""

from __future__ import annotations

from random import Random

from ledger.core.times import format_utc
from ledger.model import UnixMs
from tests.fakes_engine import ISSUER, T0, FakeLog

CODES = ("7697-37-2", "143-33-9", "64-17-5", "67-64-1", "7722-84-1")
ENTERPRISES = 50
SECOND_MS = 1000


def stream(entries: int, seed: int = 1) -> FakeLog:
    """So many movements, one a second, and a tick a minute, behind what the enterprises declare."""
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
