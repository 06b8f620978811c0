"""`hazledger erase`: personal data goes, every proof stays (formats.md section 6)."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.compose import open_installation, state_option
from ledger.core.disclosure import digest_of
from ledger.errors import NotFoundError
from ledger.model import RecordId


@click.command()
@click.argument("record_id")
@click.option("--basis", required=True, help="Why it may go: a parameter of the catalogue, e.g. cn591.retention.sales.")
@state_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(record_id: str, basis: str, state: Path | None, *, yes: bool) -> None:
    """Erase the personal data disclosed with RECORD_ID: names, numbers, addresses, free text.

    The record, its signatures and every proof stay; an `erasure` entry says what went and why. It cannot be undone, and
    the same strings are never accepted again.
    """
    here = open_installation(state)
    if here.stores.log.record_by_id(RecordId(record_id)) is None:
        raise NotFoundError(f"no record {record_id} in this log")
    texts = here.stores.log.disclosures(RecordId(record_id))
    if not texts:
        click.echo("nothing to erase: no disclosures are held for this record")
        return
    if not yes:
        click.confirm(f"Erase {len(texts)} disclosed values of {record_id} for ever?", abort=True)
    digests = sorted(digest_of(text) for text in texts)
    appended = here.appender.append_platform("erasure", "erasures", {"digests": digests, "basis": basis})
    click.echo(f"erased {len(digests)} values; entry {appended.receipt.index} says so")
