"""One stream of material from count to count: what came, went and was declared lost between, and what that leaves.

No subject, no rule: integers in, integers out, as `accounts` is for the books. A stream is (holder, site, book, code,
listing's band, form, packaging, dimension). Late and corrected movements find the interval that they happened in, however
old within KEEP balances, and what follows from it is derived again.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise

import msgspec

from ledger.engine.periods import PACKED, Period, Taken, pack, unpack
from ledger.engine.statistics import Balance, Factor, Measured, Standing, Sums, advance, clamp

KEEP = 64
"""Balances that a stream can still derive again: more than a year of weekly counts, two months of daily ones."""
SLACK = 32
"""They are forgotten so many at a time: rarely, and not at every count."""
RECENT = 3
"""Newest periods that are never packed by a count; it takes PACKED more until some are."""
WHOLE = 2
"""Standings of a stream that are remembered whole."""
MAX_FLOWS = 256
"""Moves since the last count that are held one by one; above it the older half becomes one sum."""
MAX_LOSSES = 32
LIMIT = 10**18
"""As `ranges.LIMIT`: no sum leaves the 64 bits of the snapshot."""

MOVED, STATED = 1, 2
"""Of a balance: something flowed; its errors are the enterprise's own words."""
_NO_Y = -(2**63)
"""In a column of SITMUF values: there is none."""

Flow = tuple[int, int, int, int, int]
"""(event_ms, came, went, declared lost, pieces that came less those that left)."""


class Stream(msgspec.Struct, array_like=True):
    """Counts and flows. The first period is only a beginning: what flowed before it belongs to nobody any more."""

    categories: list[str] = []
    volatile: bool = False
    periods: list[Period] = []
    """The newest, ascending; before them come those of `old`. Numbers of periods count both."""
    forgotten: int = 0
    """Balances before the first period."""
    factor: list[str] = []
    """Covariance, pivot and residual of the last forgotten balance; as text, since they pass 64 bits."""
    sums: list[int] = []
    """Page's sums after it."""
    open: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0, 0])
    """Came, went, lost, net pieces since the last count."""
    flows: list[Flow] = []
    """Of these, the moves after flows_ms one by one, by event time: a cut-off may still come to lie between them."""
    flows_ms: int = -1
    losses: list[tuple[int, int]] = []
    """(event_ms, amount) of the newest declared losses, by event time."""
    old: list[bytes] = []
    """Packets of PACKED periods each, ascending (`periods.pack`)."""


def number(stream: Stream) -> int:
    """How many periods are held: one more than balances."""
    return len(stream.old) * PACKED + len(stream.periods)


def held(stream: Stream) -> list[Period]:
    """All periods. The packed ones are copies, to be read."""
    return [*unpack(stream.old), *stream.periods] if stream.old else stream.periods


