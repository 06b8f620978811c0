"""`hazledger rules backtest`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from ledger.catalogue import Catalogue
from ledger.cli.common import counted, json_option, print_json
from ledger.cli.compose import Installation, open_installation, state_option
from ledger.cli.rules.common import lang_option, read_files, read_work, run_or_keep
from ledger.core.verification.verdict import EXIT_FAILED, EXIT_OK
from ledger.errors import RuleError
from ledger.model import UnixMs
from ledger.rulebench.backtest import BackTest, received_span, resumed, stretch
from ledger.rulebench.drafts import load_running, rules_in
from ledger.rulebench.labels import label
from ledger.rulebench.outcome import Expectations, Summary, summary
from ledger.rulesets import RuleSet

_INDEX = re.compile(r"[0-9]{1,15}")


def _record_ids(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """A name that no record can have would never be found, and `--must-not-find` would always hold."""
    for value in values:
        if not re.fullmatch(r"[0-9a-f]{6,64}", value):
            raise click.BadParameter(f"{value!r} is not 6 to 64 hex digits of a record_id")
    return values


@click.command("backtest")
@click.argument("rule", metavar="RULE|FILE")
@state_option
@click.option(
    "--from", "from_", metavar="DAY|INDEX", help="First day (2026-03-01) or entry [default: the log's first]."
)
@click.option("--to", metavar="DAY|INDEX", help="Last day, or the entry before which to end [default: the log's end].")
@click.option("--rule", "rule_id", metavar="ID", help="Which rule of FILE, where it is a directory.")
@click.option("--at-least", type=click.IntRange(min=0), help="Fail when there are fewer alerts.")
@click.option("--at-most", type=click.IntRange(min=0), help="Fail when there are more alerts.")
@click.option(
    "--must-find",
    multiple=True,
    metavar="RECORD",
    callback=_record_ids,
    help="Fail without an alert at this record_id (the first six or more digits will do); repeatable.",
)
@click.option(
    "--must-not-find",
    multiple=True,
    metavar="RECORD",
    callback=_record_ids,
    help="Fail with an alert at it; repeatable.",
)
@click.option(
    "--work",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where an interrupted back-test is kept [default: backtest-<ID>.work here].",
)
@click.option("--resume", is_flag=True, help="Go on with the interrupted back-test in the work file.")
@json_option
@lang_option
@click.pass_context
def backtest_command(
    context: click.Context,
    rule: str,
    *,
    state: Path | None,
    from_: str | None,
    to: str | None,
    rule_id: str | None,
    at_least: int | None,
    at_most: int | None,
    must_find: tuple[str, ...],
    must_not_find: tuple[str, ...],
    work: Path | None,
    resume: bool,
    as_json: bool,
    lang: str,
) -> None:
    """Try a rule on the installation's history: a shipped RULE by its id, or the draft in FILE.

    Shows how many alerts there would have been, at how many sites, on which days; which of them are new, the same, or lost
    beside those that were raised; what the closed ones turned out to be; and twenty examples. Nothing is written to the
    installation, and draft and shadow rules are run as if they were live. Ctrl-C keeps what was done: go on with --resume.

    \b
    Exit code: 0 good, 1 above the rule's budget (budget: {max_per_day: N}, on its busiest day), or something expected did
    not come, 2 usage, 3 interrupted.
    \b
    Examples:
      hazledger rules backtest A02 --from 2026-03-01 --to 2026-03-31
      hazledger rules backtest drafts/my-rule.yml --at-most 20 --must-find 3f1c22ab
    """
    if resume and (from_ is not None or to is not None):
        raise click.UsageError(
            "--resume goes on with the stretch of the interrupted back-test; leave --from and --to out"
        )
    here = open_installation(state)
    log = here.stores.log
    rules, name = _chosen(here, rule, rule_id)
    file = work or Path(f"backtest-{name}.work")
    catalogue = Catalogue.load()
    if resume:
        test = resumed(read_work(file, "back-test"), log, rules, name, catalogue)
    else:
        zone = here.zone()
        days = stretch(log, _day_ms(from_, zone, 0), _day_ms(to, zone, 1))
        start = int(from_) if from_ is not None and _INDEX.fullmatch(from_) else days[0]
        end = min(int(to), int(log.size())) if to is not None and _INDEX.fullmatch(to) else days[1]
        if start >= end:
            raise RuleError("nothing was received in this stretch")
        test = BackTest(log, rules, name, catalogue, start=start, end=end)
    run_or_keep(context, f"backtest {name}", test, file, resumed=resume)
    expected = Expectations(at_least, at_most, must_find, must_not_find)
    done = summary(test, here.stores.engine, expected, here.zone(), received_span(log, test.start, test.end))
    here.stores.close()
    if as_json:
        print_json(asdict(done))
    else:
        _show(done, test.rule.title[lang], lang)
    context.exit(EXIT_FAILED if done.failures else EXIT_OK)


def _chosen(here: Installation, rule: str, rule_id: str | None) -> tuple[RuleSet, str]:
    """(the rule set, the rule's id): a draft in the place of its namesake, or the shipped set."""
    path = Path(rule)
    if not path.exists():
        if path.suffix in (".yml", ".yaml"):
            raise RuleError(f"there is no file {rule}")
        return here.rules(), rule
    drafts = read_files([path])
    rules = load_running(here.exceptions | drafts, here.restricted_sets)
    names = [one.id for one in rules_in({one.id: one for one in rules.rules}, drafts)]
    if rule_id is not None:
        names = [name for name in names if name == rule_id]
    if len(names) != 1:
        raise RuleError(f"{rule} holds {', '.join(names) or 'no such rule'}; name one with --rule")
    return rules, names[0]


def _day_ms(text: str | None, zone: ZoneInfo, more_days: int) -> UnixMs | None:
    if text is None or _INDEX.fullmatch(text):
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=more_days)
    except (ValueError, OverflowError):
        raise click.UsageError(f"{text!r} is no day such as 2026-03-01, and no entry's index") from None
    return UnixMs(int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000))


