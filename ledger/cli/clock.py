"""`hazledger clock`: whether the clock has jumped, and that it is right now."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.common import json_option, print_json
from ledger.cli.compose import open_installation, state_option, wall_clock_ms
from ledger.cli.moments import local
from ledger.core.times import format_utc
from ledger.core.verification.verdict import EXIT_FAILED, EXIT_OK


@click.command("clock")
@state_option
@click.option("--confirm", is_flag=True, help="The time is right now: let deadlines run again.")
@json_option
@click.pass_context
def clock_command(context: click.Context, state: Path | None, *, confirm: bool, as_json: bool) -> None:
    """Has this machine's clock jumped? Then deadlines stand still until you say that the time is right.

    When the clock moves by more than five minutes at once, no `tick` is written, so that no deadline of an alert, transfer
    or filing passes by a clock that is wrong; records go on being taken in. Set the clock right (NTP), look at it here, and
    confirm. It stands in the access log.

    \b
    Exit code: 0 ticks run, 1 they pause, 2 usage or settings.
    \b
    Example:
      hazledger clock --confirm
    """
    here = open_installation(state)
    pause, now = here.clock_pause, wall_clock_ms()
    jump = pause.read()
    if jump is not None and confirm:
        here.stores.portal.log_access("cli:operator", "clock-confirm", format_utc(now), now)
        pause.clear()
    here.stores.close()
    pauses = jump is not None and not confirm
    if as_json:
        print_json({"now": format_utc(now), "paused": pauses, "jump": jump})
        context.exit(EXIT_FAILED if pauses else EXIT_OK)
    zone = here.zone()
    click.echo(f"now {local(now, zone)} by this machine")
    if jump is None:
        click.echo("the clock has not jumped; ticks are written")
    else:
        before, after = (
            local(jump[name], zone) if isinstance(jump.get(name), int) else "unknown"
            for name in ("before_ms", "after_ms")
        )
        click.echo(f"the clock jumped from {before} to {after}")
        click.echo("confirmed: ticks go on" if confirm else "ticks pause until `hazledger clock --confirm`")
    context.exit(EXIT_FAILED if pauses else EXIT_OK)