def period_at(stream: Stream, at: int) -> Period:
    """Period number `at` >= 0, to be read."""
    packed = len(stream.old) * PACKED
    if at >= packed:
        return stream.periods[at - packed]
    return unpack(stream.old[at // PACKED : at // PACKED + 1])[at % PACKED]


def to_change(stream: Stream, at: int) -> Period:
    """Period number `at` >= 0, to be changed: neither it nor a later one is packed, until the next count."""
    whole = at // PACKED
    if whole < len(stream.old):
        stream.periods[:0] = unpack(stream.old[whole:])
        del stream.old[whole:]
    return stream.periods[at - len(stream.old) * PACKED]


def _fold(stream: Stream) -> None:
    """Pack what is not recent."""
    periods = stream.periods
    while len(periods) >= RECENT + PACKED:
        stream.old.append(pack(periods[:PACKED]))
        del periods[:PACKED]


def book_amount(stream: Stream) -> int:
    """What should be there now."""
    came, went, lost, _ = stream.open
    return (stream.periods[-1].counted if stream.periods else 0) + came - went - lost


def add(stream: Stream, flow: Flow, sign: int = 1) -> int | None:
    """Take a move in, or out again with sign -1.

    Returns: the number of the period whose balance it changes; None while no count has closed it, and where it happened before
    all that is held.

    Raises: OverflowError where a sum would leave the range of the snapshot; nothing is changed then.
    """
    event_ms = flow[0]
    periods = stream.periods
    if not periods or event_ms > periods[-1].taken.cutoff_ms:
        stream.open = _more(stream.open, flow, sign)
        _hold(stream, flow, sign)
        return None
    while stream.old and event_ms <= periods[0].taken.cutoff_ms:
        to_change(stream, len(stream.old) * PACKED - 1)
    packed = len(stream.old) * PACKED
    at = bisect_left(periods, event_ms, key=lambda period: period.taken.cutoff_ms)
    if at == 0:
        return None
    _put(periods[at], _more(_sums(periods[at]), flow, sign))
    return packed + at


def _hold(stream: Stream, flow: Flow, sign: int) -> None:
    if flow[0] <= stream.flows_ms:
        return
    if sign < 0:
        if flow in stream.flows:
            stream.flows.remove(flow)
        return
    insort(stream.flows, flow)
    if len(stream.flows) > MAX_FLOWS:
        stream.flows_ms = stream.flows[MAX_FLOWS // 2 - 1][0]
        stream.flows = [held for held in stream.flows if held[0] > stream.flows_ms]


def _more(sums: list[int], flow: Flow, sign: int) -> list[int]:
    came, went, lost, net_pieces = sums
    more = [came + sign * flow[1], went + sign * flow[2], lost + sign * flow[3], net_pieces + sign * flow[4]]
    if max(more) > LIMIT or min(more) < -LIMIT:
        raise OverflowError
    return more


def _sums(period: Period) -> list[int]:
    return [period.came, period.went, period.lost, period.net_pieces]


def _put(period: Period, sums: list[int]) -> None:
    period.came, period.went, period.lost, period.net_pieces = sums


def count(stream: Stream, period: Period) -> None:
    """Close the open interval by a complete stock-take; moves after its cut-off stay open.

    A cut-off before the last one counts as the last one's: nothing is settled twice. Moves that are no longer held one by
    one count as before it.
    """
    if stream.periods and period.taken.cutoff_ms < (last_ms := stream.periods[-1].taken.cutoff_ms):
        period.taken = msgspec.structs.replace(period.taken, cutoff_ms=last_ms)
    after = [flow for flow in stream.flows if flow[0] > period.taken.cutoff_ms]
    still_open = [sum(flow[part] for flow in after) for part in (1, 2, 3, 4)]
    _put(period, [was - still for was, still in zip(stream.open, still_open, strict=True)])
    stream.open, stream.flows, stream.flows_ms = still_open, after, -1
    stream.periods.append(period)
    _fold(stream)


def uncount(stream: Stream, at: int) -> None:
    """Take a stock-take out again; what it closed flows into the interval after it.

    Of the first nothing flows on: the next count is the beginning then.
    """
    gone = to_change(stream, at)
    after = stream.periods.index(gone)
    del stream.periods[after]
    if at == 0:
        stream.factor, stream.sums = [], []
        if stream.periods:
            _put(stream.periods[0], [0, 0, 0, 0])
    elif after < len(stream.periods):
        _put(stream.periods[after], _joined(_sums(stream.periods[after]), _sums(gone)))
    else:
        stream.open = _joined(stream.open, _sums(gone))
        stream.flows_ms = max(stream.flows_ms, gone.taken.cutoff_ms)


def _joined(one: list[int], other: list[int]) -> list[int]:
    return [clamp(a + b, LIMIT) for a, b in zip(one, other, strict=True)]


def find(stream: Stream, record_id: str) -> int | None:
    """The number of a stock-take's period; None when it is forgotten or never was."""
    packed = len(stream.old) * PACKED
    for at in range(len(stream.periods) - 1, -1, -1):
        if stream.periods[at].taken.record_id == record_id:
            return packed + at
    for at, period in enumerate(unpack(stream.old)):
        if period.taken.record_id == record_id:
            return at
    return None


def note_loss(stream: Stream, event_ms: int, amount: int, sign: int = 1) -> list[int]:
    """Remember a declared loss, or forget it again. Returns the amounts of those before it."""
    loss = (event_ms, amount)
    if sign < 0:
        if loss in stream.losses:
            stream.losses.remove(loss)
        return []
    before = [was for at, was in stream.losses if at < event_ms]
    insort(stream.losses, loss)
    if len(stream.losses) > MAX_LOSSES:
        del stream.losses[0]
    return before


def lost_lately(stream: Stream, at_ms: int, window_ms: int) -> tuple[int, int]:
    """(declared lost, material handled) since the last count that is older than the window, both cut to its length.

    Handled is what lay there at that count and all that came since. A stream that is younger than the window is not
    scaled up: a week's loss is then compared with what is usual for the whole window.
    """
    periods = stream.periods
    if stream.old and periods[0].taken.cutoff_ms > at_ms - window_ms:
        periods = held(stream)
    first = 0
    while first + 1 < len(periods) and periods[first + 1].taken.cutoff_ms <= at_ms - window_ms:
        first += 1
    lost = stream.open[2] + sum(period.lost for period in periods[first + 1 :])
    came = stream.open[0] + sum(period.came for period in periods[first + 1 :])
    handled = came + (periods[first].counted if periods else 0)
    span_ms = at_ms - periods[first].taken.cutoff_ms if periods else 0
    return (lost * window_ms // span_ms if span_ms > window_ms else lost), handled


def share(streams: Iterable[Stream]) -> None:
    """Let the streams of a book share each stock-take again, as they did before a snapshot wrote it down for each of them."""
    known: dict[Taken, Taken] = {}
    for stream in streams:
        for period in stream.periods:
            period.taken = known.setdefault(period.taken, period.taken)


# --- what follows -------------------------------------------------------------------------------------------------------


def balance(before: Period, period: Period) -> Balance:
    """The balance that a period closes."""
    return Balance(_measured(before), period.came, period.went, period.lost, _measured(period))


def _measured(period: Period) -> Measured:
    return Measured(period.counted, period.taken.random_ppm, period.taken.systematic_ppm)


class Derived:
    """What follows from a stream: MUF and SITMUF of each balance, and the whole standing of the newest ones.

    Of an older balance nothing else is asked from count to count, and a standing takes half a kilobyte: kept whole for a
    year of weekly counts, they were what grew most in the engine's process. An old one that a correction asks about is
    derived again.
    """

    __slots__ = ("_ys_milli", "judged", "mufs", "newest")

    def __init__(self) -> None:
        self.mufs = array("q")
        self.judged = bytearray()
        """Of each balance MOVED and STATED."""
        self._ys_milli = array("q")
        self.newest: list[Standing] = []
        """At most WHOLE: what came late for the newest balance goes on from the one before it."""

    def ys_milli(self, start: int = 0, stop: int | None = None) -> list[int | None]:
        """SITMUF of balances start + 1 to stop, None where no error was stated."""
        return [None if y == _NO_Y else y for y in self._ys_milli[start:stop]]

    def cut(self, number: int) -> None:
        """Only the first `number` balances are still what they were."""
        gone = len(self.mufs) - number
        if gone <= 0:
            return
        if gone >= len(self.newest):
            gone = len(self.mufs)  # no standing is left to go on from
        del self.mufs[-gone:], self._ys_milli[-gone:], self.judged[-gone:], self.newest[-gone:]

    def forget(self, number: int) -> None:
        """The first `number` balances are held no longer."""
        del self.mufs[:number], self._ys_milli[:number], self.judged[:number]

    def add(self, standing: Standing, period: Period) -> None:
        """One balance more, and the period that it closes."""
        self.mufs.append(standing.muf)
        moved = period.came + period.went + period.lost > 0
        self.judged.append((MOVED if moved else 0) | (STATED if period.taken.stated else 0))
        self._ys_milli.append(_NO_Y if standing.y_milli is None else standing.y_milli)
        self.newest = [*self.newest[1 - WHOLE :], standing]


def standings(stream: Stream) -> Iterator[Standing]:
    """Standings of periods 1, 2, ...: deterministic from the stream."""
    last = _before(stream)
    for before, period in pairwise(held(stream)):
        last = advance(last, balance(before, period))
        yield last


def derive(stream: Stream, known: Derived) -> None:
    """Bring what is known up to the stream's newest balance."""
    last = known.newest[-1] if known.newest else _before(stream)
    due = number(stream) - 1 - len(known.mufs)
    if due <= 0:
        return
    periods = stream.periods if due < len(stream.periods) else held(stream)
    for before, period in pairwise(periods[-due - 1 :]):
        last = advance(last, balance(before, period))
        known.add(last, period)


def standing(stream: Stream, known: Derived, at: int) -> Standing:
    """The standing of period `at` (>= 1); `known` is up to date."""
    back = len(known.mufs) - at
    return known.newest[-1 - back] if back < len(known.newest) else next(islice(standings(stream), at - 1, None))


def _before(stream: Stream) -> Standing | None:
    """What the first held balance follows on."""
    if not stream.factor:
        return None
    covariance, pivot, residual = map(int, stream.factor)
    return Standing(Factor(covariance, pivot, residual), 0, 0, 0, None, Sums(*stream.sums))


def is_long(stream: Stream) -> bool:
    """Whether it holds so many balances that the oldest are due to be forgotten."""
    return number(stream) - 1 > KEEP + SLACK


def forget(stream: Stream, known: Derived) -> None:
    """Forget all balances but the newest KEEP; `known` is up to date, and stays so."""
    gone = number(stream) - 1 - KEEP
    last = standing(stream, known, gone)
    stream.factor = [str(value) for value in last.factor]
    stream.sums = list(last.sums)
    stream.forgotten += gone
    to_change(stream, 0)
    del stream.periods[:gone]
    _fold(stream)
    known.forget(gone)
