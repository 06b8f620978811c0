"""`hazledger erase`: personal data goes, every proof stays (formats.md section 6)."""

from __future__ import annotations

import sys
from calendar import monthrange
from datetime import date, datetime, tzinfo
from pathlib import Path

import click

from ledger.catalogue import Catalogue, LegalParameter
from ledger.cli.compose import open_installation, state_option, wall_clock_ms
from ledger.core.disclosure import digest_of
from ledger.errors import NotFoundError
from ledger.model import RecordId, UnixMs

_MONTHS = {"year": 12, "years": 12, "months": 1}


@click.command()
@click.argument("record_id")
@click.option("--basis", required=True, help="Why it may go: a parameter of the catalogue, e.g. cn591.retention.sales.")
@state_option
@click.option(
    "--early", is_flag=True, help="Although the period has not ended: a court or the person's right demands it."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(record_id: str, basis: str, state: Path | None, *, early: bool, yes: bool) -> None:
    """Erase the personal data disclosed with RECORD_ID: names, numbers, addresses, free text.

    The record, its signatures and every proof stay; an `erasure` entry says what went and why. It cannot be undone, and
    the same strings are never accepted again. Refused while the period of --basis, counted from the receipt, has not
    ended.

    \b
    Exit code: 0 erased, or nothing to erase; 1 refused, or you said no; 2 usage, or no such record.

    \b
    Example:
      hazledger erase 8fc2c91e6720887aee7ebaa54d4d46adb540844c4d845641d6f0ceab2fad14c8 --basis cn591.retention.sales
    """
    period = _period(basis)
    here = open_installation(state)
    record = here.stores.log.record_by_id(RecordId(record_id))
    if record is None:
        raise NotFoundError(f"no record {record_id} in this log")
    texts = here.stores.log.disclosures(RecordId(record_id))
    if not texts:
        click.echo("nothing to erase: no disclosures are held for this record")
        return
    received = _day(record.received, here.zone())
    end = _end(received, period)
    if _day(wall_clock_ms(), here.zone()) < end and not early:
        click.echo(
            f"refused: this record, received {received}, is to be kept until {end} by {basis} ({period.text} "
            f"{period.unit}; {period.source}). If a court or the person's right demands it earlier, say --early",
            err=True,
        )
        sys.exit(1)
    if not yes:
        click.confirm(f"Erase {len(texts)} disclosed values of {record_id} for ever?", abort=True)
    digests = sorted(digest_of(text) for text in texts)
    appended = here.appender.append_platform("erasure", "erasures", {"digests": digests, "basis": basis})
    click.echo(f"erased {len(digests)} values; entry {appended.receipt.index} says so")


def _period(basis: str) -> LegalParameter:
    """The catalogue's period of this name. What is erased by a slip of the pen does not come back."""
    catalogue = Catalogue.load()
    periods = {row.param_id for row in catalogue.parameters if ".retention" in row.param_id}
    if basis not in periods:
        raise click.BadParameter(f"the catalogue's periods are {', '.join(sorted(periods))}", param_hint="--basis")
    return catalogue.parameter(basis)


def _end(start: date, period: LegalParameter) -> date:
    months = start.month - 1 + int(period.numbers["value"]) * _MONTHS[period.unit.split()[0]]
    year, month = start.year + months // 12, months % 12 + 1
    return date(year, month, min(start.day, monthrange(year, month)[1]))


def _day(ms: UnixMs, zone: tzinfo) -> date:
    """The county's: by UTC a period would end up to a day early or late."""
    return datetime.fromtimestamp(ms / 1000, zone).date()
