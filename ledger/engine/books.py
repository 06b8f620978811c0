"""Stock books: movements, complete stock-takes, corrections → balances, counts, stores. Their rows: `topics.stock`.

Within (holder, site, book) by balance key (`core.balancekey`). It has the batch "where every line has one" (formats.md): until a
line of the same goods comes without a batch, each batch is a balance of its own; from then on all of them are one, in this
book for good, because nobody can say any more of which batch it was. So they are when there are more than MOST_BATCHES. The streams of material accountancy
(`topics.accountancy`) never tell batches apart: a scale's errors are those of the goods, and a batch has no series.

A balance is kept in the dimension that it was recorded in, and so are counts, material accountancy and both ends of a
consignment: a litre is never posted, counted or balanced as kilograms. A mass is assumed of a volume (properties.csv; here by the
densest that a line of the balance was taken for) only to compare with a limit that is set in mass, and is marked there.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.core.balancekey import key_parts
from ledger.engine import accounts
from ledger.engine.goods import Goods
from ledger.engine.inputs import GoodsLine, Input, base_amount, happened_ms, plausible_ms, unix_ms
from ledger.engine.postings import Delta, counted_in, errors_of, key_in, moved_by, netted
from ledger.engine.ranges import check_counted, check_joined, check_moves
from ledger.engine.state import Account, Book, Count, book_key
from ledger.engine.stores import Stores, Touched
from ledger.errors import RuleError

MOST_BATCHES = 128
"""Batches of the same goods that a book keeps apart. A new one looks through them; who has more has one balance of all."""
_NOTHING: tuple[int, int, dict[str, int]] = (0, 0, {})
"""Counted of a key that a stock-take does not list."""


class Books(Stores):
    """Folds what moves stock, and what lies in the stores. One instance works on one state."""

    def book_of(self, entry: Input) -> Book:
        """The entry's book, made when it is the first."""
        at = book_key(entry.holder, entry.site, entry.book)
        book = self._state.books.get(at)
        if book is None:
            book = self._state.books[at] = Book()
        return book

    def in_stock(self, entry: Input) -> bool:
        """Whether any balance of the entry's book is above nothing."""
        book = self._state.books.get(book_key(entry.holder, entry.site, entry.book))
        return book is not None and any(account.total > 0 for account in book.accounts.values())

    def is_newest_count(self, entry: Input) -> bool:
        """Whether the entry is the complete stock-take that its book stands on."""
        book = self._state.books.get(book_key(entry.holder, entry.site, entry.book))
        return book is not None and book.base_record == entry.record_id

    def counted_ms(self, entry: Input) -> int:
        """Cut-off of the newest complete stock-take of the entry's book; -1 where there was none."""
        book = self._state.books.get(book_key(entry.holder, entry.site, entry.book))
        return book.base_ms if book is not None else -1

    def is_short(self, entry: Input, line: GoodsLine, lowered: int) -> bool:
        """Whether the last count in the entry's book found less of these goods than the book says, at whatever concentration
        and in whatever batch; or than it said before the entry, a correction, lowered it by so much. Looks through the book:
        for corrections, not for every entry.
        """
        book = self._state.books.get(book_key(entry.holder, entry.site, entry.book))
        if book is None:
            return False
        wanted = (line.code, line.form, line.packaging, line.dimension)
        counts = [
            account.last
            for key, account in book.accounts.items()
            if account.last is not None
            and (parts := key_parts(key))
            and (parts.code, parts.form, parts.packaging, parts.dimension) == wanted
        ]
        if any(count.counted < count.book for count in counts):
            return True
        # Did the count see what is corrected? Then the book that it was compared with was lowered.
        saw = book.previous_base_ms < happened_ms(entry.before or entry) <= book.base_ms
        return saw and sum(count.book - count.counted for count in counts) + lowered > 0

    def has_stock(self, holder: str) -> bool:
        """Whether any balance of this enterprise is above nothing. Looks through all books: not for every entry."""
        prefix = book_key(holder, "", "")[:-1]
        return any(
            account.total > 0
            for at, book in self._state.books.items()
            if at.startswith(prefix)
            for account in book.accounts.values()
        )

    # --- movements -------------------------------------------------------------------------------------------------

    def move(self, entry: Input, goods: Sequence[Goods], touched: Touched) -> None:
        """Post a movement's lines."""
        book = self.book_of(entry)
        self._note_lines(entry, book, goods, touched)
        deltas = moved_by(book, entry, goods)
        try:
            check_moves(self._state, entry, book, deltas)
        except RuleError:
            book.unposted[entry.record_id] = entry.index
            raise
        self._post(entry, book, happened_ms(entry), deltas, touched)

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods], touched: Touched
    ) -> None:
        """Post the difference between what the corrected movement did and what it should have done."""
        book = self.book_of(entry)
        self._note_lines(before, book, before_goods, touched)  # a batch that was used up is there no longer
        self._note_lines(entry, book, goods, touched)
        net = netted(_undone(book, before, before_goods) + moved_by(book, entry, goods))
        check_moves(self._state, entry, book, net)
        book.unposted.pop(before.record_id, None)
        self._post(entry, book, happened_ms(before), net, touched)

    def undo(self, before: Input, goods: Sequence[Goods], touched: Touched, *, at: Input) -> None:
        """Take out what a movement did; `at` is the correction."""
        book = self.book_of(at)
        self._note_lines(before, book, goods, touched)
        net = netted(_undone(book, before, goods))
        check_moves(self._state, at, book, net)
        self._post(at, book, happened_ms(before), net, touched)

    def _note_lines(self, entry: Input, book: Book, goods: Sequence[Goods], touched: Touched) -> None:
        """Make the accounts of these lines; keep their categories, density and the resolution they were measured with."""
        resolution = entry.body.get("measurement", {}).get("resolution")
        # Lines without a batch first: the others of such goods come to the same account then.
        for item in goods if len(goods) == 1 else sorted(goods, key=lambda item: item.line.batch != ""):
            listing = item.listing
            account = book.accounts.get(key_in(book, item)) or self._open(entry, book, item, touched)
            found = listing.categories
            if not found.issubset(account.categories):
                account.categories = sorted(found.union(account.categories))
            if account.listing != listing.listing or account.density_g_per_l < listing.density_g_per_l:
                account.listing = listing.listing
                account.density_g_per_l = max(account.density_g_per_l, listing.density_g_per_l)
                self._relisted.add(f"{entry.holder}/{entry.site}")
            if resolution is not None:
                account.resolution, _ = base_amount(resolution["value"], resolution["unit"])

    def _open(self, entry: Input, book: Book, item: Goods, touched: Touched) -> Account:
        """The account of a line whose balance key is new in the book: perhaps one that all batches of such goods become."""
        new = accounts.new_account([])
        goods = key_parts(item.key)
        batches = [held for held in book.accounts if key_parts(held)._replace(batch="") == goods]
        if not batches:
            book.accounts[key_in(book, item)] = new
            return new
        if item.line.batch and len(batches) < MOST_BATCHES:
            alike = book.accounts[batches[0]]
            new.listing, new.categories = alike.listing, alike.categories
            book.accounts[key_in(book, item)] = new
            return new
        return self._join(entry, book, item.key, batches, touched)

    def _join(self, entry: Input, book: Book, key: str, batches: Sequence[str], touched: Touched) -> Account:
        """What the book has of goods in batches becomes one balance."""
        check_joined(entry, key, [book.accounts[batch] for batch in batches])
        parts = {batch: book.accounts.pop(batch) for batch in batches}
        joined = book.accounts[key] = accounts.join(list(parts.values()))
        touched.gone.update(dict.fromkeys(batches))
        touched.balances[key] = None
        for batch, part in parts.items():
            for name, amount in part.stores.items():
                at = book_key(entry.holder, entry.site, name)
                self._posted[at] = None
                contents = self._state.stores[at].contents
                for of, change in ((batch, -amount), (key, amount)):
                    contents[of] = contents.get(of, 0) + change
                    if not contents[of]:
                        del contents[of]
        return joined

    def _post(self, entry: Input, book: Book, event_ms: int, deltas: list[Delta], touched: Touched) -> None:
        for key, store, amount, pieces in deltas:
            account = book.accounts[key]
            if event_ms <= book.previous_base_ms:
                continue  # settled by the count before the last: neither balance nor last count knows of it
            if event_ms <= book.base_ms:
                # The count saw this move and the book did not; a key that the count did not list was counted as zero.
                if account.last is None:
                    account.last = self._not_counted(book)
                accounts.post_before_count(account.last, amount, pieces)
                if not book.base_record:
                    self._follow_book(entry, account, key, touched)
                touched.counts[key] = None
                touched.balances[key] = None
                continue
            accounts.post(account, (event_ms, 0 if amount >= 0 else 1, entry.index, amount, pieces, store))
            touched.balances[key] = None
            self._add_to_store(entry, store, key, amount, touched)

    # --- stock-takes -----------------------------------------------------------------------------------------------

    def stocktake(self, entry: Input, goods: Sequence[Goods], touched: Touched) -> None:
        """Re-base the book on a complete stock-take; a partial one changes nothing."""
        if not entry.body["complete"]:
            return
        book = self.book_of(entry)
        check_counted(self._state, entry, counted_in(book, goods))
        # A cut-off before the last one would count over what is settled; it counts as the last one's.
        cutoff_ms = max(_cut_off_ms(entry), book.base_ms)
        if book.base_ms < 0:
            self._take_over(entry, book)
        opening = book.base_ms < 0
        self._note_lines(entry, book, goods, touched)
        counted = counted_in(book, goods)
        errors_ppm = errors_of(entry)
        for key in [key for key, account in book.accounts.items() if key not in counted and _is_spent(key, account)]:
            del book.accounts[key]
            touched.gone[key] = None
        for key, account in book.accounts.items():
            amount, pieces, stores = counted.get(key, _NOTHING)
            before = account.stores
            accounts.count(
                account,
                cutoff_ms=cutoff_ms,
                record_id=entry.record_id,
                index=entry.index,
                counted=amount,
                counted_pieces=pieces,
                stores=stores,
                errors_ppm=errors_ppm,
                opening=opening,
            )
            for name in before | account.stores:
                self._add_to_store(entry, name, key, account.stores.get(name, 0) - before.get(name, 0), touched)
            touched.balances[key] = None
            touched.counts[key] = None
        book.previous_base_index, book.base_index = book.base_index, entry.index
        if cutoff_ms > book.base_ms:  # a second count at the same cut-off settles nothing more
            book.previous_base_ms, book.base_ms = book.base_ms, cutoff_ms
        book.base_record = entry.record_id

    def _take_over(self, entry: Input, book: Book) -> None:
        """A book that continues a final one begins with that one's balances, so that its count is compared."""
        named = entry.body.get("continues")
        ended = self._state.books.get(book_key(entry.holder, named["site"], named["book"])) if named else None
        if ended is None:
            return
        book.base_ms = 0
        self._relisted.add(f"{entry.holder}/{entry.site}")
        for key, account in ended.accounts.items():
            taken = book.accounts[key] = accounts.new_account(list(account.categories))
            taken.start = taken.total = taken.lowest = taken.start_lowest = account.total
            taken.start_pieces = taken.total_pieces = account.total_pieces
            taken.lowest_pieces = taken.start_lowest_pieces = account.total_pieces
            taken.last = account.last

    def completed(self, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods], touched: Touched) -> None:
        """A partial stock-take was a complete one after all: it re-bases the book, unless a newer one has. One that was called
        partial in between has done so already.
        """
        book = self.book_of(entry)
        if entry.record_id == book.base_record:
            self.recount(before_goods, entry, goods, touched)
        elif _cut_off_ms(entry) >= book.base_ms:
            self.stocktake(entry, goods, touched)

    def uncount(self, entry: Input, touched: Touched) -> None:
        """The newest complete stock-take, unless the book was opened by it, was none: it is as if it had found what the book
        said. Else what was missing would be settled by a count that nobody stands by. In which stores that lay is not known
        any more, but where all of it lies in one.
        """
        book = self.book_of(entry)
        if entry.record_id != book.base_record or book.previous_base_index < 0:
            return
        book.base_record = ""
        for key, account in book.accounts.items():
            self._follow_book(entry, account, key, touched)
            if account.last is not None:
                touched.counts[key] = touched.balances[key] = None

    def _follow_book(self, entry: Input, account: Account, key: str, touched: Touched) -> None:
        """The last count found what the book says."""
        last = account.last
        if last is None:
            return
        more = last.book - last.counted
        accounts.recount(account, last.book, last.book_pieces, (0, 0))
        if more and len(account.stores) == 1:
            (name,) = account.stores
            account.stores[name] += more
            self._add_to_store(entry, name, key, more, touched)

    def recount(self, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods], touched: Touched) -> None:
        """Put the newest complete stock-take right; an older one, or a partial one, changes no balance any more."""
        book = self.book_of(entry)
        if entry.record_id != book.base_record or not entry.body["complete"]:
            return
        check_counted(self._state, entry, counted_in(book, goods))
        self._note_lines(entry, book, goods, touched)
        was, counted = counted_in(book, before_goods), counted_in(book, goods)
        errors_ppm = errors_of(entry)
        for key, account in book.accounts.items():
            if account.last is None:
                if key not in counted:
                    continue  # it came after the count, and neither version of that lists it
                account.last = self._not_counted(book)
            amount, pieces, stores = counted.get(key, _NOTHING)
            accounts.recount(account, amount, pieces, errors_ppm)
            _, _, stood = was.get(key, _NOTHING)
            for name in stood | stores:
                change = stores.get(name, 0) - stood.get(name, 0)
                if change:
                    account.stores[name] = account.stores.get(name, 0) + change
                    self._add_to_store(entry, name, key, change, touched)
            touched.balances[key] = None
            touched.counts[key] = None

    @staticmethod
    def _not_counted(book: Book) -> Count:
        """What the newest complete stock-take says of a key that it does not list: zero."""
        opening = book.previous_base_index < 0
        return accounts.counted_nothing(book.base_record, book.base_index, book.base_ms, opening=opening)


def _is_spent(key: str, account: Account) -> bool:
    """Whether a batch is used up, and was so at the last count already: it will hardly be heard of again."""
    last = account.last
    return (
        bool(key_parts(key).batch)
        and not account.moves
        and account.start == account.start_pieces == 0
        and last is not None
        and last.counted == last.counted_pieces == last.book == last.book_pieces == 0
    )


def _cut_off_ms(entry: Input) -> int:
    return plausible_ms(unix_ms(entry.body["cut_off"]), (entry.before or entry).received_ms)


def _undone(book: Book, before: Input, goods: Sequence[Goods]) -> list[Delta]:
    if before.record_id in book.unposted:
        return []
    return [(key, store, -amount, -pieces) for key, store, amount, pieces in moved_by(book, before, goods)]
