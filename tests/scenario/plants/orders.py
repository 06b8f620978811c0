"""Family F: incidents, orders and replies, and how the supervisor's own work is kept."""

from __future__ import annotations

from typing import Any

from tests.scenario import clock
from tests.scenario import goods as g
from tests.scenario.clock import DAY, HOUR, MINUTE
from tests.scenario.drafts import Draft
from tests.scenario.plants.papers import trade
from tests.scenario.plants.scene import ALONE, Case, Scene, near, planted


def _incident(type_: str, reported_m: float, *, stated: bool = True):
    """Discovered, and reported so many minutes later."""

    def play(scene: Scene) -> None:
        store = scene.store(g.NITRIC_DRUM, capacity=60, opening=20)
        found = scene.at(scene.workday(1), 9)
        comes = found + round(reported_m * MINUTE)
        label = scene.label(found, comes + 2 * HOUR)

        def report(ms: int) -> None:
            body: dict[str, Any] = {
                "type": type_,
                "lines": [store.line(1)] if type_ in ("theft", "loss") else [],
                "discovered_at": clock.local_text(found),
                "reported_to": "police",
            }
            if stated:
                body["reported_at"] = clock.local_text(ms)
            made = scene.owner.office.write("incident", body, ms, scene.owner.received(ms))
            label.where["record"] = made.record_id
            if type_ in ("theft", "loss"):
                store.move("out", "loss", 1, ms + MINUTE, loss_cause="unexplained")

        scene.do(comes, report)

    return play


def _order(days: int, answered: float | None, *, accepted: bool = True):
    """An order with so many days' time; answered after so many days, and accepted, or not at all."""

    def play(scene: Scene) -> None:
        owner = scene.owner
        desk = scene.world.officials.desk("police.county", f"o-{owner.holder}")
        given = scene.at(scene.workday(1), 10)
        due = given + days * DAY
        kept: dict[str, Draft] = {}
        body: dict[str, Any] = {
            "type": "rectification",
            "number": f"O-{scene.name}",
            "holder": owner.holder,
            "site": "S1",
            "findings": [{"code": "storage"}],
            "basis": ["cn591.24"],
            "measure": "rectify",
            "due": clock.local_text(due),
        }
        scene.label(given, due + 2 * DAY)

        def give(ms: int) -> None:
            kept["order"] = desk.write("order", body, ms, ms)

        def reply(ms: int) -> None:
            evidence = [
                {
                    "sha256": f"{scene.rng.getrandbits(256):064x}",
                    "media_type": "image/jpeg",
                    "bytes": 90_000,
                    "role": "rectified",
                }
            ]
            answer = {
                "order": kept["order"].record_id,
                "action": "rectified",
                "done_at": clock.local_text(ms),
                "evidence": evidence,
            }
            kept["reply"] = owner.office.write("reply", answer, ms, owner.received(ms))

        def decide(ms: int) -> None:
            decision = body | {
                "replaces": kept["order"].record_id,
                "decision": "accepted" if accepted else "rejected",
                "reply": kept["reply"].record_id,
            }
            desk.write("order", decision, ms, ms)

        scene.do(given, give)
        if answered is not None:
            scene.do(given + round(answered * DAY), reply)
            scene.do(given + round(answered * DAY) + 3 * HOUR, decide)

    return play


def _again(times: int):
    """So many sales of a precursor in cash, ten days apart; the supervisor confirms each of them."""

    def play(scene: Scene) -> None:
        seller = scene.store(g.NITRIC_DRUM, capacity=100, opening=60)
        buyer = scene.store(g.NITRIC_DRUM, capacity=100, opening=10, owner=scene.buyer)
        act = 0
        for n in range(times):
            _, act = trade(scene, seller, buyer, scene.day_after(1 + 11 * n), 9, 6, sale={"payment_method": "cash"})
        scene.label(scene.at(0, 0), act + 4 * DAY)

    return play


def _closed(scene: Scene) -> None:
    """A store a little over its capacity; how the warning is closed is the supervisor's."""
    store = scene.store(g.ETHANOL_DRUM, capacity=200, opening=100)
    act = scene.at(0, 11)
    scene.do(act, lambda ms: store.move("in", "found", 110, ms))
    scene.label(act, act + 2 * DAY)


ENDS = {"role": "trader"}
CASES: tuple[Case, ...] = (
    planted(
        "F01-theft",
        "F01",
        "a theft reported four hours after it was found",
        _incident("theft", 240),
        severity="critical",
    ),
    planted(
        "F01-loss",
        "F01",
        "a loss reported two hours after it was found, its record right then",
        _incident("loss", 120),
        severity="critical",
    ),
    near("F01-leak", "F01", "a leak reported after four hours is no loss of goods", _incident("leak", 240)),
    near("F01-injury", "F01", "an injury reported after half an hour", _incident("injury", 30)),
    planted("F02-none", "F02", "an order of three days, never answered", _order(3, None), days=9, stage=ALONE),
    planted("F02-late", "F02", "answered a day after it was due", _order(3, 4.0), days=9, stage=ALONE),
    near("F02-time", "F02", "answered and accepted in time", _order(3, 2.0), days=9, stage=ALONE),
    near("F02-long", "F02", "answered after six of seven days", _order(7, 6.0), days=13, stage=ALONE),
    planted(
        "F03-three",
        "F03",
        "the same finding confirmed three times",
        _again(3),
        days=34,
        stage=ALONE,
        times=2,
        outcome="confirmed",
        also=("C03",),
        **ENDS,
    ),
    near(
        "F03-two",
        "F03",
        "the same finding confirmed twice",
        _again(2),
        days=23,
        stage=ALONE,
        times=2,
        outcome="confirmed",
        also=("C03",),
        **ENDS,
    ),
    planted(
        "F04-bare",
        "F04",
        "closed a minute after it opened, without evidence",
        _closed,
        days=6,
        stage=ALONE,
        outcome="sloppy",
        also=("A02",),
    ),
    near("F04-good", "F04", "closed with evidence", _closed, days=6, stage=ALONE, also=("A02",)),
)
LATER: tuple[Case, ...] = (
    planted(
        "F04-unproven",
        "F04",
        "closed hours later as a violation, without evidence",
        _closed,
        days=6,
        stage=ALONE,
        outcome="unproven",
        severity="medium",
        band=0,
        also=("A02",),
    ),
    near(
        "F04-proven",
        "F04",
        "closed as a violation, with evidence",
        _closed,
        days=6,
        stage=ALONE,
        outcome="confirmed",
        also=("A02",),
    ),
    near(
        "F04-brief",
        "F04",
        "closed as no violation after three minutes",
        _closed,
        days=6,
        stage=ALONE,
        outcome="brief",
        also=("A02",),
    ),
)
