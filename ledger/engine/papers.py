"""Movements are judged by the papers that stood when they happened, whichever came first: the movement or the paper.

Papers are what movements are judged by: profiles, places, enrolled persons, licences and their endorsements. They stand in
books of their own, so that a paper may come after movements that it speaks of. Then those of the last HORIZON_MS are
judged again: each is withdrawn and taken in as it stands (as if it had been corrected to what it is) by the topics that judge
by papers of this kind. The records themselves are not kept; they are read from the log again, which is rare.

It is done by the next tick, a minute later at most, for all papers of a party at once: who sends a thousand papers among a
thousand movements has them judged again once, not a thousand times.

In the same way single records are judged again whose finding rested on another record that was corrected (`Topic.again`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from ledger.engine.inputs import Input, counterparty_of, happened_ms
from ledger.engine.lanes import HORIZON_MS
from ledger.engine.topics.base import Topic
from ledger.engine.topics.linked import Linked

PAPERS = frozenset({"profile", "place", "person", "licence", "endorse"})
AFTER_MS = 60_000
"""How long after a paper a tick is asked for."""
MOST_AGAIN = 128
"""Movements of one party that a paper has judged again, the newest: each costs a look into the log. Who has more of them in a
week and files papers late is judged by what had come."""


class PapersState(msgspec.Struct):
    """Party (who moved, or the enterprise it dealt with) -> (event ms, record_id) of movements, as they came."""

    movements: dict[str, list[tuple[int, str]]] = {}
    due: dict[str, list[str]] = {}
    """Party -> kinds of the papers by which its movements are to be judged again."""
    due_ms: int = 0
    again: dict[str, tuple[int, str]] = {}
    """record_id -> (event ms, the kind of topics' `papers` by which it is to be judged again)."""


class Papers:
    """Reads and writes one PapersState. Of `topics` those are asked that know whom a paper speaks of."""

    def __init__(self, state: PapersState, linked: Linked, topics: Sequence[Topic]) -> None:
        self._state = state
        self._linked = linked
        self._naming = [topic for topic in topics if type(topic).parties is not Topic.parties]

    def note(self, entry: Input) -> None:
        """A movement that papers may still come for."""
        item = (happened_ms(entry), entry.record_id)
        self._state.movements.setdefault(entry.holder, []).append(item)
        other = counterparty_of(entry.body)
        if other not in ("", entry.holder):
            self._state.movements.setdefault(other, []).append(item)

    def concerned(self, paper: Input) -> set[str]:
        """Whose movements a paper speaks of: its holder's, those of whom a topic knows besides, and of all that are one buyer
        with one of these.
        """
        body = paper.body["body"] if paper.kind == "correction" else paper.body
        named = [body.get("holder", paper.holder)]
        for topic in self._naming:
            named += topic.parties(paper)
        return {party for one in named for party in self._linked.party(one)}

    def came(self, kind: str, parties: Iterable[str], now_ms: int) -> None:
        """A paper that speaks of these parties' movements."""
        for party in sorted(parties):
            if party not in self._state.movements:
                continue
            self._wait(now_ms)
            kinds = self._state.due.setdefault(party, [])
            if kind not in kinds:
                kinds.append(kind)
                kinds.sort()

    def rested_on(self, kind: str, records: Mapping[str, int], now_ms: int) -> None:
        """Records (record_id -> event ms) that are to be judged again by the topics whose `papers` hold this kind."""
        self._wait(now_ms)
        self._state.again.update({record_id: (at_ms, kind) for record_id, at_ms in records.items()})

    def _wait(self, now_ms: int) -> None:
        if self.next_due() is None:
            self._state.due_ms = now_ms + AFTER_MS

    def next_due(self) -> int | None:
        """When records are to be judged again; None when none are."""
        return self._state.due_ms if self._state.due or self._state.again else None

    def take_due(self, now_ms: int) -> Iterator[tuple[str, set[str]]]:
        """(record_id, kinds of papers) of the records that are to be judged again, each once, in the order of event time."""
        found: dict[tuple[int, str], set[str]] = {}
        for party, kinds in self._state.due.items():
            lately = [item for item in self._state.movements.get(party, ()) if item[0] > now_ms - HORIZON_MS]
            for item in sorted(dict.fromkeys(lately))[-MOST_AGAIN:]:
                found.setdefault(item, set()).update(kinds)
        for record_id, (at_ms, kind) in self._state.again.items():
            if at_ms > now_ms - HORIZON_MS:
                found.setdefault((at_ms, record_id), set()).add(kind)
        self._state.due, self._state.again = {}, {}
        return ((record_id, found[at_ms, record_id]) for at_ms, record_id in sorted(found))

    def prune(self, now_ms: int) -> None:
        """Forget what no paper can come for any more."""
        for party, items in list(self._state.movements.items()):
            kept = [item for item in items if item[0] > now_ms - HORIZON_MS]
            if kept:
                self._state.movements[party] = kept
            else:
                del self._state.movements[party]
