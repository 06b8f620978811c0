"""Lots: the goods of one balance key with one date of expiry, as records state it or, of peroxide formers, as it is assumed.

A peroxide former that comes in without a date gets the age limit of properties.csv (an engineering default) from the day on
which it came, by the site's clock: the stated date always wins, and the row says how many months were taken. Stock that a
complete count finds without a date keeps the limits that are known, the newest first; of what goes beyond them nothing is
known but that it was there at the cut-off, so that day is taken. Not dated so: what lies in a tank, where lots mix and the age
is nobody's; gases.

Who does not say which lot went out is taken to use up the oldest first. Of peroxide formers, of which all has a date, what
went out is kept beside the lots as a sum, so that a late receipt or a correction finds it; of other goods, of which some may
have no date, no more went out of the lots than was in them.

A complete count settles what happened up to its cut-off, however late that is told or put right; what was told before the count
and happened after its cut-off stays, as in the books.

*Not* known: when a container was opened; that goods were moved over from another book, where they begin anew.
"""

from __future__ import annotations

from bisect import insort
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta

import msgspec

from ledger.core.balancekey import key_parts
from ledger.engine.goods import Goods
from ledger.engine.inputs import GoodsLine, Input, happened_ms, plausible_ms, unix_ms
from ledger.engine.register import Register, local_time
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import Row, common

WARN_DAYS = 30
MOST_LOTS = 64
"""Of one balance key that are kept though they are used up, for a correction of what went out."""
_ASSUMED = "?"
"""Ends the name of a lot whose date is assumed."""

# One lot: the goods of one balance key with one date of expiry; `age_months` is 0 where a date was stated.
LOT = Subject(
    "lot",
    level=True,
    fields=COMMON
    | {
        "key": "str",
        "code": "str",
        "dimension": "str",
        "expires": "str",
        "expires_ms": "int",
        "warn_ms": "int",
        "amount": "int",
        "age_months": "int",
    },
)


class Lots(msgspec.Struct, array_like=True):
    """The lots of one balance key in one book."""

    months: int = 0
    """Age limit of a peroxide former; 0: it is none."""
    dated: dict[str, int] = {}
    """As they came, by YYYY-MM-DD; "?" ends a date that was assumed."""
    used: int = 0
    """What went out of them without a date."""
    moves: list[tuple[int, str, int]] = []
    """The newest since the last count, ascending: event ms, lot ("": out without a date), amount. A cut-off may come to lie
    between them.
    """

    def take(self, event_ms: int, name: str, amount: int) -> None:
        """So much came into a lot, or went out without a date."""
        insort(self.moves, (event_ms, name, amount))
        del self.moves[:-MOST_LOTS]
        if name:
            _add(self, name, amount)
        elif self.months:
            self.used += amount
        else:
            there = sum(left for left in self.left().values() if left > 0)
            self.used += min(amount, there) if amount > 0 else max(amount, -self.used)

    def take_back_after(self, time_ms: int) -> list[tuple[int, str, int]]:
        """Undo what moved after a time."""
        later = [move for move in self.moves if move[0] > time_ms]
        for event_ms, name, amount in reversed(later):
            self.take(event_ms, name, -amount)
        return later

    def left(self) -> dict[str, int]:
        """What is left of each lot."""
        found, used = {}, self.used
        for name in sorted(self.dated):
            amount = self.dated[name]
            part = min(used, amount) if amount > 0 and used > 0 else 0
            used -= part
            found[name] = amount - part
        return found

    def told(self) -> dict[str, tuple[int, int]]:
        """What there is by date: the amount, and the age limit in months where nothing of it has a stated date."""
        found: dict[str, tuple[int, int]] = {}
        for name, amount in self.left().items():
            if amount:
                day = name.removesuffix(_ASSUMED)
                before, months = found.get(day, (0, self.months))
                found[day] = before + amount, 0 if name == day else months
        return found


Touched = dict[str, dict[str, tuple[int, int]]]
"""What was told (`Lots.told`) before, by holder/site/book|balance key."""


