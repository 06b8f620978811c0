"""The demonstration's world: enterprises with keys and books, their opening, and an endless stream of what they do.

Everything but keys, nonces, salts and signatures is a function of (seed, clock). What was made is in the world's own
journal before anybody sees it, so a world that was killed at any point goes on with the same bytes and never forks its
own books.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from ledger.adapters.files import write_whole
from ledger.client.book import Book, Head, Signed
from ledger.core.keys import ED25519, ES256, PrivateKey
from ledger.demo import SIMULATED, acts
from ledger.demo.acts import DAY_MS, Act, Turn
from ledger.demo.facilities import AUTHORITY, enterprises_of, read_facilities
from ledger.demo.journal import Journal, Line
from ledger.demo.planted import Cast, Planted, cast
from ledger.demo.state import ACCEPTED, Place, State
from ledger.demo.traffic import Traffic
from ledger.errors import ConfigError
from ledger.model import Role

VERSION = 1
SETTINGS = "world.json"
KEYS = "keys.json"
OPENED_BEFORE_MS = 7 * DAY_MS
"""Papers are a week old, and the counts of cases with a past, so that there is room for it."""
COUNTED_BEFORE_MS = DAY_MS
"""All else was counted yesterday: what lies there for a week and is not counted would be overdue."""
WITH_A_PAST = frozenset({"B02"})
PLANT_EVERY = 3
"""Every third turn plants a case, until all are."""
AHEAD = 8
"""Turns that are journalled with one sync."""
ENDORSEMENTS: Place = (AUTHORITY, "hq", "endorsements")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the authority has to enrol before the opening is sent."""

    name: str
    holder: str
    """Credit code, or the licensing authority's name."""
    spki: bytes
    scope: str
    role: Role


@dataclass(frozen=True, slots=True)
class Item:
    """One submission on its way. `answer` is what the log will say: accepted, repeat, or the code of its refusal."""

    n: int
    submission: bytes
    record_id: str
    place: Place
    seq: int
    kind: str
    answer: str
    label: str
    """Id of the planted case that this belongs to, or empty."""


