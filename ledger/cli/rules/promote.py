"""`hazledger rules promote`."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.adapters.files import write_whole
from ledger.catalogue import Catalogue
from ledger.cli.common import json_option, print_json
from ledger.cli.compose import open_installation, state_option
from ledger.cli.rules.common import Progress, folding, read_files
from ledger.core.verification.verdict import EXIT_FAILED, EXIT_OK
from ledger.errors import RuleError
from ledger.model import UnixMs
from ledger.promotion import SPAN_MS
from ledger.rulebench.backtest import BackTest, stretch
from ledger.rulebench.drafts import lint, load_all, load_running, rules_in
from ledger.rulebench.promotion import judged, made_live


@click.command("promote")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@state_option
@click.option("--check", is_flag=True, help="Only say whether it may; write nothing.")
@json_option
@click.pass_context
def promote_command(context: click.Context, file: Path, *, state: Path | None, check: bool, as_json: bool) -> None:
    """Make the rule in FILE live: only when it may be.

    It has to be well formed, pass its own tests, and stay inside its budget (5 alerts a day where it names none) on each of
    the last 30 days of the installation's history. Then its status becomes `live` and its version goes up by one, in FILE.
    The engine asks the same again before a rule takes effect that was not live (health PROMOTION).

    \b
    Exit code: 0 it is live now (or may be, with --check), 1 it may not, and why, 2 usage.
    \b
    Example:
      hazledger rules promote ledger/rules/C07-signature-pattern.yml
    """
    drafts = read_files([file])
    (text,) = drafts.values()
    against = [str(problem) for problem in lint(drafts)]
    rule = None if against else next(iter(rules_in(load_all(drafts), drafts)), None)
    if rule is not None and rule.status == "retired":
        raise RuleError(f"{rule.id} is retired; a rule that comes back gets a new id")
    if rule is not None:
        here = open_installation(state)
        log = here.stores.log
        end = int(log.size())
        start = stretch(log, UnixMs(int(log.last_received()) - SPAN_MS), None)[0]
        rules = load_running(here.exceptions | drafts, here.restricted_sets)
        test = BackTest(log, rules, rule.id, Catalogue.load(), start=start, end=end)
        bar = Progress(f"backtest {rule.id}", end)
        with folding():
            test.run(bar)
        bar.close()
        here.stores.close()
        against = judged(test, Catalogue.load())
    if not against and not check:
        if read_files([file]) != drafts:
            raise RuleError(f"{file} was changed meanwhile; what was tried is not what stands there. Run this again")
        write_whole(file, made_live(text).encode(), mode=file.stat().st_mode & 0o777)
    if as_json:
        print_json(
            {
                "file": str(file),
                "rule": rule.id if rule else None,
                "live": not against and not check,
                "against": against,
            }
        )
    else:
        for reason in against:
            click.echo(f"[FAIL]  {reason}")
        if against or check:
            click.echo(f"{file} {'may not' if against else 'may'} become live")
        else:
            click.echo(f"{file} is live now; next: have it in ledger/rules, and start `hazledger serve` again")
    context.exit(EXIT_FAILED if against else EXIT_OK)
