"""The scenario as a real log on disk: signed records behind one another, each received when the scenario says so.

Made by the sequencer's own append, one group commit for many records; a fold beside it says when a tick is due, and what
the supervisor has to handle. No engine has run on such a log: whoever opens it lets one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ledger import flow
from ledger.adapters.store import open_stores
from ledger.append import Draft as Group
from ledger.append import append
from ledger.catalogue import Catalogue
from ledger.core.grants import grant_id
from ledger.core.keys import PrivateKey
from ledger.core.note import NoteSigner
from ledger.core.receipt import receipt_key_name
from ledger.core.submission import SUBMISSION_TYPE
from ledger.engine.alerts import Effects
from ledger.engine.alerts import Identity as Signing
from ledger.engine.fold import Fold
from ledger.engine.inputs import Input, parse_input
from ledger.engine.rules import RuleSet
from ledger.engine.state import FoldState
from ledger.evaluate import Evaluator, Platform, shipped_rules
from ledger.model import Appended, AuthenticRecord, Role, UnixMs
from ledger.ports import LogReader
from ledger.sequencer import Identity, Sequencer
from tests.kit import AUTHORITY, ISSUER, ORIGIN, MemoryGuard
from tests.scenario import clock
from tests.scenario.drafts import Draft
from tests.scenario.opening import OPENING_MS, PLATFORM
from tests.scenario.signed import SignedOutput
from tests.scenario.supervisor import Supervisor
from tests.scenario.world import World

_GROUP = 1000
_TICK_EVERY_MS = 60_000
_FILE = "scenario.json"


@dataclass(frozen=True, slots=True)
class Made:
    """What lies in a directory."""

    entries: int
    opening: int
    """Index of the first entry that was received in the year itself; before it everybody declares what he has."""
    last_ms: int
    """When the last entry was received."""
    holders: int


class Opened:
    """The log in a directory and who may go on with it. Time stands still at its last entry, so two runs are equal."""

    def __init__(self, state: Path) -> None:
        self.made = Made(**json.loads((state / _FILE).read_text()))
        self._open(state, UnixMs(self.made.last_ms))

    def _open(self, state: Path, now: UnixMs) -> None:
        self.now = now
        self.stores = open_stores("sqlite", state)
        self.stores.migrate()
        self.stores.log.bind_origin(ORIGIN)
        self.platform, log_key, receipt_key = (PrivateKey.from_ed25519_seed(bytes([n]) * 32) for n in (1, 2, 3))
        identity = Identity(
            origin=ORIGIN,
            issuer=ISSUER,
            platform=self.platform,
            log=NoteSigner(ORIGIN, log_key),
            receipt=NoteSigner(receipt_key_name(ORIGIN), receipt_key),
            lookup_key=b"k" * 32,
            zone=ZoneInfo(clock.ZONE_NAME),
        )
        self.sequencer = Sequencer(self.stores.log, identity, MemoryGuard(), clock=lambda: self.now, chain_head=None)
        self.door = flow.Door(ORIGIN, flow.Directory(self.stores.log), self.stores.log, self.sequencer)

    def evaluator(self, rules: RuleSet, classifier: Catalogue, log: LogReader | None = None, **more: Any) -> Evaluator:
        """An engine on it, or on what `log` shows of it; `more` as Evaluator takes it."""
        return Evaluator(
            log_reader=log or self.stores.log,
            store=self.stores.engine,
            appender=self.sequencer,
            admit=lambda envelope: flow.checked(envelope, SUBMISSION_TYPE, self.door),
            rules=rules,
            classifier=classifier,
            platform=Platform(ISSUER, self.platform.keyid),
            clock=lambda: self.now,
            **more,
        )

    def close(self) -> None:
        self.sequencer.close()
        self.stores.close()


def finish(evaluator: Evaluator) -> None:
    """Fold and send until nothing is left to do."""
    while evaluator.evaluate_once() or evaluator.status()["lag"]:
        pass


def make(state: Path, entries: int, *, scale: int = 1, rules: RuleSet | None = None) -> Made:
    """Write so many entries of the scenario into an empty directory, and a tick at the end; every `scale`-th holder only.

    `rules`: by which the supervisor is warned; the shipped ones unless said otherwise.
    """
    making = _Making(state, World(scale=scale), rules or shipped_rules())
    try:
        made = making.write(entries)
    finally:
        making.close()
    (state / _FILE).write_text(json.dumps(asdict(made)))
    return made


class _Making(Opened):
    """Its ticks do not cover the facts before them: such a log is for engines, not for an audit."""

    def __init__(self, state: Path, world: World, rules: RuleSet) -> None:
        self._open(state, UnixMs(OPENING_MS - clock.DAY))
        self._world = world
        self._signed = SignedOutput(ORIGIN)
        self._fold = Fold(
            FoldState(), rules, Catalogue.load(), Signing(ORIGIN, ISSUER, self.platform.keyid, rules.digest)
        )
        self._supervisor = Supervisor(world)
        self._inputs: dict[str, Input] = {}
        self._last_tick_ms = 0
        self._opening: int | None = None

    def write(self, entries: int) -> Made:
        world = self._world
        holders = [one.holder for one in (*world.cast.enterprises, *world.shops, world.rental)]
        # Each commit may only use keys that an earlier one has let in.
        self._commit(lambda draft: self._grant(draft, self.platform, ISSUER, Role.PLATFORM))
        enrolments = self._signed.enrolments(holders)
        self._commit(lambda draft: [self._grant(draft, one.key, one.holder, one.role) for one in enrolments])
        drafts = self._supervisor.among(world.drafts())
        while (size := int(self.stores.log.size())) < entries:
            self._commit(partial(self._group, drafts, min(_GROUP, entries - size)))
        self._commit(lambda draft: self._tick(draft, int(self.now)))
        return Made(int(self.stores.log.size()), self._opening or entries, int(self.now), world.holders)

    def _group(self, drafts: Iterator[Draft], most: int, draft: Group) -> None:
        while len(draft.entries) < most:
            one = next(drafts)
            while (due := self._fold.next_due()) is not None:
                at = max(due, self._last_tick_ms + _TICK_EVERY_MS)
                if at > one.received_ms:
                    break
                self._tick(draft, at)
            if self._opening is None and one.received_ms >= clock.START_MS:
                self._opening = int(draft.next_index())
            self._write(one, draft)

    def _write(self, one: Draft, draft: Group) -> None:
        self._at(draft, one.received_ms)
        if one.holder != PLATFORM:
            self._put(flow.checked(self._signed.sign(one).data, SUBMISSION_TYPE, self.door), draft)
        elif one.kind != "grant":
            self._own(draft, one.kind, one.book, one.body)

    def _tick(self, draft: Group, at_ms: int) -> None:
        self._at(draft, at_ms)
        self._last_tick_ms = max(int(self.now), self._last_tick_ms + 1)
        self._own(draft, "tick", "ticks", {"now": self._last_tick_ms, "facts": "0" * 64})

    def _grant(self, draft: Group, key: PrivateKey, holder: str, role: Role) -> None:
        body = {
            "g": grant_id(ORIGIN, key.keyid, holder, "", int(role)).hex(),
            "keyid": key.keyid,
            "spki": base64.b64encode(key.spki).decode(),
            "holder": holder,
            "scope": "",
            "role": int(role),
            "enroller": AUTHORITY,
            "enrolled_at": 0,
            "revoked_at": None,
            "block": {"number": 1, "hash": "0x" + "00" * 32, "time": OPENING_MS // 1000},
        }
        self._own(draft, "grant", "grants", body)

    def _at(self, draft: Group, ms: int) -> None:
        self.now = draft.now = UnixMs(max(ms, int(self.now)))

    def _own(self, draft: Group, kind: str, book: str, body: dict[str, Any]) -> None:
        self._put(self.sequencer._platform_record(kind, book, body, draft), draft)

    def _put(self, record: AuthenticRecord, draft: Group) -> None:
        (answer,) = append([record], draft)
        if isinstance(answer, Exception):
            raise answer
        entry = draft.entries[-1]
        found = self._inputs[record.record_id] = parse_input(entry.record, entry.facts)
        to = Effects()
        self._fold.step(self._fold.with_before(found, self._inputs.get), to)
        self._supervisor.see(to.raised)

    def _commit(self, work: Callable[[Group], object]) -> None:
        def built(draft: Group) -> list[Appended]:
            work(draft)
            return []

        self.sequencer.append_built(built, 1)