class LotBook:
    """Keeps lots by holder/site/book|balance key, and tells those that changed."""

    def __init__(
        self, lots: dict[str, Lots], register: Register, counted_ms: Callable[[Input], int] = lambda _: -1
    ) -> None:
        """`counted_ms`: up to when the entry's book is settled by a count (event time); -1 where there was none."""
        self._lots = lots
        self._register = register
        self._counted_ms = counted_ms

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """Rows of the lots that a movement or a complete stock-take changed: of most movements none."""
        touched: Touched = {}
        if entry.kind == "movement":
            self._post(entry, goods, 1, touched)
        elif entry.kind == "stocktake" and entry.body["complete"]:
            self._count(entry, goods, touched)
        return self._rows(entry, touched) if touched else ()

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """A movement's are undone; what a stock-take said of lots is not."""
        touched: Touched = {}
        if before.kind == "movement":
            self._post(before, goods, -1, touched)
        yield from self._rows(entry, touched)

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods], *, newest_count: bool
    ) -> Iterator[Row]:
        """Only the difference is told; of a stock-take only the book's newest is put right."""
        touched: Touched = {}
        if entry.kind == "movement":
            self._post(before, before_goods, -1, touched)
            self._post(entry, goods, 1, touched)
        elif entry.kind == "stocktake" and entry.body["complete"] and newest_count:
            if before.body["complete"]:
                self._recount(before, before_goods, entry, goods, touched)
            else:
                self._count(entry, goods, touched)
        yield from self._rows(entry, touched)

    # --- movements -----------------------------------------------------------------------------------------------------

    def _post(self, entry: Input, goods: Sequence[Goods], sign: int, touched: Touched) -> None:
        comes = entry.body["direction"] == "in"
        for item in goods:
            line, months = item.line, item.listing.peroxide_months
            if not months and not line.expires and not self._lots:
                continue
            place = _place(entry, item.key)
            if place not in self._lots and not months and not line.expires:
                continue
            if months and not line.expires and self._is_in_tank(entry, line):
                continue
            if comes and not months and not line.expires:
                continue
            at_ms = happened_ms(entry)
            if at_ms <= self._counted_ms(entry):
                return
            name = line.expires or (self._limit(entry, at_ms, months) if comes else "")
            amount = sign * line.amount if comes or not name else -sign * line.amount
            self._touch(place, months, touched).take(at_ms, name, amount)

    def _touch(self, place: str, months: int, touched: Touched) -> Lots:
        lots = self._lots.get(place)
        if place not in touched:
            touched[place] = lots.told() if lots is not None else {}
        if lots is None:
            lots = self._lots[place] = Lots(months)
        lots.months = lots.months or months  # a count that dates all of it says nothing of a limit
        return lots

    def _tidy(self, place: str, lots: Lots) -> None:
        """Forget the oldest that are used up, but for the newest so many; and a key of which nothing is known any more. Once
        an entry is through: in between a correction may have taken out what it puts in again.
        """
        if not lots.months:
            lots.used = min(lots.used, sum(amount for amount in lots.dated.values() if amount > 0))
        if len(lots.dated) > MOST_LOTS:
            for name in sorted(lots.dated)[:-MOST_LOTS]:
                if 0 < lots.dated[name] <= lots.used:
                    lots.used -= lots.dated.pop(name)
        if not lots.dated and not lots.used:
            del self._lots[place]

    # --- stock-takes -------------------------------------------------------------------------------------------------

    def _count(self, entry: Input, goods: Sequence[Goods], touched: Touched) -> None:
        """A complete count says what is left of each lot that it dates; the others are gone, or are not dated any more."""
        prefix = _place(entry, "")
        stood = {place: self._lots.pop(place) for place in [one for one in self._lots if one.startswith(prefix)]}
        touched.update((place, lots.told()) for place, lots in stood.items())
        settled_ms = max(_cut_off_ms(entry), self._counted_ms(entry))
        later = {place: moves for place, lots in stood.items() if (moves := lots.take_back_after(settled_ms))}
        dated, undated = self._counted(entry, goods)
        for place in {**dated, **undated, **later}:
            months = stood[place].months if place in stood else 0
            lots = Lots(undated[place][1] if place in undated else months, dict(dated.get(place, {})))
            if place in undated:
                amount, _ = undated[place]
                known = stood[place].left() if place in stood else {}
                for name in sorted((one for one in known if one.endswith(_ASSUMED)), reverse=True):
                    part = min(max(known[name], 0), amount)
                    _add(lots, name, part)
                    amount -= part
                _add(lots, self._limit(entry, _cut_off_ms(entry), lots.months), amount)
            for move in later.get(place, ()):
                lots.take(*move)
            touched.setdefault(place, {})
            if lots.dated or lots.used:
                self._lots[place] = lots

    def _recount(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods], touched: Touched
    ) -> None:
        dated, undated = self._counted(entry, goods)
        was_dated, was_undated = self._counted(before, before_goods)
        for place in {**was_dated, **dated, **was_undated, **undated}:
            was, is_now = was_undated.get(place, (0, 0)), undated.get(place, (0, 0))
            months = max(was[1], is_now[1])
            lots = self._touch(place, months, touched)
            for day in {**was_dated.get(place, {}), **dated.get(place, {})}:
                _add(lots, day, dated.get(place, {}).get(day, 0) - was_dated.get(place, {}).get(day, 0))
            more = is_now[0] - was[0]
            if more > 0:
                _add(lots, self._limit(entry, _cut_off_ms(entry), months), more)
            lots.used += max(-more, 0)

    def _counted(
        self, entry: Input, goods: Sequence[Goods]
    ) -> tuple[dict[str, dict[str, int]], dict[str, tuple[int, int]]]:
        """Of a count, by place: amounts by stated date; amount without one, and months, of peroxide formers."""
        dated: dict[str, dict[str, int]] = {}
        undated: dict[str, tuple[int, int]] = {}
        for item in goods:
            line, listing, _ = item
            place = _place(entry, item.key)
            if line.expires:
                lots = dated.setdefault(place, {})
                lots[line.expires] = lots.get(line.expires, 0) + line.amount
            elif listing.peroxide_months and not self._is_in_tank(entry, line):
                undated[place] = undated.get(place, (0, 0))[0] + line.amount, listing.peroxide_months
        return dated, undated

    # --- what both need ------------------------------------------------------------------------------------------------

    def _is_in_tank(self, entry: Input, line: GoodsLine) -> bool:
        # As it was stated then: what is taken back later is what was put in, though the store be another by now.
        at_ms = happened_ms(entry)
        stated = self._register.site_at(entry.holder, entry.site, at_ms)
        store = stated.stores.get(line.store) if stated.said_ms <= at_ms else None
        return store is not None and store.kind == "tank"

    def _limit(self, entry: Input, from_ms: int, months: int) -> str:
        """Name of the lot that came at a time, by the age limit."""
        zone = self._register.site_at(entry.holder, entry.site, from_ms).zone
        return _months_after(local_time(zone, from_ms).day, months) + _ASSUMED

    def _rows(self, entry: Input, touched: Touched) -> Iterator[Row]:
        prefix = _place(entry, "")
        for place, was in touched.items():
            lots = self._lots.get(place)
            if lots is not None:
                self._tidy(place, lots)
            now = lots.told() if lots is not None else {}
            for day in sorted({**was, **now}):
                if was.get(day) != now.get(day):
                    amount, months = now.get(day, (0, 0))
                    yield self._row(entry, place.removeprefix(prefix), day, amount, months)

    def _row(self, entry: Input, key: str, expires: str, amount: int, months: int) -> Row:
        parts = key_parts(key)
        warned = (date.fromisoformat(expires) - timedelta(days=WARN_DAYS)).isoformat()
        return (
            "lot",
            common(entry)
            | {
                "key": key,
                "code": parts.code,
                "dimension": parts.dimension,
                "expires": expires,
                "expires_ms": self._register.day_end_ms(entry.holder, entry.site, expires),
                "warn_ms": self._register.day_end_ms(entry.holder, entry.site, warned),
                "amount": amount,
                "age_months": months,
            },
        )


def _add(lots: Lots, name: str, amount: int) -> None:
    total = lots.dated.get(name, 0) + amount
    if total:
        lots.dated[name] = total
    else:
        lots.dated.pop(name, None)


def _place(entry: Input, key: str) -> str:
    return f"{entry.holder}/{entry.site}/{entry.book}|{key}"


def _cut_off_ms(entry: Input) -> int:
    return plausible_ms(unix_ms(entry.body["cut_off"]), (entry.before or entry).received_ms)


def _months_after(day: str, months: int) -> str:
    """The same day of a later month; its last one where it has no such day."""
    began = date.fromisoformat(day)
    years, month = divmod(began.month - 1 + months, 12)
    year, month = began.year + years, month + 1
    return date(year, month, min(began.day, monthrange(year, month)[1])).isoformat()
