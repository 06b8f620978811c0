"""Everything the fold remembers, as msgspec structs: one value, snapshotted whole, the same bytes for the same history.

Dicts keep the order in which the fold filled them, so encoding needs no sorting to be deterministic.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from ledger.engine.courses import Course
from ledger.engine.lanes import WatchState
from ledger.engine.life import InhibitionState, LifeState
from ledger.engine.papers import PapersState
from ledger.engine.register import RegisterState
from ledger.engine.revocations import RevocationState
from ledger.engine.topics.accountancy import AccountancyState
from ledger.engine.topics.allowances import AllowancesState
from ledger.engine.topics.closures import ClosuresState
from ledger.engine.topics.combinations import CombinationsState
from ledger.engine.topics.custody import CustodyState
from ledger.engine.topics.discipline import DisciplineState
from ledger.engine.topics.filings import FilingsState
from ledger.engine.topics.flows import FlowsState
from ledger.engine.topics.habits import HabitsState
from ledger.engine.topics.handling import HandlingState
from ledger.engine.topics.identities import IdentitiesState
from ledger.engine.topics.licences import LicencesState
from ledger.engine.topics.linked import LinkedState
from ledger.engine.topics.links import LinksState
from ledger.engine.topics.processes import ProcessesState
from ledger.engine.topics.purchases import PurchasesState
from ledger.engine.topics.refusals import RefusalsState
from ledger.engine.topics.rental import RentalState
from ledger.engine.topics.roster import RosterState
from ledger.engine.topics.runs import RunsState
from ledger.engine.topics.stocktaking import StocktakingState
from ledger.engine.topics.storage import StorageState
from ledger.engine.topics.transfers import TransfersState

STATE_VERSION = 9

Move = tuple[int, int, int, int, int, str]
"""(event_ms, 0 for in and 1 for out, index, amount, pieces, store); sorts ins before outs of the same instant."""


class Count(msgspec.Struct, array_like=True):
    """What the last complete stock-take said of one balance key, and what the book said at its cut-off."""

    record_id: str
    index: int
    cutoff_ms: int
    book: int
    counted: int
    book_pieces: int
    counted_pieces: int
    before: int
    """Counted at the stock-take before this one."""
    came: int
    went: int
    random_ppm: int
    systematic_ppm: int
    opening: bool = False
    """The book's first: there was nothing to compare with."""


class Account(msgspec.Struct, array_like=True):
    """One balance key of one book: what was counted, and the moves since."""

    start: int
    """Amount at the beginning of `moves`: the counted amount, plus moves folded away."""
    start_pieces: int
    total: int
    total_pieces: int
    lowest: int
    """Least amount at any moment since the count, in event-time order."""
    lowest_pieces: int
    start_lowest: int
    start_lowest_pieces: int
    came: int = 0
    went: int = 0
    resolution: int = 0
    as_of_ms: int = 0
    moves: list[Move] = []
    stores: dict[str, int] = {}
    last: Count | None = None
    categories: list[str] = []
    listing: str = ""
    """The catalogue's row of the newest line."""
    density_g_per_l: int = 0
    """To be assumed of a volume: the densest that a line of it was taken for; 0 where of none one is known."""


class Book(msgspec.Struct, array_like=True):
    """One stock register."""

    base_ms: int = -1
    """Cut-off of the last complete stock-take; -1 before the first."""
    base_record: str = ""
    base_index: int = -1
    previous_base_index: int = -1
    previous_base_ms: int = -1
    accounts: dict[str, Account] = {}
    unposted: dict[str, int] = {}
    """record_ids of movements beyond what can be summed, which the balance does not have -> their index."""


class Store(msgspec.Struct, array_like=True):
    """One room, cabinet or tank. `capacity` is None until a `place` record states it."""

    book: str = ""
    capacity: int | None = None
    dimension: str = "mass"
    stock: dict[str, int] = {}
    """By dimension, as it was measured: mass and volume are never added here."""
    contents: dict[str, int] = {}
    """By balance key; without the keys of which nothing is there."""
    as_of_ms: int = 0
    """The newest moment that it was told of."""
    due_ms: int = 0
    """When what may lie there changes by itself; 0: never."""
    record_id: str = ""
    """The newest record that told of it."""
    limited: list[tuple[str, str]] = []
    """(code, category) of goods of which it was told last how much may lie there."""


class Pending(msgspec.Struct, array_like=True):
    """One (rule, fingerprint): which bands' conditions are true since when, and the episode that is open."""

    since: dict[int, int] = {}
    """Band -> received ms since when its condition has been true without a break."""
    active: bool = False
    """A band held at the last row of a level subject."""
    last_held_ms: int = -1
    alert_id: str = ""
    alert_record: str = ""
    """record_id of the newest alert entry of the episode."""
    alerted_band: int = -1
    row: dict[str, Any] = {}
    """The last row, kept only while a timer waits on it."""
    band: int = -1
    """The one that holds, while it is active."""
    from_ms: int = -1
    """Since when (received) it has been active, or said to be this bad."""
    was_so: bool = False
    """It ended once, since it was alerted, by what happened after it was said."""