def _show(done: Summary, title: str, lang: str) -> None:
    for line in lines(done, title, lang):
        click.echo(line)


def lines(done: Summary, title: str, lang: str) -> Iterator[str]:
    """The back-test for a person."""

    def say(name: str, **values: object) -> str:
        return label(lang, name, **values)

    yield say("version", rule=done.rule, version=done.version, status="", title=title)
    days, sites = counted(len(done.days), "day", lang=lang), counted(done.sites, "site", lang=lang)
    yield say("stretch", start=f"{done.start:,}", end=f"{done.end:,}", entries=f"{done.entries:,}", days=days)
    kept = say("kept", count=done.suppressed) if done.suppressed else ""
    yield say("alerts", alerts=f"{done.alerts:,}", sites=sites, kept=kept)
    yield say("a day", mean=done.mean_per_day, most=done.busiest[1], day=done.busiest[0] or say("no day"))
    yield say("beside", same=done.same, new=done.new, lost=done.lost)
    yield say("outcomes", outcomes=", ".join(f"{n} {name.replace('_', ' ')}" for name, n in done.confusion.items()))
    yield say("cost", us=done.us_per_entry, rate=f"{done.entries_per_s:,}")
    for one in done.examples:
        outcome = f" [{one.outcome}]" if one.outcome else ""
        shown = {"index": one.index, "record_id": one.record_id, "severity": one.severity, "outcome": outcome}
        yield f"  {say('example', how=say(one.how), **shown)}"
        yield f"       {one.holder} {one.site}: {one.reason[lang]}"
    yield from (f"[FAIL]  {failure}" for failure in done.failures)
    yield "FAILED" if done.failures else "OK"
