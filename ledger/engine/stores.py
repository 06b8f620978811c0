"""What lies in the stores of each site, and how much may: kept by the books (`ledger.engine.books`) as goods move.

Several books of a site may keep goods in one store; how these are listed is asked of whichever has them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ledger.catalogue.properties import assumed_mass_mg
from ledger.core.balancekey import key_parts
from ledger.engine.inputs import Input, base_amount
from ledger.engine.postings import Delta
from ledger.engine.state import Account, FoldState, Store, book_key


class Touched:
    """What one entry changed: the keys and stores whose rows are due."""

    def __init__(self) -> None:
        self.balances: dict[str, None] = {}
        self.counts: dict[str, None] = {}
        self.gone: dict[str, None] = {}
        """Keys of batches that are no balance of their own any more."""
        self.stores: dict[str, None] = {}
        self.restated: set[str] = set()
        """Stores (holder/site/store) that have another capacity now."""


class Stores:
    """Reads and writes the stores of one state."""

    def __init__(self, state: FoldState) -> None:
        self._state = state
        self._changed_stores: dict[str, None] = {}
        self._of_site: dict[str, list[str]] = {}
        """holder/site -> its stores (holder/site/store)."""
        self._of_holder: dict[str, list[str]] = {}
        for at in state.stores:
            self._note_store(at)
        self._posted: dict[str, dict[str, int] | None] = {}
        self._relisted: set[str] = set()

    def take_changed(self) -> tuple[list[str], dict[str, dict[str, int] | None], set[str]]:
        """Since this was asked last: the stores (holder/site/store) of which rows came; all whose amounts are others, though
        the entry may have failed afterwards, each with what is there now by balance key (None: other goods are there too);
        the sites (holder/site) where goods came to be listed otherwise.
        """
        taken = list(self._changed_stores), self._posted, self._relisted
        self._changed_stores, self._posted, self._relisted = {}, {}, set()
        return taken

    def contents(self, holder: str, site: str, store: str) -> list[Delta]:
        """What lies in a store: (balance key, the catalogue's listing, density to assume, amount), amounts above nothing only."""
        found = self._state.stores.get(book_key(holder, site, store))
        if found is None or not found.contents:
            return []
        known = self._accounts(holder, site, found.book)
        return [
            (key, *_taken_for(known[key]), amount)
            if key in known
            else (key, *self._taken_elsewhere(holder, site, key), amount)
            for key, amount in found.contents.items()
            if amount > 0
        ]

    def _accounts(self, holder: str, site: str, book: str) -> dict[str, Account]:
        found = self._state.books.get(book_key(holder, site, book))
        return found.accounts if found is not None else {}

    def _taken_elsewhere(self, holder: str, site: str, key: str) -> tuple[str, int]:
        """How goods are listed that another book of the site keeps in this store; which came first is not to matter."""
        prefix = book_key(holder, site, "")
        taken = [_taken_for(book.accounts[key]) for at, book in self._state.books.items()
                 if at.startswith(prefix) and key in book.accounts]  # fmt: skip
        return (min(taken)[0], max(density for _, density in taken)) if taken else (key.partition("|")[0], 0)

    def mass_in(self, at: str, category: str) -> tuple[int, int]:
        """Milligrams of what lies in a store (holder/site/store) under a category of the catalogue, and how many of them are
        assumed of a volume; one of no known density has no mass. Of goods that another book keeps there nothing is known.
        """
        holder, site, _ = at.split("/")
        store = self._state.stores[at]
        known = self._accounts(holder, site, store.book)
        mass_mg = assumed_mg = 0
        for key, amount in store.contents.items():
            if amount > 0 and key in known and category in known[key].categories:
                mass_mg += amount if key.endswith("|mass") else 0
                assumed_mg += assumed_mass_mg(amount, known[key].density_g_per_l) if key.endswith("|volume") else 0
        return mass_mg + assumed_mg, assumed_mg

    def amounts_in(self, at: str) -> dict[tuple[str, str, str], int]:
        """What lies in a store (holder/site/store), by (dimension, code, category); "" stands for any code, or any category."""
        sums: dict[tuple[str, str, str], int] = {}
        for key, amount in self._state.stores[at].contents.items():
            parts = key_parts(key)
            for category in ("", *self._categories(at, key)):
                for code in ("", parts.code):
                    of = (parts.dimension, code, category)
                    sums[of] = sums.get(of, 0) + amount
        return sums

    def _categories(self, at: str, key: str) -> Collection[str]:
        """Of goods in a store, by whichever of the site's books keeps them there."""
        holder, site, _ = at.split("/")
        known = self._accounts(holder, site, self._state.stores[at].book)
        if key in known:
            return known[key].categories
        prefix = book_key(holder, site, "")
        return {category for name, book in self._state.books.items() if name.startswith(prefix) and key in book.accounts
                for category in book.accounts[key].categories}  # fmt: skip

    def stores_at(self, site: str) -> list[str]:
        """Names of all stores that are known of a site (holder/site)."""
        return [at.rpartition("/")[2] for at in self._of_site.get(site, ())]

    def stores_of(self, holder: str) -> Sequence[str]:
        """All stores (holder/site/store) of a holder, in the order in which they were first heard of."""
        return self._of_holder.get(holder, ())

    def place(self, entry: Input, body: dict[str, Any], touched: Touched) -> None:
        """Capacities of the stores that a `place` record states; it replaces all that stood of each site it names."""
        for site in body["sites"]:
            named = {store["id"]: store for store in site["stores"]}
            prefix = book_key(entry.holder, site["site"], "")
            for at in self._of_site.get(prefix[:-1], ()):
                if at[len(prefix) :] not in named:
                    if self._state.stores[at].capacity is not None:
                        touched.restated.add(at)
                    self._state.stores[at].capacity = None
                    touched.stores[at] = None
            for name, stated in named.items():
                at = prefix + name
                store = self._store(at, "")
                store.book = stated["book"]
                self._posted[at] = None
                capacity = stated.get("capacity") or stated.get("design_max")
                before = store.capacity, store.dimension
                store.capacity = None
                if capacity is not None:
                    store.capacity, store.dimension = base_amount(capacity["value"], capacity["unit"])
                if (store.capacity, store.dimension) != before:
                    touched.restated.add(at)
                touched.stores[at] = None

    def only_in(self, stores: Collection[str]) -> Iterator[tuple[str, str, str, str]]:
        """(holder, site, book, balance key) of what is in no other store than one of these (holder/site/store). Looks through
        all books: for places, not for every entry.
        """
        sites = {at.rpartition("/")[0] for at in stores}
        for at, book in self._state.books.items():
            holder, site, name = at.split("/")
            if f"{holder}/{site}" not in sites:
                continue
            for key, account in book.accounts.items():
                if len(account.stores) == 1 and book_key(holder, site, next(iter(account.stores))) in stores:
                    yield holder, site, name, key

    def store(self, at: str) -> Store | None:
        """The store (holder/site/store), where it is known."""
        return self._state.stores.get(at)

    def to_be_told(self, at: str) -> Store:
        """The store (holder/site/store), of which a row is told: what stands in it is looked at again (`take_changed`)."""
        self._changed_stores[at] = None
        return self._state.stores[at]

    # --- what the books post -----------------------------------------------------------------------------------------

    def _add_to_store(self, entry: Input, name: str, key: str, amount: int, touched: Touched) -> None:
        if not name:
            return
        at = book_key(entry.holder, entry.site, name)
        store = self._store(at, entry.book)
        dimension = key.rsplit("|", 1)[1]
        store.stock[dimension] = store.stock.get(dimension, 0) + amount
        before = store.contents.get(key, 0)
        there = before + amount
        if there:
            store.contents[key] = there
        else:
            store.contents.pop(key, None)
        touched.stores[at] = None
        posted = self._posted.setdefault(at, {})
        if (before > 0) != (there > 0):
            self._posted[at] = None
        elif posted is not None and there > 0:
            posted[key] = there

    def _store(self, at: str, book: str) -> Store:
        """The store (holder/site/store), made when it is the first that is heard of it."""
        store = self._state.stores.get(at)
        if store is None:
            store = self._state.stores[at] = Store(book=book)
            self._note_store(at)
        return store

    def _note_store(self, at: str) -> None:
        self._of_site.setdefault(at.rpartition("/")[0], []).append(at)
        self._of_holder.setdefault(at.partition("/")[0], []).append(at)


def _taken_for(account: Account) -> tuple[str, int]:
    """The listing, and the density to assume in g/L (0: none is known)."""
    return account.listing, account.density_g_per_l