class World:
    """One world in one directory. One process at a time."""

    def __init__(
        self,
        seed: int,
        state_dir: Path,
        *,
        log: str,
        facilities: int | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        """`log` is the origin that the records name. `facilities` takes only the first so many; `clock` gives unix ms.

        Raises: ConfigError when the directory holds another world (seed, log or number of facilities differ).
        """
        self._clock = clock or (lambda: time.time_ns() // 1_000_000)
        self._directory = state_dir
        self.seed, self.log = seed, log
        self.enterprises = enterprises_of(read_facilities()[:facilities])
        # First, because it takes the directory's lock.
        self._journal = Journal(state_dir)
        try:
            self._open_state()
        except BaseException:
            self._journal.close()
            raise

    def _open_state(self) -> None:
        self.start_ms = self._settle()
        self._keys = self._load_keys()
        self._cast: Cast = cast(self.enterprises)
        self._traffic = Traffic([e for e in self.enterprises if e.holder not in self._cast.holders])
        self.state = self._recall()
        self._last_tick = self.state.last_ms

    # --- what the demo asks ------------------------------------------------------------------------------------------

    def enrolments(self) -> list[Enrolment]:
        """Everybody who signs here: one key each, for all of their books."""
        listed = [
            Enrolment(e.facility.name, e.holder, self._keys[e.holder].spki, "", Role.ENTERPRISE)
            for e in self.enterprises
        ]
        authority = self._keys[AUTHORITY].spki
        return [*listed, Enrolment("Licensing authority (simulated)", AUTHORITY, authority, "", Role.AUTHORITY)]

    def opening(self) -> Iterator[bytes]:
        """The submissions of the opening that were not delivered yet, in the order to send them.

        Profiles, places, persons, licences and their endorsements, and one complete stock-take of the real quantity for each
        book. Call `opening_delivered` once all are answered.
        """
        if self.state.items == 0:
            self._open()
        delivered = self._journal.delivered()
        for line in list(self._journal.lines()):
            if line["turn"] < 0 and line["n"] >= delivered:
                yield line["submission"].encode()

    def opening_delivered(self) -> None:
        """Every submission of the opening was answered with a receipt."""
        opened = sum(1 for line in self._journal.lines() if line["turn"] < 0)
        self._journal.set_delivered(max(self._journal.delivered(), opened))

    def stream(self) -> Iterator[Item]:
        """Endless: first what was made before and not delivered, then turn after turn. Call `opening` before."""
        delivered = self._journal.delivered()
        for line in list(self._journal.lines()):
            if line["turn"] >= 0 and line["n"] >= delivered:
                yield _item(line)
        while True:
            for line in self._advance():
                yield _item(line)

    def delivered(self, item: Item) -> None:
        """Note that `item` and all before it were answered; they are not sent again after a restart."""
        self._journal.set_delivered(item.n + 1)

    @property
    def planted(self) -> list[Planted]:
        """Every planted case, with the record_ids that it has sent so far."""
        return [case.with_records(self.state.planted.get(case.id, [])) for case in self._cast.planted]

    @property
    def simulated(self) -> dict[str, str]:
        """{"zh", "en"}: what here is real and what is simulated."""
        return dict(SIMULATED)

    def close(self) -> None:
        """Let go of the directory."""
        self._journal.close()

    # --- the opening -------------------------------------------------------------------------------------------------

    def _opening_turns(self, licences: list[Line]) -> Iterator[Turn]:
        """`licences` is filled by the caller with the lines of those already signed: endorsements name their records."""
        rng = Random(f"{self.seed}/opening")  # noqa: S311 - a simulation wants to be repeatable
        ms = self.start_ms - OPENED_BEFORE_MS
        year = acts.year_of(self.start_ms)
        for enterprise in self.enterprises:
            ms += 1000
            listed = [acts.profile(enterprise, ms, rng), acts.site(enterprise, ms + 1, rng)]
            # Whoever keeps listed goods has enrolled who handles them (Decree 591 art. 4).
            keepers = acts.KEEPERS if enterprise.licensed else ()
            listed += [acts.person(enterprise, ref, ms + 3 + at, rng) for at, ref in enumerate(keepers)]
            listed.append(acts.filing(enterprise, ms + 2, f"{year - 1}-01-01", f"{year + 2}-12-31"))
            licence = self._cast.licence_of(enterprise, year, ms + 3)
            if licence is not None:
                listed.append(licence)
            if not self._cast.is_without_papers(enterprise):
                listed.append(acts.statement(enterprise, ms + 8, f"{year + 2}-12-31"))
            yield Turn(listed)
        for at, line in enumerate(licences):
            body = {"record_id": line["record_id"], "holder": line["place"][0]}
            yield Turn([Act(ENDORSEMENTS, "endorse", body, ms + 1000 + at)])
        old = self._cast.places_of(WITH_A_PAST)
        lately = self.start_ms - COUNTED_BEFORE_MS
        for enterprise in self.enterprises:
            ms += 1000
            lately += 1000
            listed = []
            for at, store in enumerate(enterprise.stores):
                place = enterprise.place(store)
                if place not in self._cast.unopened:
                    counted_ms = (ms if place in old else lately) + at
                    listed.append(acts.stocktake(enterprise, store, store.opening_mg, store.opening_pieces, counted_ms))
            yield Turn(listed)

    def _open(self) -> None:
        made: list[list[Line]] = []
        licences: list[Line] = []
        for turn in self._opening_turns(licences):
            lines = self._sign_turn(turn, -1)
            licences += [line for line in lines if line["kind"] == "licence"]
            made.append(lines)
            for line in lines:
                self.state.apply(line)
        # One turn, so that a crash leaves all of the opening or nothing.
        self._journal.write([[line for lines in made for line in lines]])

    # --- turns -------------------------------------------------------------------------------------------------------

    def _advance(self) -> list[Line]:
        """Make the next turns, durable before anybody sees them."""
        made: list[list[Line]] = []
        state = self.state
        for _ in range(AHEAD):
            rng = Random(f"{self.seed}/{state.turn}")  # noqa: S311 - as above
            at, rest = divmod(state.turn, PLANT_EVERY)
            if rest == PLANT_EVERY - 1 and at < len(self._cast.planted):
                turn = self._cast.turn(at, state, rng, self._tick)
            else:
                turn = self._traffic.turn(state, rng, self._tick)
            lines = self._sign_turn(turn, state.turn)
            made.append(lines)
            for line in lines:
                state.apply(line)
        self._journal.write(made)
        self._journal.compact(state.to_json())
        return [line for turn_lines in made for line in turn_lines]

    def _tick(self) -> int:
        self._last_tick = max(self._last_tick + 1, self.state.last_ms + 1, self._clock())
        return self._last_tick

    def _sign_turn(self, turn: Turn, number: int) -> list[Line]:
        """The journal lines of a turn, signed; the state does not move."""
        heads: dict[Place, Head] = {}
        before: list[Head] = []
        signed: list[Signed] = []
        for act in turn.acts:
            head = heads.get(act.place) or self.state.book(act.place).head
            if act.rival is not None:
                head = before[act.rival]
            before.append(head)
            made = self._sign(act, head)
            signed.append(made)
            heads[act.place] = made.head
        sends = turn.sends if turn.sends is not None else [(at, ACCEPTED) for at in range(len(signed))]
        return [
            _line(self.state.items + n, number, turn, turn.acts[at], signed[at], answer)
            for n, (at, answer) in enumerate(sends)
        ]

    def _sign(self, act: Act, head: Head) -> Signed:
        holder, site, name = act.place
        book = Book(log=self.log, holder=holder, site=site, book=name, signers=[self._keys[holder]], head=head)
        return book.build(
            act.kind, act.body, event_time=acts.local_time(act.ms), disclosures=act.disclosures, ext=act.ext
        )

    # --- what is on disk ---------------------------------------------------------------------------------------------

    def _settle(self) -> int:
        """Read or write the world's settings; when it began, unix ms."""
        path = self._directory / SETTINGS
        wanted = {"version": VERSION, "seed": self.seed, "log": self.log, "facilities": len(self.enterprises)}
        if path.exists():
            found: dict[str, Any] = json.loads(path.read_text("utf-8"))
            start_ms: int = found.pop("start_ms")
            if found != wanted:
                raise ConfigError(
                    f"{self._directory} holds another world: {found}, not {wanted}; choose an empty directory"
                )
            return start_ms
        start_ms = self._clock()
        write_whole(path, json.dumps({**wanted, "start_ms": start_ms}).encode())
        return start_ms

    def _load_keys(self) -> dict[str, PrivateKey]:
        """One key a holder. They lie unencrypted: they sign nothing but this simulation."""
        path = self._directory / KEYS
        if not path.exists():
            made = {
                e.holder: PrivateKey.generate(ED25519 if e.number % 4 == 0 else ES256) for e in self.enterprises
            } | {AUTHORITY: PrivateKey.generate(ED25519)}
            stored = {holder: base64.b64encode(key.to_pkcs8()).decode() for holder, key in made.items()}
            write_whole(path, json.dumps({"simulated": True, "keys": stored}).encode())
        stored = json.loads(path.read_bytes())["keys"]
        return {holder: PrivateKey.from_pkcs8(base64.b64decode(text)) for holder, text in stored.items()}

    def _recall(self) -> State:
        snapshot = self._journal.snapshot()
        state = State() if snapshot is None else State.from_json(snapshot)
        for line in self._journal.lines():
            if line["n"] >= state.items:
                state.apply(line)
        return state


def _line(n: int, number: int, turn: Turn, act: Act, signed: Signed, answer: str) -> Line:
    return {
        "n": n,
        "turn": number,
        "ms": act.ms,
        "place": list(act.place),
        "seq": signed.payload.seq,
        "kind": act.kind,
        "record_id": signed.record_id,
        "answer": answer,
        "label": turn.label,
        "effects": [list(effect) for effect in act.effects],
        "submission": signed.submission.decode("utf-8"),
    }


def _item(line: Line) -> Item:
    holder, site, book = line["place"]
    return Item(
        n=line["n"],
        submission=line["submission"].encode("utf-8"),
        record_id=line["record_id"],
        place=(holder, site, book),
        seq=line["seq"],
        kind=line["kind"],
        answer=line["answer"],
        label=line["label"],
    )
