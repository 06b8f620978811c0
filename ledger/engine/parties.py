"""What passes between parties: transfers that wait for their other end, licences, refused submissions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.engine.books import Books, Row, common
from ledger.engine.inputs import GoodsLine, Input, plausible_ms, unix_ms
from ledger.engine.state import FoldState, Gap, Licence, Transfer

DAY_MS = 86_400_000
SETTLED_FOR_MS = 30 * DAY_MS
"""Confirmed transfers and arrivals that nobody claimed are forgotten after it, unconfirmed transfers after six times it."""
NEEDS = ("highly_toxic", "explosive_precursor")
"""Categories whose trade needs a licence (Decree 591 art. 37-40)."""
_ACTS = {"purchase": "purchase", "sale": "sell", "production": "produce"}
_COVERED_BY = {
    "purchase": frozenset({"purchase", "use", "produce", "trade"}),
    "sell": frozenset({"sell", "trade", "produce"}),
    "produce": frozenset({"produce"}),
}


class Transfers:
    """A: seller's out. B: buyer's in with the same consignment. Which one comes first does not matter."""

    def __init__(self, state: FoldState) -> None:
        self._state = state

    def fold(self, entry: Input, lines: list[GoodsLine]) -> Iterator[Row]:
        """Rows of the transfers that this movement opens or confirms."""
        body = entry.body
        consignment = body.get("consignment")
        if consignment is None:
            return
        other = body.get("counterparty", {}).get("uscc", "")
        if body["direction"] == "out" and body["reason"] in ("sale", "transfer") and other not in ("", entry.holder):
            yield from self._open(entry, consignment, other, lines[0].code)
        elif body["direction"] == "in":
            yield from self._confirm(entry, consignment, other)

    def _open(self, entry: Input, consignment: str, buyer: str, code: str) -> Iterator[Row]:
        at = f"{buyer}/{consignment}"
        arrival = entry.body.get("expected_arrival")
        sale_ms = plausible_ms(entry.event_ms, entry.received_ms)
        transfer = Transfer(
            record_id=entry.record_id,
            index=entry.index,
            seller=entry.holder,
            site=entry.site,
            book=entry.book,
            buyer=buyer,
            consignment=consignment,
            code=code,
            sale_ms=sale_ms,
            due_ms=unix_ms(arrival) if arrival else sale_ms,
            inside=buyer in self._state.inside,
        )
        for seller, _, record_id in self._state.arrivals.get(at, ()):
            if seller in ("", entry.holder):
                transfer.confirmed_by = record_id
        self._state.transfers.setdefault(at, []).append(transfer)
        yield "transfer", _transfer_row(entry, transfer)

    def _confirm(self, entry: Input, consignment: str, seller: str) -> Iterator[Row]:
        at = f"{entry.holder}/{consignment}"
        self._state.arrivals.setdefault(at, []).append((seller, entry.received_ms, entry.record_id))
        for transfer in self._state.transfers.get(at, ()):
            if seller in ("", transfer.seller) and not transfer.confirmed_by:
                transfer.confirmed_by = entry.record_id
                yield "transfer", _transfer_row(entry, transfer)

    def withdraw(self, entry: Input, record_id: str) -> Iterator[Row]:
        """A corrected movement opens and confirms nothing any more; its correction is folded after this."""
        for at in [at for at, found in self._state.arrivals.items() if any(a[2] == record_id for a in found)]:
            self._state.arrivals[at] = [a for a in self._state.arrivals[at] if a[2] != record_id]
        for at, found in list(self._state.transfers.items()):
            for transfer in found:
                if transfer.record_id == record_id:
                    transfer.confirmed_by = record_id
                    yield "transfer", _transfer_row(entry, transfer)
                elif transfer.confirmed_by == record_id:
                    transfer.confirmed_by = ""
                    yield "transfer", _transfer_row(entry, transfer)
            self._state.transfers[at] = [t for t in found if t.record_id != record_id]

    def prune(self, now_ms: int) -> None:
        """Forget what is long settled; called with a tick's time."""
        state, settled = self._state, now_ms - SETTLED_FOR_MS
        kept_arrivals = {at: [a for a in found if a[1] > settled] for at, found in state.arrivals.items()}
        state.arrivals = {at: found for at, found in kept_arrivals.items() if found}
        kept = {
            at: [t for t in found if t.sale_ms > (settled if t.confirmed_by else now_ms - 6 * SETTLED_FOR_MS)]
            for at, found in state.transfers.items()
        }
        state.transfers = {at: found for at, found in kept.items() if found}


def _transfer_row(entry: Input, transfer: Transfer) -> dict[str, Any]:
    return common(entry) | {
        "holder": transfer.seller,
        "site": transfer.site,
        "book": transfer.book,
        "record_id": transfer.record_id,
        "consignment": transfer.consignment,
        "code": transfer.code,
        "buyer": transfer.buyer,
        "inside": transfer.inside,
        "confirmed": bool(transfer.confirmed_by),
        "sale_ms": transfer.sale_ms,
        "due_ms": transfer.due_ms,
    }


