"""Other shapes of misdeeds that the families' files have in one shape only: what else a rule has to see, and what it must not."""

from __future__ import annotations

from typing import Any

from tests.scenario import clock
from tests.scenario import goods as g
from tests.scenario.clock import DAY, HOUR, MINUTE
from tests.scenario.drafts import Draft
from tests.scenario.goods import Goods
from tests.scenario.opening import licence
from tests.scenario.plants.papers import buy_later, grant_statement
from tests.scenario.plants.scene import ALONE, BARE, Case, Scene, near, planted

# --- A04 more than the book says -------------------------------------------------------------------------------------


def _more(pieces: int, *, recorded: bool):
    """So many drums are there that the book does not know of; recorded as found before the count, or not."""

    def play(scene: Scene) -> None:
        store = scene.store(g.HEXAMINE, capacity=60, opening=30)
        act = scene.at(scene.workday(1), 9)
        if recorded:
            scene.do(act - 20 * MINUTE, lambda ms: store.move("in", "found", pieces, ms))
        extra = 0 if recorded else pieces
        scene.do(act, lambda ms: store.count(ms, amount=store.pieces + extra))
        scene.in_book(store, act, act + 30 * MINUTE)

    return play


# --- B10 within a month ----------------------------------------------------------------------------------------------


def _month(pieces: int):
    """Five purchases from two sellers, a week and an hour apart: no fortnight has three of them."""

    def play(scene: Scene) -> None:
        store = scene.store(g.CHLORATE, capacity=600, opening=5)
        act = 0
        for n in range(5):
            act = buy_later(scene, store, scene.day_after(1 + 7 * n), 9 + n, pieces, supplier=964 + n % 2)
        scene.label(scene.at(1, 0), act + HOUR)

    return play


# --- C01 a licence that nobody checked -------------------------------------------------------------------------------


def _declared(goods: Goods, checked: int | None):
    """A licence that the enterprise declares and the authority confirms so many days later, or never; a purchase after a week."""

    def play(scene: Scene) -> None:
        store = scene.store(goods, capacity=60, opening=10)
        kept: list[Draft] = []
        begins, ends = (clock.day_text(scene.day + day) for day in (-40, scene.case.days + 12))
        more: dict[str, Any] = {"activities": ["purchase", "use", "store"], "categories": ["highly_toxic"]}

        def declare(ms: int) -> None:
            kept.append(licence(scene.owner, "licence", f"L-{scene.name}", ms, begins, ends, **more))

        said = scene.at(0, 8.2)
        scene.do(said, declare)
        grant_statement(scene, scene.at(0, 8.4))
        if checked is not None:
            scene.do(said + checked * DAY, lambda ms: scene.world.officials.endorse(kept[0], ms))
        act = buy_later(scene, store, scene.day_after(7), 10, 4)
        scene.label(act, act + HOUR)

    return play


# --- D06 corrections that hide a shortage ----------------------------------------------------------------------------


def _corrects_down(short: int):
    """Of three issues each is corrected to one drum more, the day after a count that was so many short, or complete."""

    def play(scene: Scene) -> None:
        store = scene.store(g.ETHANOL_DRUM, capacity=60, opening=40, count_days=28)
        issues: list[Draft] = []
        for n in range(3):
            at = scene.at(scene.workday(1), 9 + 2 * n)
            scene.do(at, lambda ms: issues.append(store.move("out", "consumption", 2, ms)))
        if short:
            scene.do(scene.at(scene.workday(1), 16), lambda ms: store.count(ms, amount=store.pieces - short))
        act = scene.at(scene.workday(2), 9)

        def correct(ms: int) -> None:
            there = store.pieces
            for n, was in enumerate(issues):
                store.correct(was, 3, ms + n * 4 * MINUTE)
            if short:
                store.pieces = there  # the count has said what is there

        scene.do(act, correct)
        scene.label(act, act + HOUR)

    return play


# --- F01 never reported ----------------------------------------------------------------------------------------------


def _incident(goods: Goods, reported_m: float | None):
    """A theft is entered after twenty minutes; reported to the police so many minutes after it was found, or not at all."""

    def play(scene: Scene) -> None:
        store = scene.store(goods, capacity=60, opening=20, count_days=28)
        found = scene.at(scene.workday(1), 9)
        label = scene.label(found, found + 3 * HOUR)

        def enter(ms: int) -> None:
            body: dict[str, Any] = {
                "type": "theft",
                "lines": [store.line(1)],
                "discovered_at": clock.local_text(found),
                "reported_to": "police",
            }
            if reported_m is not None:
                body["reported_at"] = clock.local_text(found + round(reported_m * MINUTE))
            label.where["record"] = scene.owner.office.write("incident", body, ms, scene.owner.received(ms)).record_id
            store.move("out", "loss", 1, ms + MINUTE, loss_cause="unexplained")

        scene.do(found + 20 * MINUTE, enter)

    return play


NEW = ("A03", "B12", "B13")
"""What a purchase under such a licence may bring as well."""

CASES: tuple[Case, ...] = (
    planted(
        "A04-more",
        "A04",
        "two drums more than the book says",
        _more(2, recorded=False),
        severity="high",
        band=2,
    ),
    near("A04-found", "A04", "two drums more, recorded as found before the count", _more(2, recorded=True)),
    planted(
        "B10-month",
        "B10",
        "250 kg in five purchases within thirty days, never three in a fortnight",
        _month(2),
        days=33,
        times=2,
        stage=ALONE,
        band=1,
        also=("B12",),
    ),
    near(
        "B10-little",
        "B10",
        "the same rhythm, and 125 kg in all",
        _month(1),
        days=33,
        times=2,
        stage=ALONE,
        also=("B12",),
    ),
    planted(
        "C01-declared",
        "C01",
        "bought under a licence that nobody has checked for a week",
        _declared(g.CYANIDE, None),
        days=11,
        stage=BARE,
        band=5,
        also=NEW,
    ),
    near(
        "C01-checked", "C01", "it was checked on the third day", _declared(g.CYANIDE, 3), days=11, stage=BARE, also=NEW
    ),
    planted(
        "D06-run",
        "D06",
        "three corrections after a count each make its shortage smaller",
        _corrects_down(3),
        days=6,
        stage=ALONE,
        severity="high",
        band=0,
        also=("A04",),
    ),
    near(
        "D06-slips", "D06", "three slips corrected alike, and nothing is short", _corrects_down(0), days=6, stage=ALONE
    ),
    planted(
        "F01-silent",
        "F01",
        "a theft is entered, and an hour later not reported to the police",
        _incident(g.ETHANOL_DRUM, None),
        severity="critical",
        band=1,
    ),
    near("F01-prompt", "F01", "a theft reported within ten minutes", _incident(g.ETHANOL_DRUM, 10)),
)
