"""`hazledger alerts list|show|orders`: what waits, and where it stands. Nothing is signed here."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ledger.cli.alertlines import (
    MOST_ORDERS,
    alert_lines,
    find_alert,
    names_in,
    order_lines,
    queue_lines,
    shown,
)
from ledger.cli.common import counted, json_option, print_json
from ledger.cli.compose import open_installation, state_option, wall_clock_ms
from ledger.cli.rules.common import lang_option
from ledger.core.life import SEVERITIES, STATUSES, possible
from ledger.errors import NotFoundError
from ledger.handling import standing_of
from ledger.ports import QueueFilter


@click.command("list")
@state_option
@click.option("--status", multiple=True, type=click.Choice(STATUSES), help="Repeatable; without it all but closed.")
@click.option("--severity", multiple=True, type=click.Choice(SEVERITIES), help="Repeatable.")
@click.option("--holder", help="Credit code.")
@click.option("--rule", help="Rule id, e.g. A01.")
@click.option(
    "--urgent/--newest", default=True, help="Most urgent first, by severity and time left [default]; or newest first."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@lang_option
def list_(
    state: Path | None,
    *,
    status: tuple[str, ...],
    severity: tuple[str, ...],
    holder: str | None,
    rule: str | None,
    urgent: bool,
    limit: int,
    as_json: bool,
    lang: str,
) -> None:
    """What waits, most urgent first, with the handling rate and both its numbers.

    What waits for the supervisor comes before what waits for an enterprise, then what rests; in each by severity and time
    left. Times are the county's ([portal] timezone); with --json they are unix milliseconds.

    \b
    Exit code: 0 shown, 2 usage or settings.

    \b
    Example:
      hazledger alerts list --severity critical --severity high
    """
    here = open_installation(state)
    engine = here.stores.engine
    wanted = status or tuple(word for word in STATUSES if word != "closed")
    where = QueueFilter(wanted, severity or None, holder, rule, urgent_first=urgent)
    rows = engine.queue(where, limit=limit)
    now = wall_clock_ms()
    handled, due = engine.handling(now)
    if as_json:
        found = [shown(alert, life) for _, alert, life in rows]
        print_json({"alerts": found, "handled": handled, "due": due, "statuses": engine.status_counts()})
        return
    for line in queue_lines(rows, here.zone(), now, lang, names_in(here.stores.log, lang)):
        click.echo(line)
    more = len(rows) == limit
    if lang == "zh":
        first = f"（仅前 {limit} 条，更多用 --limit）" if more else ""
        click.echo(f"{len(rows):,} 条预警{first}；按时处置：到期 {due} 条中 {handled} 条", err=True)
    else:
        first = f" (the first {limit}; more with --limit)" if more else ""
        click.echo(f"{counted(len(rows), 'alert')}{first}; handled in time: {handled} of {due} due", err=True)
    if rows:
        command = f"hazledger alerts show {rows[0][1].alert_id[:12]}"
        next_step = (
            f"下一步：{command} --lang zh（内容及可采取的步骤）"
            if lang == "zh"
            else f"next: {command} (what it is, and what can be done)"
        )
        click.echo(next_step, err=True)


@click.command()
@state_option
@click.argument("alert")
@json_option
@lang_option
def show(state: Path | None, alert: str, *, as_json: bool, lang: str) -> None:
    """Where ALERT stands, what can be done next, and all that happened to it.

    \b
    Exit code: 0 shown, 2 usage, settings, or no such alert.

    \b
    Example:
      hazledger alerts show 3f1c22ab
    """
    here = open_installation(state)
    engine = here.stores.engine
    found = find_alert(engine, alert)
    life = engine.lives([found]).get(found.alert_id)
    if life is None:
        raise NotFoundError(f"the engine's tables do not say where {alert} stands; is the engine running?")
    steps = engine.steps(life.alert_id)
    ways = possible(standing_of(life))
    if as_json:
        print_json(shown(found, life) | {"possible": list(ways), "steps": [asdict(step) for step in steps]})
        return
    for line in alert_lines(
        found, life, steps, ways, here.zone(), wall_clock_ms(), lang, names_in(here.stores.log, lang)
    ):
        click.echo(line)


@click.command()
@state_option
@click.option("--holder", help="Credit code.")
@click.option("--all", "every", is_flag=True, help="Also those that are over.")
@json_option
@lang_option
def orders(state: Path | None, holder: str | None, *, every: bool, as_json: bool, lang: str) -> None:
    """Orders, newest first.

    \b
    Exit code: 0 shown, 2 usage or settings.

    \b
    Example:
      hazledger alerts orders --all
    """
    here = open_installation(state)
    rows = here.stores.engine.orders(holder=holder, open_only=not every, limit=MOST_ORDERS)
    if as_json:
        print_json({"orders": [asdict(row) for row in rows]})
        return
    for line in order_lines(rows, here.zone(), lang, names_in(here.stores.log, lang)):
        click.echo(line)
    click.echo(f"{len(rows):,} 份指令" if lang == "zh" else counted(len(rows), "order"), err=True)
