"""What a case is played with: days, a store of its own, helpers for what enterprises write, labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from tests.scenario import clock
from tests.scenario.cast import BARE_STAGES
from tests.scenario.clock import HOUR, MINUTE
from tests.scenario.enterprise import SITE, Enterprise
from tests.scenario.goods import Goods
from tests.scenario.labels import NEAR_MISS, PLANTED, Label
from tests.scenario.opening import place
from tests.scenario.racks import Part, Rack
from tests.scenario.stores import Store

if TYPE_CHECKING:
    from tests.scenario.world import World

PURCHASES = ("B08", "B09", "B12", "B13")
"""Rules that look at a buyer's whole history. A stage's is that of many cases, so what they say of it is no false alarm."""
SHARED, ALONE, BARE = "shared", "alone", "bare"
"""In a book of its own at any stage; with a licensed stage to itself; with a stage that has no licences."""


@dataclass(frozen=True, slots=True)
class Case:
    """One way to break a rule, or to come near it. `days` is how long it takes, warnings included."""

    id: str
    rule: str
    kind: str
    why: str
    play: Callable[[Scene], None]
    days: int = 4
    times: int = 3
    stage: str = SHARED
    severity: str = ""
    band: int = -1
    also: tuple[str, ...] = ()
    outcome: str = ""
    """How the supervisor closes what it raises: confirmed, sloppy; empty: with care, as no violation."""
    role: str = ""
    """Of the enterprise that plays it: trader or user; empty: either."""


@dataclass
class Scene:
    """One time that a case is played."""

    world: World
    case: Case
    time: int
    day: int
    owner: Enterprise
    rng: Random
    stores: list[Store] = field(default_factory=list)

    @property
    def seller(self) -> Enterprise:
        """A stage that may sell; the scene's own where it may."""
        return self._other("trader")

    @property
    def buyer(self) -> Enterprise:
        """A stage that only uses."""
        return self._other("user")

    def _other(self, role: str, step: int = 0) -> Enterprise:
        if role in self.owner.roles and not step:
            return self.owner
        group = [one for one in self.world.cast.stages[BARE_STAGES:] if role in one.roles and one is not self.owner]
        return group[(self.day + 7 * step) % len(group)]

    def others(self, role: str, many: int) -> list[Enterprise]:
        """Other stages of a role, all distinct."""
        group = [one for one in self.world.cast.stages[BARE_STAGES:] if role in one.roles and one is not self.owner]
        return [group[(self.day + n) % len(group)] for n in range(many)]

    @property
    def name(self) -> str:
        return f"{self.case.id}-{self.time}"

    def at(self, day: int, hour: float) -> int:
        """Unix ms of an hour of the `day`-th day of the case (0 is the first)."""
        return clock.day_start(self.day + day) + round(hour * HOUR)

    def workday(self, number: int) -> int:
        """The day (of the case) that is the `number`-th working day; 0 is the first day itself."""
        day = self.day
        for _ in range(number):
            day = clock.next_workday(day + 1)
        return day - self.day

    def day_after(self, days: int) -> int:
        """The first working day (of the case) from so many days after its first on."""
        return clock.next_workday(self.day + days) - self.day

    def do(self, ms: int, act: Callable[[int], Any], owner: Enterprise | None = None) -> None:
        (owner or self.owner).at(ms, act)

    def store(
        self,
        goods: Goods,
        *,
        capacity: int,
        opening: int,
        owner: Enterprise | None = None,
        until: int | None = None,
        **more: Any,
    ) -> Store:
        """A store of the case's own, declared and counted at 08:05 and 08:20 of its first day, then kept in order.

        `until` is the day of the case on whose evening the book is emptied and ended; the case's last by default.
        `more` are attributes of the store.
        """
        holder = owner or self.owner
        at = f"X{len(holder.desks):02d}"
        made = Store(holder, at, goods, capacity)
        self._keep(made, opening, until, more)
        return made

    def rack(self, *parts: Part, capacity_kg: int, until: int | None = None, **more: Any) -> Rack:
        """The same of a store with several goods, batches or strengths."""
        made = Rack(self.owner, f"X{len(self.owner.desks):02d}", parts, capacity_kg)
        self._keep(made, 0, until, more)
        return made

    def _keep(self, made: Store, opening: int, until: int | None, more: dict[str, Any]) -> None:
        holder = made.owner
        made.uses_a_day, made.count_days = 0.0, 7
        for attribute, value in more.items():
            setattr(made, attribute, value)
        self.stores.append(made)
        step = len(self.stores)

        def begin(ms: int) -> None:
            holder.stores.append(made)
            place(holder, ms)

        def first(ms: int) -> None:
            made.open(ms, opening)
            holder.keep(made, clock.day_of(ms))

        holder.at(self.at(0, 7.6) + step * MINUTE, begin)
        holder.at(self.at(0, 7.75) + step * MINUTE, first)
        last = max(self.case.days - 1, self.workday(2)) if until is None else until
        holder.at(
            clock.day_start(clock.next_workday(self.day + last)) + 15 * HOUR + (20 + step) * MINUTE,
            lambda ms: finish(made, ms),
        )

    def label(
        self, from_ms: int, until_ms: int, *, owner: Enterprise | None = None, rule: str = "", **where: str
    ) -> Label:
        """The case's label: at the owner, unless `where` says another place."""
        case = self.case
        label = Label(
            id=self.name if not rule else f"{self.name}-{rule}",
            rule=rule or case.rule,
            kind=case.kind,
            where=where or {"holder": (owner or self.owner).holder},
            from_ms=from_ms,
            until_ms=until_ms,
            why=case.why,
            severity=case.severity,
            band=case.band,
            also=case.also if case.rule in PURCHASES else (*case.also, *PURCHASES),
            begins_ms=self.at(0, 0),
            holders=tuple(dict.fromkeys((self.owner.holder, *(store.owner.holder for store in self.stores)))),
            outcome=case.outcome,
        )
        self.world.labels.add(label)
        return label

    def in_book(self, store: Store, from_ms: int, until_ms: int) -> Label:
        return self.label(from_ms, until_ms, holder=store.owner.holder, site=SITE, book=store.desk.book)


def finish(store: Store, ms: int) -> None:
    """Use up what is left, count nothing, end the book."""
    day = clock.day_of(ms)
    store.use_up(ms)
    store.moved_day = day
    store.count(ms + 2 * MINUTE, amount=0)
    store.close(day, ms + 4 * MINUTE, final=True)


def planted(id_: str, rule: str, why: str, play: Callable[[Scene], None], **more: Any) -> Case:
    return Case(id_, rule, PLANTED, why, play, **more)


def near(id_: str, rule: str, why: str, play: Callable[[Scene], None], **more: Any) -> Case:
    return Case(id_, rule, NEAR_MISS, why, play, **more)
