"""Where the world is: heads and stocks of its books, goods on the way, what was planted. Plain data, folded from turns.

The state is a function of the turns taken so far and of nothing else, so a world that was killed folds its journal again
and stands where it stood.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ledger.client.book import Head
from ledger.model import RecordId, UnixMs

Place = tuple[str, str, str]
"""(holder, site, book)."""

ACCEPTED = "accepted"


@dataclass(slots=True)
class BookState:
    """One book. `day` is the local day of its last stock record, `closed` the last day that a close record covers.

    `error_mg` is by how much the last count read too much: the next one does not repeat it.
    """

    seq: int = 0
    prev: str | None = None
    mg: int = 0
    pieces: int = 0
    error_mg: int = 0
    day: str = ""
    closed: str = ""

    @property
    def head(self) -> Head:
        return Head(self.seq, RecordId(self.prev) if self.prev else None)


@dataclass(slots=True)
class Transit:
    """Goods on the way, or a part of them that will come back: what the other end has to record, and from which turn on."""

    consignment: str
    sender: list[str]
    receiver: list[str]
    reason: str
    mg: int
    pieces: int
    due_turn: int
    returns: bool = False


@dataclass(slots=True)
class State:
    """Everything that goes on from one turn to the next."""

    turn: int = 0
    """Turns of the stream taken."""
    items: int = 0
    """Submissions made, the opening's included."""
    last_ms: int = 0
    """Event time of the newest record: the next one's is later."""
    books: dict[str, BookState] = field(default_factory=dict)
    transits: list[Transit] = field(default_factory=list)
    planted: dict[str, list[str]] = field(default_factory=dict)
    """Planted case -> record_ids of what it sent."""

    def book(self, place: Place) -> BookState:
        return self.books.setdefault("/".join(place), BookState())

    def apply(self, line: dict[str, Any]) -> None:
        """Fold one journal line (see `Item.line`)."""
        self.items = line["n"] + 1
        self.turn = max(self.turn, line["turn"] + 1)
        self.last_ms = max(self.last_ms, line["ms"])
        if line["label"]:
            self.planted.setdefault(line["label"], []).append(line["record_id"])
        if line["answer"] != ACCEPTED:
            return
        book = self.book(tuple(line["place"]))
        book.seq, book.prev = line["seq"], line["record_id"]
        for effect, *values in line["effects"]:
            if effect == "move":
                book.mg, book.pieces, book.day = book.mg + values[0], book.pieces + values[1], values[2]
            elif effect == "count":
                book.mg, book.pieces, book.day = values[0], values[1], values[2]
                book.error_mg = values[3] if len(values) > 3 else 0
            elif effect == "close":
                book.closed = values[0]
            elif effect == "sent":
                self.transits.append(Transit(**values[0]))
            elif effect == "arrived":
                self.transits = [t for t in self.transits if t.consignment != values[0]]
            else:
                raise ValueError(f"unknown effect {effect}")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(document: dict[str, Any]) -> State:
        return State(
            turn=document["turn"],
            items=document["items"],
            last_ms=UnixMs(document["last_ms"]),
            books={name: BookState(**book) for name, book in document["books"].items()},
            transits=[Transit(**transit) for transit in document["transits"]],
            planted=document["planted"],
        )
