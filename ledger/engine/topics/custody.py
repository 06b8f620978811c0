"""Two persons for what is highly toxic: who handled it, with whose keys it was confirmed, and how they sign."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from ledger.engine import traces
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input, happened_ms, unix_ms
from ledger.engine.people import handlers_of
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, Topic, common
from ledger.engine.traces import Trace

MAJOR_HAZARD = "major_hazard"
"""A site's category in its `place` record; its stock is under two persons' custody like highly toxic goods."""
_NOT_HANDED_OVER = ("loss", "found")
"""Reasons that state a difference: nobody received or issued anything."""
CLOSE_MS = 3_000
"""Two persons do not sign within three seconds of each other, again and again (catalogue C07, an engineering default)."""
HABIT_MS = 30 * 86_400_000
MINUTE_MS = 60_000
FEW_A_MINUTE = 10
"""So many records of a key in one minute are a batch that somebody sends; no rule need look at them."""
KEPT_MINUTES = 7 * 1440


class CustodyState(msgspec.Struct):
    """`pairs` by holder/site/book, `uses` by holder/keyid."""

    pairs: dict[str, Trace[int]] = {}
    """Milliseconds between the two nearest confirmations of each movement that has two."""
    uses: dict[str, dict[int, int]] = {}
    """Minute of the event time (unix) -> how many records the key signed in it."""


class Custody(Topic):
    """Movements that two persons must have received or issued, and the habits of their keys."""

    kinds = frozenset({"movement"})
    papers = frozenset({"place", "person"})
    subjects = (
        # A receipt or issue of highly toxic goods, or at a site that is a major hazard.
        Subject(
            "custody",
            level=False,
            fields=COMMON
            | {
                "code": "str",
                "toxic": "bool",
                "direction": "str",
                "handlers": "int",
                "persons": "int",
                "keys": "int",
            },
        ),
        # How a register is signed: the confirmations of its movements, and how often its key was used in a minute.
        Subject(
            "signing",
            level=False,
            fields=COMMON | {"keyid": "str", "pairs": "int", "close_ppm": "int", "per_minute": "int"},
        ),
    )

    def __init__(self, state: CustodyState, register: Register) -> None:
        self._state = state
        self._register = register

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """The rows of one movement."""
        custody, signing = self._custody(entry, goods), self._signing(entry)
        if custody is None:  # as of nearly every movement
            return () if signing is None else (signing,)
        return (custody,) if signing is None else (custody, signing)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """Its confirmations and its signatures count no more."""
        del goods, entry
        traces.drop(self._state.pairs, _register(before), before.record_id)
        minute = happened_ms(before) // MINUTE_MS
        for keyid in before.signers:
            uses = self._state.uses.get(f"{before.holder}/{keyid}", {})
            if minute in uses:
                uses[minute] -= 1
                if not uses[minute]:
                    del uses[minute]
        return ()

    def prune(self, now_ms: int) -> None:
        """Forget what lies behind every window, and a while longer for what comes late."""
        traces.prune(self._state.pairs, now_ms - HABIT_MS - traces.LATE_FOR_MS)
        oldest = now_ms // MINUTE_MS - KEPT_MINUTES
        for at, uses in list(self._state.uses.items()):
            for minute in [minute for minute in uses if minute < oldest]:
                del uses[minute]
            if not uses:
                del self._state.uses[at]

    def _custody(self, entry: Input, goods: Sequence[Goods]) -> Row | None:
        body = entry.body
        if body["reason"] in _NOT_HANDED_OVER:
            return None
        toxic = chemical = ""
        for line, listing, _ in goods:
            if not toxic and "highly_toxic" in listing.categories:
                toxic = line.code
            if not chemical and line.goods == "chemical":
                chemical = line.code
        code = toxic or chemical
        if not code:
            return None
        site = self._register.site_at(entry.holder, entry.site, entry.event_ms)
        if not toxic and MAJOR_HAZARD not in site.categories:
            return None
        handlers = handlers_of(entry, self._register)
        keys = {*entry.signers, *(confirmation["keyid"] for confirmation in body.get("confirmed", ()))}
        return (
            "custody",
            common(entry)
            | {
                "code": code,
                "toxic": bool(toxic),
                "direction": body["direction"],
                "handlers": len(handlers),
                # One person under two references is one person.
                "persons": min(len({ref for ref, _ in handlers}), len({person or ref for ref, person in handlers})),
                "keys": len(keys),
            },
        )

    def _signing(self, entry: Input) -> Row | None:
        at_ms = happened_ms(entry)
        minute, per_minute, keyid = at_ms // MINUTE_MS, 0, ""
        for signer in entry.signers:
            at = f"{entry.holder}/{signer}"
            uses = self._state.uses.get(at)
            if uses is None:
                uses = self._state.uses[at] = {}
            uses[minute] = times = uses.get(minute, 0) + 1
            if times > per_minute:
                per_minute, keyid = times, signer
        confirmed = entry.body.get("confirmed")
        gap_ms = _gap(confirmed) if confirmed else None
        pairs, close_ppm = 0, 0
        if gap_ms is not None:
            trace = traces.note(self._state.pairs, _register(entry), at_ms, entry.record_id, gap_ms, traces.MOST_EVENTS)
            values = [gap for ms, _, gap in trace if at_ms - HABIT_MS < ms <= at_ms]
            pairs = len(values)
            close_ppm = sum(gap < CLOSE_MS for gap in values) * 1_000_000 // pairs
        if pairs <= 1 and per_minute <= FEW_A_MINUTE:
            return None
        return (
            "signing",
            common(entry) | {"keyid": keyid, "pairs": pairs, "close_ppm": close_ppm, "per_minute": per_minute},
        )


def _register(entry: Input) -> str:
    return f"{entry.holder}/{entry.site}/{entry.book}"


def _gap(confirmed: Sequence[dict[str, Any]]) -> int | None:
    """Milliseconds between the two nearest confirmations; None where there are not two."""
    if len(confirmed) < 2:
        return None
    times = sorted(unix_ms(confirmation["at"]) for confirmation in confirmed)
    return min((later - earlier for earlier, later in pairwise(times)), default=None)
