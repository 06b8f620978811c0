"""`hazledger rules replay`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from ledger.catalogue import Catalogue
from ledger.cli.common import json_option, print_json
from ledger.cli.compose import open_installation, state_option
from ledger.cli.rules.common import Progress, read_work, run_or_keep
from ledger.core.verification.verdict import EXIT_FAILED, EXIT_OK
from ledger.follow import Sets
from ledger.rulebench.replay import Replay, Replayed, resumed

MAX_SHOWN = 200


@click.command("replay")
@state_option
@click.option(
    "--to",
    type=click.IntRange(min=1),
    metavar="INDEX",
    help="End before this entry [default: where the engine stands].",
)
@click.option(
    "--work",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("replay.work"),
    show_default=True,
    help="Where an interrupted replay is kept.",
)
@click.option("--resume", is_flag=True, help="Go on with the interrupted replay in the work file.")
@json_option
@click.pass_context
def replay_command(
    context: click.Context, state: Path | None, *, to: int | None, work: Path, resume: bool, as_json: bool
) -> None:
    """Fold the log again from entry 0, and compare with the alerts that were raised and the state that is kept.

    Prints the digest of the alert table and of the state, and where they first differ. The rules in force at each entry are
    those of the newest `ruleset` entry before it; their texts are kept with the engine's tables. Reads the installation (or
    a copy of it, on an auditor's machine) and changes nothing; the service may go on meanwhile. For all other tables:
    `hazledger audit`. Ctrl-C keeps what was done: go on with --resume.

    \b
    Exit code: 0 the same, 1 something differs or a rule set cannot be had, 2 usage or settings, 3 interrupted.
    \b
    Examples:
      hazledger rules replay --state /srv/hazledger
      hazledger rules replay --state /srv/hazledger --resume
    """
    if resume and to is not None:
        raise click.UsageError("--resume goes on to where the interrupted replay was to end; leave --to out")
    here = open_installation(state)
    log, store = here.stores.log, here.stores.engine
    sets = Sets(here.rules(), store.extra)
    end = min(to or int(store.cursor()), int(store.cursor()))
    filling, catalogue = Progress("  back-filling new rules", end), Catalogue.load()
    if resume:
        one = resumed(read_work(work, "replay"), log, store, sets, catalogue, filling=filling)
    else:
        one = Replay(log, store, sets, catalogue, to=to, filling=filling)
    run_or_keep(context, "replay", one, work, resumed=resume)
    done = one.result()
    here.stores.close()
    if as_json:
        print_json(asdict(done) | {"equal": done.equal})
    else:
        _show(done)
    context.exit(EXIT_OK if done.equal else EXIT_FAILED)


def _show(done: Replayed) -> None:
    for index, digest in done.rulesets:
        click.echo(f"rules {digest} from entry {index}")
    click.echo(f"alerts {done.alerts_digest} ({done.alerts:,} below entry {done.end:,})")
    click.echo(f"state  {done.state_digest} at entry {done.end:,}")
    if done.snapshot_index is None:
        click.echo("no snapshot below this entry: the state is not compared")
    else:
        click.echo(f"state  {done.snapshot_digest} at entry {done.snapshot_index:,}, where the engine's snapshot is")
    for problem in done.problems:
        click.echo(f"[FAIL]  {problem}")
    for difference in done.differences:
        place = f"{difference.table}: {difference.row} {difference.column}".rstrip()
        click.echo(f"[FAIL]  {place}: the log gives {_short(difference.replayed)}, kept is {_short(difference.kept)}")
    for index, engine in done.other_engines:
        said = "" if done.equal else ": what differs may be of the program; replay with that version of it"
        click.echo(
            f"[NOTE]  made by another engine from entry {index:,} on ({engine}; this one is {done.engine}){said}"
        )
    click.echo("OK: the log gives what is kept" if done.equal else "FAILED: the log gives something else")


def _short(value: object) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
