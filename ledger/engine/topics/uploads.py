"""Records as they are sent: one row for each, whatever it says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ledger.core.record import AUTHORITY_KINDS, KINDS
from ledger.engine.goods import Goods
from ledger.engine.inputs import Input
from ledger.engine.register import Register
from ledger.engine.subjects import COMMON, Subject
from ledger.engine.topics.base import ORIGIN, Row, Topic, common


class Uploads(Topic):
    """Remembers nothing."""

    kinds = frozenset(KINDS) - frozenset(AUTHORITY_KINDS)
    subjects = (
        # One record of an enterprise, at its receipt. `batch`: inside the upload windows that its profile states.
        Subject("upload", level=False, fields=COMMON | {"kind": "str", "batch": "bool"}),
    )

    def __init__(self, register: Register) -> None:
        self._register = register

    def apply(self, entry: Input, goods: Sequence[Goods]) -> Iterable[Row]:
        """The row of one record."""
        del goods
        if entry.is_authority:
            return ()
        row = common(entry)
        row["kind"] = entry.kind
        row["batch"] = self._register.is_upload_time(entry.holder, entry.site, entry.received_ms)
        return (("upload", row),)

    def withdraw(self, before: Input, goods: Sequence[Goods], entry: Input) -> Iterator[Row]:
        """A record that is corrected was sent when it was sent."""
        del entry
        for subject, row in self.apply(before, goods):
            yield subject, row | {ORIGIN: before.index}

    def correct(
        self, before: Input, before_goods: Sequence[Goods], entry: Input, goods: Sequence[Goods]
    ) -> Iterator[Row]:
        """As `withdraw`: that the words are others now is no second sending; the correction itself has its own row."""
        del goods
        return self.withdraw(before, before_goods, entry)