class Licences:
    """Declared and confirmed licences; what each party to a movement of listed goods has at its event time."""

    def __init__(self, state: FoldState) -> None:
        self._state = state

    def fold(self, entry: Input, body: dict[str, Any]) -> None:
        """Take in one licence. An authority's word about the same number stands above the enterprise's."""
        holder = body.get("holder", entry.holder)
        held = self._state.licences.setdefault(holder, [])
        items = body.get("items", ())
        new = Licence(
            record_id=entry.record_id,
            type=body["type"],
            number=body.get("number", ""),
            received_ms=entry.received_ms,
            valid_from=body["valid_from"],
            valid_to=body["valid_to"],
            status=body["status"],
            confirmed=entry.is_authority,
            activities=sorted(body.get("activities", ())),
            categories=sorted(body.get("categories", ())),
            codes=sorted(item["code"] for item in items),
            sites=sorted(body.get("sites", ())),
        )
        kept = []
        for old in held:
            same = old.record_id == body.get("replaces") or (
                new.number != "" and (old.type, old.number) == (new.type, new.number)
            )
            if same and old.confirmed and not new.confirmed:
                return
            if _says_the_same(old, new) and not old.confirmed:
                # Declaring the same again does not put off its check.
                new.received_ms = min(new.received_ms, old.received_ms)
                same = True
            if not same:
                kept.append(old)
        self._state.licences[holder] = [*kept, new]

    def endorse(self, record_id: str) -> None:
        """An authority confirmed a declared licence."""
        for held in self._state.licences.values():
            for licence in held:
                if licence.record_id == record_id:
                    licence.confirmed = True

    def rows(self, entry: Input, body: dict[str, Any], goods: list[tuple[GoodsLine, frozenset[str]]]) -> Iterator[Row]:
        """One row for each code, need and party of a purchase, a sale, or a production."""
        act = _ACTS.get(body["reason"])
        if act is None:
            return
        other = body.get("counterparty", {}).get("uscc", "")
        parties = [(entry.holder, act)]
        if act == "sell" and other in self._state.inside:
            parties.append((other, "purchase"))
        seen = set()
        for line, categories in goods:
            for need in NEEDS:
                if need not in categories or (line.code, need) in seen:
                    continue
                seen.add((line.code, need))
                for party, does in parties:
                    state, age_ms = self._assess(party, does, need, line.code, entry)
                    yield (
                        "permit",
                        common(entry)
                        | {
                            "code": line.code,
                            "need": need,
                            "act": does,
                            "party": party,
                            "own": party == entry.holder,
                            "state": state,
                            "age_ms": age_ms,
                        },
                    )

    def _assess(self, party: str, act: str, need: str, code: str, entry: Input) -> tuple[str, int]:
        """(state, age of the declaration in ms): the best that any licence of the party gives."""
        day = entry.event_time[:10]  # the signer's own local day
        best, age_ms = "missing", 0
        for licence in self._state.licences.get(party, ()):
            if not _covers_act(licence, act, need):
                continue
            if not _covers_goods(licence, need, code) or not _covers_site(licence, party, entry):
                state = "scope"
            elif licence.status in ("revoked", "suspended"):
                state = "revoked"
            elif licence.status != "valid" or licence.valid_to < day:
                state = "expired" if licence.status != "applied" else "missing"
            elif licence.valid_from > day:
                state = "not_yet"
            else:
                state = "valid" if licence.confirmed else "declared"
            if _RANK[state] > _RANK[best]:
                best = state
                age_ms = entry.received_ms - licence.received_ms if state == "declared" else 0
            elif state == best == "declared":
                age_ms = min(age_ms, entry.received_ms - licence.received_ms)
        return best, age_ms


_RANK = {"missing": 0, "scope": 1, "not_yet": 2, "expired": 3, "revoked": 4, "declared": 5, "valid": 6}


def _says_the_same(old: Licence, new: Licence) -> bool:
    return (old.type, old.valid_from, old.valid_to, old.activities, old.categories, old.codes, old.sites) == (
        new.type,
        new.valid_from,
        new.valid_to,
        new.activities,
        new.categories,
        new.codes,
        new.sites,
    )


def _covers_act(licence: Licence, act: str, need: str) -> bool:
    if licence.type == "lawful_use_statement":
        return act == "purchase" and need == "explosive_precursor"
    if licence.type not in ("licence", "permit"):
        return False
    return not licence.activities or not _COVERED_BY[act].isdisjoint(licence.activities)


def _covers_goods(licence: Licence, need: str, code: str) -> bool:
    if not licence.categories and not licence.codes:
        return True
    return need in licence.categories or code in licence.codes


def _covers_site(licence: Licence, party: str, entry: Input) -> bool:
    # Of the other party only the enterprise is known, not the site the goods go to.
    return not licence.sites or party != entry.holder or entry.site in licence.sites


class Refusals:
    """Refused submissions; a gap stays open until its book has grown past it."""

    def __init__(self, state: FoldState, books: Books) -> None:
        self._state = state
        self._books = books

    def fold(self, entry: Input) -> Iterator[Row]:
        """The row of one `refusal` entry."""
        body = entry.body
        holder, site, book = (body[name] or "" for name in ("holder", "site", "book"))
        seq = body["seq"] or 0
        row = common(entry) | {
            "holder": holder,
            "site": site,
            "book": book,
            "code": body["code"],
            "seq": seq,
            "refused_id": body["record_id"],
            "standing_id": self._books.record_at(holder, site, book, seq),
            "open": body["code"] == "seq-gap",
        }
        if not row["open"]:
            yield "refusal", row
            return
        at = f"{holder}/{site}/{book}"
        gap = self._state.gaps.get(at)
        if gap is None or gap.seq < row["seq"]:
            self._state.gaps[at] = Gap(row["seq"], row)
        yield "gap", row

    def grown(self, entry: Input) -> Iterator[Row]:
        """The row that closes a gap, when this entry brought its book past it."""
        if not self._state.gaps:
            return
        at = f"{entry.holder}/{entry.site}/{entry.book}"
        gap = self._state.gaps.get(at)
        if gap is not None and entry.seq >= gap.seq:
            del self._state.gaps[at]
            yield "gap", gap.row | {"open": False, "received_ms": entry.received_ms, "index": entry.index}
