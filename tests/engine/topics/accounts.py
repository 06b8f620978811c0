"""The books of one holder, fed to the accountancy by hand."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from ledger.core.times import format_utc
from ledger.engine.goods import goods_of
from ledger.engine.register import Register, RegisterState
from ledger.engine.topics.accountancy import (
    Accountancy,
    AccountancyState,
)
from tests.engine.helpers import HOUR, NITRIC, T0, Classifier, Run

KG = 1_000_000
DAY = 24 * HOUR
ERRORS = {"method": "scale", "random_ppm": 1_000, "systematic_ppm": 0}
KEY = f"{NITRIC}|||bulk||mass"


@dataclass
class Books:
    """One topic, fed by hand; `rows` are those of the last record."""

    topic: Accountancy = field(default_factory=lambda: Accountancy(AccountancyState(), Register(RegisterState())))
    run: Run = field(default_factory=Run)
    rows: list = field(default_factory=list)

    def take(self, entry):
        self.rows = list(self.topic.apply(entry, goods_of(entry.body, Classifier())))
        return entry

    def stocktake(self, *lines, at=0, cut_off=None, complete=True, measurement=ERRORS, **more):
        cut = format_utc(T0 + (at if cut_off is None else cut_off))
        body = {"cut_off": cut, "complete": complete, "lines": list(lines), "measurement": measurement}
        if "continues" in more:
            body["continues"] = more.pop("continues")
        return self.take(self.run.entry("stocktake", body, at=at, **more))

    def move(self, direction, *lines, at, reason="", cause="evaporation", **more):
        body = {"direction": direction, "reason": reason or ("purchase" if direction == "in" else "consumption")}
        if reason == "loss":
            body["loss_cause"] = cause
        return self.take(self.run.entry("movement", body | {"lines": list(lines)}, at=at, **more))

    def correct(self, before, at, kind=None, **body):
        """The correction, as the fold gives it to a topic; returns the record as it stands."""
        after = replace(
            before,
            kind=kind or before.kind,
            body=before.body | body,
            received_ms=T0 + at,
            before=before.before or before,
        )
        was, now = goods_of(before.body, Classifier()), goods_of(after.body, Classifier())
        if before.kind == after.kind:
            self.rows = list(self.topic.correct(before, was, after, now))
        else:
            self.rows = [*self.topic.withdraw(before, was, after), *self.topic.apply(after, now)]
        return after

    def named(self, subject):
        return [row for name, row in self.rows if name == subject]

    @property
    def balance(self):
        (row,) = self.named("material_balance")
        return row

    @property
    def stream(self):
        (row,) = self.named("material_stream")
        return row

    def held(self, key=KEY, book="A/S1/B1"):
        return self.topic._state.books[book].streams[key]
