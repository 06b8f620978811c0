"""What the fold asks of a topic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from ledger.engine.goods import Goods
from ledger.engine.inputs import Input
from ledger.engine.subjects import Subject

Row = tuple[str, dict[str, Any]]
"""(subject's name, row)."""
ORIGIN = "origin"
"""A row about what an earlier entry brought bears that entry's index under this name; conditions do not see it."""


class Topic:
    """Rows out of records. One instance works on one state; the state is all that it remembers.

    A record may come late (its event time lies before that of records already applied) and may be corrected. `apply` and
    `withdraw` are each other's inverse on the state, so that the order in which books arrive changes no outcome.
    """

    subjects: ClassVar[tuple[Subject, ...]] = ()
    kinds: ClassVar[frozenset[str]] = frozenset()
    """Record kinds that it listens to."""
    reasons: ClassVar[frozenset[str] | None] = None
    """Reasons of the movements that it listens to; None: all. Of the others nothing would be remembered or told."""
    goods: ClassVar[frozenset[str] | None] = None
    """Of the movements that it listens to, what they must be of: kinds of goods (`chemical`, `knife`) and the catalogue's
    categories, of which one line is enough; None: anything. Of the others nothing would be remembered or told."""
    papers: ClassVar[frozenset[str]] = frozenset()
    """Kinds of papers (`ledger.engine.papers`) by which it judges movements: when one comes, it is asked again."""
    legal: ClassVar[tuple[str, ...]] = ()
    """Legal parameters, whole numbers, that its rows follow from. The rules that listen to it declare them too."""
    asks: ClassVar[tuple[str, ...]] = ()
    """Parameters of the rules that listen to it, by name, that its rows follow from; without them it has its own."""
    timer: ClassVar[str] = ""
    """Of a topic that tells rows by itself: the name under which its timers are kept, one of `limits.RESERVED`. Its `dues`
    says of what they are due and when, and `wake` tells them."""
    again: dict[str, int]
    """Of topics whose finding about one record rests on another one: record_id -> event ms of those of which something else
    may be so now; emptied by the fold, which has them judged again by the topics whose `papers` hold `judged`."""
    judged: ClassVar[str] = ""
    gone: list[tuple[str, int]]
    """Of topics that take back what they said: (subject, index of the entry whose rows are no more); emptied by the fold."""

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """Take a record in. Of a correction, `entry` is the corrected record as it stands from now on: its own record_id,
        event time, kind and body, but index and received time of the correction, and `before` set.
        """
        raise NotImplementedError

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterable[Row]:
        """Take a record out again that `entry`, which is applied next, puts right. `before` is the record as it stood."""
        raise NotImplementedError

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterable[Row]:
        """A correction of the same kind: withdraw, then apply, unless a topic knows better."""
        yield from self.withdraw(before, before_goods, entry)
        yield from self.apply(entry, goods)

    def parties(self, paper: Input) -> Iterable[str]:
        """Of a paper, or a correction of one: the enterprises whose movements it speaks of, beside its holder."""
        del paper
        return ()

    def prune(self, now_ms: int) -> None:
        """Once a day, at a tick: forget what is settled."""


def common(entry: Input) -> dict[str, Any]:
    """The fields that every row has."""
    return {
        "holder": entry.holder,
        "site": entry.site,
        "book": entry.book,
        "record_id": entry.record_id,
        "index": entry.index,
        "received_ms": entry.received_ms,
        "event_ms": entry.event_ms,
    }
