"""`hazledger alerts`: the supervisor's desk on the command line: what waits, and each step of an alert as a signed entry."""

from __future__ import annotations

import hashlib
import mimetypes
import re
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ledger.cli.alertlines import UNIT_MS, find_alert, find_order, print_json
from ledger.cli.alertviews import json_option, list_, orders, show
from ledger.cli.common import read_secret
from ledger.cli.compose import open_installation, state_option, wall_clock_ms
from ledger.core.life import MAX_EXCEPTION_MS, OUTCOMES, SILENCE
from ledger.core.record import parse_instant, read_instant
from ledger.core.times import format_utc
from ledger.errors import LedgerError, StaleError, TransitionError
from ledger.handling import Act, Done, Handler, NewOrder
from ledger.model import UnixMs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.cli.compose import Installation

SUPERVISOR = "supervisor"
EXIT_REFUSED = 1
_FOR = re.compile(r"([1-9][0-9]{0,4})([mhd])")

alerts_argument = click.argument("alert", nargs=-1, required=True)


def acting(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that signs."""
    for option in (
        json_option,
        click.option("--text", default="", help="A remark; kept as a disclosure that can be erased."),
        click.option("--version", "turn", type=int, help="Act only if the alert is still at this version."),
        click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                     help="A file with the supervisor's password; without it you are asked."),
        click.option("--as", "name", default=SUPERVISOR, show_default=True, help="Whose key signs."),
        state_option,
    ):  # fmt: skip
        command = option(command)
    return command


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
    _act(given, Act("acknowledged", text=given["text"]))


@alerts.command()
@alerts_argument
@click.option("--department", help="A code word.")
@acting
def take(department: str | None, **given: Any) -> None:
    """Take ALERT... in hand.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts take 3f1c22ab --department chemicals
    """
    _act(given, Act("in_hand", department=department, text=given["text"]))


@alerts.command()
@alerts_argument
@click.option("--department", help="To whom, a code word.")
@acting
def escalate(department: str | None, **given: Any) -> None:
    """Escalate ALERT... to whoever stands above.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts escalate 3f1c22ab --department brigade
    """
    _act(given, Act("escalated", department=department, text=given["text"]))


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
    _act(given, Act("verified", reply=reply, inspection=inspection, evidence=_evidence(evidence), text=given["text"]))


@alerts.command()
@alerts_argument
@click.option("--outcome", type=click.Choice(OUTCOMES), required=True)
@click.option("--referred-to", help="The authority, with --outcome referred.")
@click.option("--duplicate-of", help="The other alert, with --outcome duplicate.")
@click.option(
    "--evidence", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="As for verify."
)
@acting
def close(
    outcome: str, referred_to: str | None, duplicate_of: str | None, evidence: tuple[Path, ...], **given: Any
) -> None:
    """Close ALERT... with an outcome. There is no way back: what comes again is a new alert, linked to this one.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts close 3f1c22ab --outcome violation_confirmed
    """
    if duplicate_of is not None:
        duplicate_of = find_alert(open_installation(given["state"]).stores.engine, duplicate_of).alert_id
    act = Act("closed", outcome=outcome, referred_to=referred_to, duplicate_of=duplicate_of,
              evidence=_evidence(evidence), text=given["text"])  # fmt: skip
    _act(given, act)


@alerts.command()
@alerts_argument
@click.option("--until", required=True, help="At most 7 days: 12h, 3d, or 2026-12-01T08:00:00+08:00.")
@click.option("--reason", required=True, help="A code word, e.g. awaiting-lab.")
@acting
def snooze(until: str, reason: str, **given: Any) -> None:
    """Put ALERT... aside; each returns by itself, and early when it gets worse.

    \b
    Exit code: 0 done, 1 a step was refused (and why), 2 usage, settings, or the key cannot be opened.

    \b
    Example:
      hazledger alerts snooze 3f1c22ab --until 3d --reason awaiting-lab
    """
    _act(given, Act("snoozed", reason=reason, until=_until(until), text=given["text"]))


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
    _act(given, Act("suppressed", reason=SILENCE, until=_until(until), text=given["text"]))


@alerts.command("except")
@alerts_argument
@click.option("--until", required=True, help=f"At most {MAX_EXCEPTION_MS // UNIT_MS['d']} days: 90d, or a time.")
@click.option("--reason", required=True, help="A code word, e.g. known-meter-drift.")
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
    _act(given, Act("suppressed", reason=reason, until=_until(until), text=given["text"]))


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
    _act(given, Act(stages.pop(), text=given["text"]))


@alerts.command()
@alerts_argument
@click.option("--measure", required=True, help="What is required, a code word, e.g. mend-stock.")
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
    due_ms = None if due is None else parse_instant(_until(due, "--due"))
    new = NewOrder(measure, due_ms, type_, number, given["text"])
    with _signing(given) as (handler, session, wanted):
        record_id, done = handler.issue(session, wanted, new)
    _answer(given, done, {"order": record_id})


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
    due_ms = None if due is None else parse_instant(_until(due, "--due"))
    order_id = find_order(open_installation(given["state"]).stores.engine, order)
    with _signing(given) as (handler, session, _):
        record_id, done = handler.decide(session, order_id, decision, due_ms=due_ms, text=given["text"])
    _answer(given, done, {"order": record_id})


for looking in (list_, show, orders):
    alerts.add_command(looking)


# --- signing ---------------------------------------------------------------------------------------------------------


def _act(given: dict[str, Any], act: Act) -> None:
    with _signing(given) as (handler, session, wanted):
        done = handler.act(session, wanted, act)
    _answer(given, done, {})


@contextmanager
def _signing(given: dict[str, Any]) -> Iterator[tuple[Handler, str, list[tuple[str, int | None]]]]:
    """A handler, the session that the password unlocked, and the alerts that were named. The key is locked again after."""
    here = open_installation(given["state"])
    wanted = [(find_alert(here.stores.engine, text).alert_id, given["turn"]) for text in given["alert"]]
    session = f"cli:{secrets.token_hex(16)}"
    here.appender.unlock(session, given["name"], _password(given["password_file"], given["name"]))
    try:
        yield Handler(here.stores.engine, here.appender, wall_clock_ms), session, wanted
    except (TransitionError, StaleError) as error:
        _refused(error, as_json=given["as_json"])
    finally:
        here.appender.lock(session)
        _log(here, given["name"], [alert_id for alert_id, _ in wanted])


def _log(here: Installation, name: str, alert_ids: Sequence[str]) -> None:
    """The watcher is watched: what is done on the command line stands in the access log too."""
    act = click.get_current_context().info_name or ""
    for alert_id in alert_ids or [""]:
        here.stores.portal.log_access(f"cli:{name}", f"alerts-{act}", alert_id, wall_clock_ms())


def _password(file: Path | None, name: str) -> str:
    if file is not None:
        return read_secret(file)
    password: str = click.prompt(f"password of {name}", hide_input=True, err=True)
    return password


def _refused(error: LedgerError, *, as_json: bool) -> NoReturn:
    ways = list(getattr(error, "possible", ()))
    if as_json:
        print_json({"results": [], "error": {"code": error.code, "detail": error.detail, "possible": ways}})
    else:
        click.echo(f"refused: {error.detail} [{error.code}]", err=True)
    sys.exit(EXIT_REFUSED)


def _answer(given: dict[str, Any], done: Sequence[Done], more: dict[str, Any]) -> None:
    if given["as_json"]:
        print_json(more | {"results": [_result(one) for one in done]})
    else:
        for name, value in more.items():
            click.echo(f"{name} {value}")
        for one in done:
            if one.error is not None:
                click.echo(f"{one.alert_id[:12]}  refused: {one.error.detail} [{one.error.code}]", err=True)
            elif one.life is None:
                click.echo(f"{one.alert_id[:12]}  signed as {one.record_id}; the engine has not come so far yet")
            else:
                click.echo(
                    f"{one.alert_id[:12]}  {one.life.status} (version {one.life.turn}), signed as {one.record_id}"
                )
    if any(one.error for one in done):
        sys.exit(EXIT_REFUSED)


def _result(done: Done) -> dict[str, Any]:
    error = done.error
    return {
        "alert_id": done.alert_id,
        "record_id": done.record_id,
        "status": None if done.life is None else done.life.status,
        "version": None if done.life is None else done.life.turn,
        "error": None
        if error is None
        else {"code": error.code, "detail": error.detail, "possible": list(getattr(error, "possible", ()))},
    }


def _until(text: str, option: str = "--until") -> str:
    """A time as it was given, or so long from now."""
    found = _FOR.fullmatch(text)
    if found is not None:
        return format_utc(UnixMs(wall_clock_ms() + int(found[1]) * UNIT_MS[found[2]]))
    try:
        read_instant(text)
    except ValueError:
        raise click.BadParameter("say 12h, 3d, or a time as 2026-12-01T08:00:00+08:00", param_hint=option) from None
    return text


def _evidence(paths: Sequence[Path]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "media_type": mimetypes.guess_type(path.name)[0] or "application/octet-stream",
            "bytes": path.stat().st_size,
            "role": "evidence",
        }
        for path in paths
    )
