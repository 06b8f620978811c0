"""What the one writer keeps in memory, and one group commit in the making."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from ledger.core.merkle import Frontier, node_hash
from ledger.core.note import NoteSigner
from ledger.core.tiles import TILE_WIDTH
from ledger.model import Grant, LeafIndex, RecordId, StoredRecord, TreeHead, TreeSize, UnixMs
from ledger.places import Bindings, Places
from ledger.ports import BookState, LogWriter, NewEntry, NewTile, Refused
from ledger.surrogates import Surrogates

BookKey = tuple[str, str, str]


@dataclass
class WriterState:
    """What the one writer keeps in memory; rebuilt from the store at start, advanced only after a commit."""

    frontier: Frontier
    level_tails: list[list[bytes]]
    """Per tile level, the hashes that do not fill a tile yet."""
    books: dict[BookKey, BookState]
    grants: dict[str, tuple[Grant, ...]]
    last_received: UnixMs
    places: Places = field(default_factory=Places)

    @classmethod
    def load(cls, store: LogWriter) -> WriterState:
        """Rebuild from stored tiles and leaf hashes: O(log size), at most 255 hashes a level."""
        size = int(store.size())
        tails: list[list[bytes]] = []
        count, level = size, 0
        while True:
            ragged = count % TILE_WIDTH
            row = store.hash_tile(level, count // TILE_WIDTH, ragged) if ragged else b""
            tails.append([row[i : i + 32] for i in range(0, len(row), 32)])
            if count < TILE_WIDTH:
                break
            count, level = count // TILE_WIDTH, level + 1
        places = Places()
        places.catch_up(store)
        return cls(
            frontier=_frontier_of(size, tails),
            level_tails=tails,
            books={},
            grants=by_keyid(store.grants()),
            last_received=store.last_received(),
            places=places,
        )

    def head(self) -> TreeHead:
        return TreeHead(TreeSize(self.frontier.size), self.frontier.root())

    def by_keyid(self, keyid: str) -> tuple[Grant, ...]:
        """Implements ports.GrantDirectory, for platform entries that are checked in this process."""
        return self.grants.get(keyid, ())


@dataclass
class Draft:
    """One group commit in the making. Nothing in it is visible until `commit`."""

    state: WriterState
    store: LogWriter
    receipt_signer: NoteSigner
    origin: str
    now: UnixMs
    merge_delay_ms: int
    lookup_key: bytes = field(repr=False)
    """Finds the surrogate of a disclosed value again (ledger/core/facts.py)."""
    zone: tzinfo
    """Of the county: the day on which somebody is of age."""
    entries: list[NewEntry] = field(default_factory=list)
    books: dict[BookKey, BookState] = field(default_factory=dict)
    grants: dict[str, tuple[Grant, LeafIndex]] = field(default_factory=dict)
    places: dict[str, Bindings] = field(default_factory=dict)
    """Of the holders whose `place` this commit takes in."""
    refused: list[Refused] = field(default_factory=list)
    late_disclosures: list[tuple[RecordId, str, str, str]] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    drafted: dict[RecordId, StoredRecord] = field(default_factory=dict)
    brought: dict[RecordId, list[str]] = field(default_factory=dict)
    """Disclosures that this commit takes in, by record: they are not in the store yet."""
    surrogates: Surrogates = field(init=False)

    def __post_init__(self) -> None:
        self.surrogates = Surrogates(self.store, self.lookup_key, self.erased)

    def book(self, key: BookKey) -> BookState | None:
        """The book's head as this batch would leave it."""
        state = self.books.get(key) or self.state.books.get(key)
        if state is None:
            state = self.store.book_state(*key)
            if state is not None:
                self.state.books[key] = state
        return state

    def bindings(self, holder: str) -> Bindings:
        """What the holder's stores are bound to, as this batch would leave it."""
        return self.places.get(holder) or self.state.places.of(holder)

    def next_index(self) -> LeafIndex:
        return LeafIndex(self.state.frontier.size + len(self.entries))


def grow(tails: list[list[bytes]], index: int, leaf: bytes) -> Iterable[NewTile]:
    """Add one leaf to the tile rows; yield every tile that it completes, the level above included."""
    level, n, value = 0, index, leaf
    while True:
        if level == len(tails):
            tails.append([])
        row = tails[level]
        row.append(value)
        if len(row) < TILE_WIDTH:
            return
        n //= TILE_WIDTH
        value = _fold(row)
        yield NewTile(level=level, n=n, hashes=b"".join(row), root=value)
        tails[level] = []
        level += 1


def _fold(row: Sequence[bytes]) -> bytes:
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def _frontier_of(size: int, tails: list[list[bytes]]) -> Frontier:
    """The compact range of a tree whose tiles' ragged rows are `tails`, level 0 first."""
    edge: list[bytes] = []
    for row in reversed(tails):
        at = 0
        while at < len(row):
            width = 1 << ((len(row) - at).bit_length() - 1)
            edge.append(_fold(row[at : at + width]))
            at += width
    return Frontier.from_bytes(size.to_bytes(8, "big") + b"".join(edge))


def by_keyid(grants: Iterable[Grant]) -> dict[str, tuple[Grant, ...]]:
    found: dict[str, tuple[Grant, ...]] = {}
    for grant in grants:
        found[grant.keyid] = (*found.get(grant.keyid, ()), grant)
    return found