class Timer(msgspec.Struct, array_like=True):
    """Fires at the first tick whose now >= due_ms; ordered by (due_ms, id)."""

    due_ms: int
    rule: str
    fingerprint: str


class Health(msgspec.Struct, array_like=True):
    """What one rule has done so far."""

    last_index: int = -1
    evaluations: int = 0
    alerts: int = 0
    error: str = ""
    """The last error, until it has worked for RECOVERED_MS since."""
    error_ms: int = 0


RECOVERED_MS = 3_600_000


class FoldState(msgspec.Struct):
    """The whole state after every entry below `next_index`."""

    version: int = STATE_VERSION
    next_index: int = 0
    now_ms: int = 0
    """Greatest received time or tick seen."""
    books: dict[str, Book] = {}
    stores: dict[str, Store] = {}
    register: RegisterState = msgspec.field(default_factory=RegisterState)
    transfers: TransfersState = msgspec.field(default_factory=TransfersState)
    licences: LicencesState = msgspec.field(default_factory=LicencesState)
    refusals: RefusalsState = msgspec.field(default_factory=RefusalsState)
    custody: CustodyState = msgspec.field(default_factory=CustodyState)
    identities: IdentitiesState = msgspec.field(default_factory=IdentitiesState)
    roster: RosterState = msgspec.field(default_factory=RosterState)
    links: LinksState = msgspec.field(default_factory=LinksState)
    rental: RentalState = msgspec.field(default_factory=RentalState)
    filings: FilingsState = msgspec.field(default_factory=FilingsState)
    flows: FlowsState = msgspec.field(default_factory=FlowsState)
    discipline: DisciplineState = msgspec.field(default_factory=DisciplineState)
    storage: StorageState = msgspec.field(default_factory=StorageState)
    closures: ClosuresState = msgspec.field(default_factory=ClosuresState)
    accountancy: AccountancyState = msgspec.field(default_factory=AccountancyState)
    allowances: AllowancesState = msgspec.field(default_factory=AllowancesState)
    processes: ProcessesState = msgspec.field(default_factory=ProcessesState)
    stocktaking: StocktakingState = msgspec.field(default_factory=StocktakingState)
    linked: LinkedState = msgspec.field(default_factory=LinkedState)
    purchases: PurchasesState = msgspec.field(default_factory=PurchasesState)
    habits: HabitsState = msgspec.field(default_factory=HabitsState)
    combinations: CombinationsState = msgspec.field(default_factory=CombinationsState)
    runs: RunsState = msgspec.field(default_factory=RunsState)
    papers: PapersState = msgspec.field(default_factory=PapersState)
    watches: WatchState = msgspec.field(default_factory=WatchState)
    corrected: dict[str, str] = {}
    """record_id of a record that was corrected -> record_id of its newest correction.

    Never forgotten, so it grows by some 130 bytes for each record that is ever corrected. A correction may come years later,
    and what stood until then is what it withdraws: with the pair forgotten it would withdraw the first words in place of the
    last, and balances would be wrong for good. To find the last words in the log instead takes an index by what corrections
    correct, which replay, back-test and auditor would each have to make first.
    """
    corrected_facts: dict[str, dict[str, Any]] = {}
    """record_id of a record that was corrected more than once -> its facts as they stand, where it has any."""
    revocations: RevocationState = msgspec.field(default_factory=RevocationState)
    pruned_ms: int = 0
    pending: dict[str, dict[str, Pending]] = {}
    courses: dict[str, dict[str, Course]] = {}
    """Rule -> fingerprint, of the rules about what happened."""
    timers: dict[str, Timer] = {}
    life: LifeState = msgspec.field(default_factory=LifeState)
    handling: HandlingState = msgspec.field(default_factory=HandlingState)
    inhibition: InhibitionState = msgspec.field(default_factory=InhibitionState)
    health: dict[str, Health] = {}
    ruleset: str = ""
    """Digest in the newest `ruleset` entry."""
    own_seq: int = 0
    own_prev: str | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(FoldState)


def book_key(holder: str, site: str, book: str) -> str:
    """A book's (or a store's) name in the state. None of the parts can hold a slash."""
    return f"{holder}/{site}/{book}"


def encode_state(state: FoldState) -> bytes:
    """The snapshot: msgpack, deterministic for a given history."""
    return _encoder.encode(state)


def decode_state(data: bytes) -> FoldState | None:
    """The state of a snapshot, or None when an earlier version of the engine wrote it: then fold again from 0."""
    try:
        state = _decoder.decode(data)
    except msgspec.DecodeError:
        return None
    return state if state.version == STATE_VERSION else None


def state_digest(state: FoldState) -> str:
    """Hex SHA-256 of the snapshot: what `replay` compares."""
    return hashlib.sha256(encode_state(state)).hexdigest()
