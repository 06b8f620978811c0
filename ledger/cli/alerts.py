"""`hazledger alerts`: the supervisor's desk on the command line: what waits, and each step of an alert as a signed entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ledger.cli.alertlines import UNIT_MS, find_alert, find_order
from ledger.cli.alertsigning import CodeWord, act_on, acting, alerts_argument, answer, evidence_in, signing, until_given
from ledger.cli.alertviews import list_, orders, show
from ledger.cli.compose import open_installation
from ledger.core.life import MAX_EXCEPTION_MS, OUTCOMES, SILENCE
from ledger.core.record import parse_instant
from ledger.handling import Act, NewOrder


@click.group()
def alerts() -> None:
    """See alerts, and drive each to its end. Every step is an entry signed with the supervisor's key.

    \b
    hazledger alerts list
    hazledger alerts show 3f1c22ab
    hazledger alerts ack 3f1c22ab
    hazledger alerts order 3f1c22ab --measure mend-stock --due 3d
    hazledger alerts decide ORDER accepted
    hazledger alerts close 3f1c22ab --outcome violation_confirmed

    An alert may be named by the first six or more digits of its id. Exit code: 0 done, 1 a step was refused (and why),
    2 usage, settings, or the key cannot be opened.
    """


@alerts.command()
@alerts_argument
@acting
def ack(**given: Any) -> None:
    """Acknowledge ALERT...: somebody has looked.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts ack 3f1c22ab 77d0e41c --text 'looked at, calling the works'
    """
    act_on(given, Act("acknowledged", text=given["text"]))


@alerts.command()
@alerts_argument
@click.option("--department", type=CodeWord(), help="A code word.")
@acting
def take(department: str | None, **given: Any) -> None:
    """Take ALERT... in hand.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts take 3f1c22ab --department chemicals
    """
    act_on(given, Act("in_hand", department=department, text=given["text"]))


@alerts.command()
@alerts_argument
@click.option("--department", type=CodeWord(), help="To whom, a code word.")
@acting
def escalate(department: str | None, **given: Any) -> None:
    """Escalate ALERT... to whoever stands above.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts escalate 3f1c22ab --department brigade
    """
    act_on(given, Act("escalated", department=department, text=given["text"]))


@alerts.command()
@alerts_argument
@click.option("--reply", help="record_id of the reply that was verified.")
@click.option("--inspection", help="record_id of the inspection.")
@click.option("--evidence", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A file; its SHA-256 is signed, the file stays with you. Repeatable.")  # fmt: skip
@acting
def verify(reply: str | None, inspection: str | None, evidence: tuple[Path, ...], **given: Any) -> None:
    """Say that what ALERT... is about was put right, and by what that was seen.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts verify 3f1c22ab --evidence photo.jpg
    """
    act_on(
        given, Act("verified", reply=reply, inspection=inspection, evidence=evidence_in(evidence), text=given["text"])
    )


@alerts.command()
@alerts_argument
@click.option("--outcome", type=click.Choice(OUTCOMES), required=True)
@click.option("--referred-to", help="The authority, with --outcome referred.")
@click.option("--duplicate-of", help="The other alert, with --outcome duplicate.")
@click.option(
    "--evidence",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file; its SHA-256 is signed, the file stays with you. Repeatable.",
)
@acting
def close(
    outcome: str, referred_to: str | None, duplicate_of: str | None, evidence: tuple[Path, ...], **given: Any
) -> None:
    """Close ALERT... with an outcome. There is no way back: what comes again is a new alert, linked to this one.

    A violation confirmed without any evidence (here, at `verify`, or in the reply to an order) is warned of by rule F04.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts close 3f1c22ab --outcome violation_confirmed
    """
    if duplicate_of is not None:
        duplicate_of = find_alert(open_installation(given["state"]).stores.engine, duplicate_of).alert_id
    act = Act("closed", outcome=outcome, referred_to=referred_to, duplicate_of=duplicate_of,
              evidence=evidence_in(evidence), text=given["text"])  # fmt: skip
    act_on(given, act)


@alerts.command()
@alerts_argument
@click.option("--until", required=True, help="At most 7 days: 12h, 3d, or 2026-12-01T08:00:00+08:00.")
@click.option("--reason", type=CodeWord(), required=True, help="A code word, e.g. awaiting-lab.")
@acting
def snooze(until: str, reason: str, **given: Any) -> None:
    """Put ALERT... aside; each returns by itself, and early when it gets worse.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts snooze 3f1c22ab --until 3d --reason awaiting-lab
    """
    act_on(given, Act("snoozed", reason=reason, until=until_given(until), text=given["text"]))


@alerts.command()
@alerts_argument
@click.option("--until", required=True, help="At most 7 days, as for snooze.")
@acting
def silence(until: str, **given: Any) -> None:
    """Suppress ALERT... and what comes of the same rule and object, for a test or repair. Recorded and counted.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts silence 3f1c22ab --until 12h
    """
    act_on(given, Act("suppressed", reason=SILENCE, until=until_given(until), text=given["text"]))


@alerts.command("except")
@alerts_argument
@click.option("--until", required=True, help=f"At most {MAX_EXCEPTION_MS // UNIT_MS['d']} days: 90d, or a time.")
@click.option("--reason", type=CodeWord(), required=True, help="A code word, e.g. known-meter-drift.")
@acting
def except_(until: str, reason: str, **given: Any) -> None:
    """Make an exception: suppress ALERT... and what comes of the same rule and object. Recorded, counted, visible.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts except 3f1c22ab --until 90d --reason known-meter-drift
    """
    if reason == SILENCE:
        raise click.BadParameter("that is what `hazledger alerts silence` is for", param_hint="--reason")
    act_on(given, Act("suppressed", reason=reason, until=until_given(until), text=given["text"]))


@alerts.command()
@alerts_argument
@acting
def release(**given: Any) -> None:
    """Take ALERT... out of a snooze or an exception, as they were before.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts release 3f1c22ab
    """
    here = open_installation(given["state"])
    stages = set()
    for text in given["alert"]:
        alert = find_alert(here.stores.engine, text)
        stages.add(here.stores.engine.lives([alert])[alert.alert_id].stage)
    if len(stages) > 1:
        raise click.UsageError("these alerts return to different stages; release them one by one")
    act_on(given, Act(stages.pop(), text=given["text"]))


@alerts.command()
@alerts_argument
@click.option("--measure", type=CodeWord(), required=True, help="What is required, a code word, e.g. mend-stock.")
@click.option("--due", help="3d, or a time; without it as the severity asks (24 h, 3 d, 7 d, 30 d).")
@click.option("--type", "type_", type=click.Choice(["rectification", "spot_check", "penalty"]), default="rectification")
@click.option("--number", help="Its number; without it one is made.")
@acting
def order(measure: str, due: str | None, type_: str, number: str | None, **given: Any) -> None:
    """Issue one order about ALERT..., all of one site, and put each under it.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts order 3f1c22ab --measure mend-stock --due 3d
    """
    due_ms = None if due is None else parse_instant(until_given(due, "--due"))
    new = NewOrder(measure, due_ms, type_, number, given["text"])
    with signing(given) as (handler, session, wanted):
        record_id, done = handler.issue(session, wanted, new)
    answer(given, done, {"order": record_id})


@alerts.command()
@click.argument("order")
@click.argument("decision", type=click.Choice(["accepted", "rejected", "extended", "withdrawn"]))
@click.option("--due", help="With extended or rejected: the new end.")
@acting
def decide(order: str, decision: str, due: str | None, **given: Any) -> None:
    """Judge the reply to ORDER, extend it, or take it back. Its alerts move accordingly.

    ORDER is its number or the beginning of its id, as `hazledger alerts orders` shows them.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts decide 20261121-3f1c22 accepted
    """
    given["alert"] = ()
    due_ms = None if due is None else parse_instant(until_given(due, "--due"))
    order_id = find_order(open_installation(given["state"]).stores.engine, order)
    with signing(given) as (handler, session, _):
        record_id, done = handler.decide(session, order_id, decision, due_ms=due_ms, text=given["text"])
    answer(given, done, {"order": record_id})


for looking in (list_, show, orders):
    alerts.add_command(looking)
