"""`hazledger rules health`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import tzinfo
from pathlib import Path

import click

from ledger.cli.common import json_option, print_json
from ledger.cli.compose import open_installation, state_option, wall_clock_ms
from ledger.cli.moments import local
from ledger.cli.processes import engine_said
from ledger.cli.rules.common import lang_option
from ledger.core.verification.verdict import EXIT_FAILED, EXIT_OK
from ledger.follow import Sets
from ledger.rulebench.explain import set_at
from ledger.rulebench.health import EngineState, health


@click.command("health")
@state_option
@json_option
@lang_option
@click.pass_context
def health_command(context: click.Context, state: Path | None, *, as_json: bool, lang: str) -> None:
    """How each rule in force does.

    State and last error, the last entry it looked at, what an evaluation costs, alerts a day (mean of 30 days) beside its
    budget, and the share of false positives once five alerts are closed. A rule that failed is well again when it has worked
    for an hour. Beside the rules: OUTBOX (alerts reach the log), CLOCK (`hazledger clock`), LAG, COST, ENGINE.

    \b
    Exit code: 0 all well, 1 something is in error, 2 usage or settings.
    \b
    Example:
      hazledger rules health --state /srv/hazledger
    """
    here = open_installation(state)
    log, engine = here.stores.log, here.stores.engine
    sets = Sets(here.rules(), engine.extra)
    found = health(
        log, engine, set_at(log, sets, int(engine.cursor())), engine_said(here.config.state_dir), wall_clock_ms()
    )
    here.stores.close()
    if as_json:
        print_json(asdict(found))
    else:
        _show(found, lang, here.zone())
    context.exit(EXIT_OK if found.well else EXIT_FAILED)


def _show(found: EngineState, lang: str, zone: tzinfo) -> None:
    as_of = "never" if found.as_of_ms is None else local(found.as_of_ms, zone)
    click.echo(f"engine at entry {found.cursor:,}, {found.lag:,} behind; last heard of {as_of}")
    click.echo(f"rule set {found.ruleset}")
    click.echo(
        f"{'rule':<12} {'state':<6} {'status':<7} {'looked at':>10} {'us each':>8} {'alerts':>7} {'a day':>6} {'budget':>6} {'false':>6}"
    )
    for one in found.rules:
        cost = "" if one.us_per_evaluation is None else f"{one.us_per_evaluation:.1f}"
        false = "" if one.false_positives is None else f"{one.false_positives:.0%}"
        budget = "" if one.budget is None else str(one.budget)
        click.echo(
            f"{one.rule:<12} {one.state:<6} {one.status:<7} {one.evaluations:>10,} {cost:>8} {one.alerts:>7,} "
            f"{one.alerts_per_day:>6} {budget:>6} {false:>6}  {one.title[lang]}"
        )
        if one.error:
            click.echo(f"    {one.error}")
    wrong = [one.rule for one in found.rules if one.state != "ok"]
    click.echo(
        "looked at: rows judged; us each: microseconds; a day: mean of 30 days, beside the most that its budget allows; "
        "false: share of closed alerts that were none, from five on"
    )
    click.echo(f"in error: {', '.join(wrong)}" if wrong else "all well")
    click.echo("next: hazledger alerts list --rule ID shows what a rule found")
